//! S2 and S3: the options in interfaces(5), with the real `ifup` and `ifdown`; the second host has Debian's package.

use std::time::Instant;

use netlab::{Lab, wait_until};

use crate::harness::{SOON, System, VIP};

/// What Debian's documentation has. More lines go to the stanza of the real address.
fn interfaces(number: u8, more: &str) -> String {
    format!(
        "iface eth0 inet static\n  address 10.0.0.{number}\n  netmask 255.255.255.0\n  ucarp-vid 1\n  \
         ucarp-vip 10.0.0.254\n  ucarp-password secret\n{more}\niface eth0:ucarp inet static\n  \
         address 10.0.0.254\n  netmask 255.255.255.255\n"
    )
}

/// A host whose interface is as it is before `ifup`.
fn prepare(system: &System, interfaces: &str) {
    system.write("/etc/network/interfaces", interfaces, 0o600);
    system.run("ip addr flush dev eth0");
}

#[test]
fn ifup_failover_signals_and_ifdown() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (System::boot_ours(&lab, "ours", 1), System::boot(&lab, "debian", 2));
    prepare(&ours, &interfaces(1, ""));
    prepare(&other, &interfaces(2, ""));
    ours.run("ifup eth0");
    ours.wait_for(VIP);
    assert!(ours.run("ifconfig eth0:ucarp").contains("inet 10.0.0.254"), "{}", ours.run("ip addr"));
    assert!(!ours.process_list().contains("secret"), "{}", ours.process_list());
    other.run("ifup eth0");
    other.wait_for_log("Switching to state: BACKUP");

    // Both processes of the daemon get the signal, and one answers.
    ours.run("pkill -USR1 ucarp");
    ours.wait_for_log("[INFO] MASTER on eth0 id 1");
    assert!(ours.run("ps ax | grep carp").contains("/usr/sbin/ucarp -i eth0"));
    assert!(ours.run("grep carp /var/log/syslog").contains("Spawning [/usr/share/ucarp/vip-up eth0 10.0.0.254]"));

    // Over to the other one, and back.
    ours.run("killall -USR2 ucarp");
    other.wait_for(VIP);
    ours.wait_without(VIP);
    // Debian's scripts do not wait for each other: `ifdown` would not know the address before `ifup` has ended.
    assert!(wait_until(SOON, || other.try_run("pgrep -x ifup").status == 1), "{}", other.process_list());
    other.run("killall -USR2 ucarp");
    ours.wait_for(VIP);
    other.wait_without(VIP);

    // ifdown returns when the daemon has ended: address gone, goodbye said.
    let began = Instant::now();
    ours.run("ifdown --force eth0");
    println!("ifdown took {:.3} s", began.elapsed().as_secs_f64());
    assert!(!ours.has(VIP));
    assert_eq!(ours.try_run("pgrep -x ucarp").status, 1, "{}", ours.process_list());
    assert_eq!(ours.run("find /run/ucarp -name '*.pid'"), "");
    other.wait_for(VIP);
    println!("the other host had the address after {:.3} s", began.elapsed().as_secs_f64());

    // And up again.
    ours.run("ifup eth0");
    ours.wait_for_log_times("Listening as BACKUP", 2);
    other.run("ifdown eth0");
    ours.wait_for(VIP);
}

#[test]
fn two_hosts_of_ours_change_within_an_interval() {
    let lab = Lab::new().expect("a laboratory");
    let (alpha, beta) = (System::boot_ours(&lab, "alpha", 1), System::boot_ours(&lab, "beta", 2));
    prepare(&alpha, &interfaces(1, ""));
    prepare(&beta, &interfaces(2, "  ucarp-advskew 100\n"));
    alpha.run("ifup eth0");
    alpha.wait_for(VIP);
    beta.run("ifup eth0");
    beta.wait_for_log("Switching to state: BACKUP");
    alpha.run("ifdown eth0");
    // beta would wait for more than three seconds without a goodbye.
    beta.wait_for(VIP);
    beta.wait_for_log("said goodbye");
}

/// Every option of the stanza, values with spaces too.
#[test]
fn every_option_reaches_the_daemon() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_ours(&lab, "ours", 1);
    ours.write("/etc/ucarp/pass word", "se cret\n", 0o600);
    let script = "#!/bin/sh\n[ $# = 3 ] && echo \"$0 $3\" >>/tmp/calls\nenv >>/tmp/environment\n";
    for name in ["up it", "down it"] {
        ours.write(&format!("/etc/{name}"), script, 0o755);
    }
    let more = "  ucarp-passfile /etc/ucarp/pass word\n  ucarp-upscript /etc/up it\n  ucarp-downscript /etc/down it\n  \
                ucarp-advskew 7\n  ucarp-advbase 2\n  ucarp-deadratio 1\n  ucarp-master yes\n  ucarp-nomcast yes\n  \
                ucarp-neutral yes\n  ucarp-ignoreifstate yes\n  ucarp-debug yes\n  ucarp-mcast 224.0.0.99\n  \
                ucarp-facility local3\n  ucarp-script-timeout 30\n  ucarp-xparam two words\n";
    prepare(&ours, &interfaces(1, more));
    ours.run("ifup eth0");
    let arguments = ours.run("tr '\\0' '|' </proc/$(cat /run/ucarp/ifupdown/eth0/1.pid)/cmdline");
    for part in [
        "|-i|eth0|-s|10.0.0.1|-v|1|-a|10.0.0.254|-B|",
        "|-u|/etc/up it|-d|/etc/down it|",
        "|-z|-P|-M|-n|-S|-D|",
        "|-b|2|-k|7|-r|1|-x|two words|-m|224.0.0.99|-f|local3|--script-timeout|30|",
        "|-o|/etc/ucarp/pass word|",
    ] {
        assert!(arguments.contains(part), "{part} in {arguments}");
    }
    assert!(wait_until(SOON, || ours.read("/tmp/calls").contains("/etc/up it two words")), "{}", ours.log());
    ours.run("ifdown eth0");
    assert_eq!(ours.read("/tmp/calls"), "/etc/up it two words\n/etc/down it two words\n");
}

#[test]
fn a_password_with_spaces_is_nowhere_to_be_seen_and_is_the_right_one() {
    let lab = Lab::new().expect("a laboratory");
    let (ours, other) = (System::boot_ours(&lab, "ours", 1), System::boot(&lab, "debian", 2));
    other.write("/etc/up.sh", "#!/bin/sh\nexit 0\n", 0o755);
    other.run("ucarp -i eth0 -s 10.0.0.2 -v 1 -p 'two words' -a 10.0.0.254 -k 200 -u /etc/up.sh -d /etc/up.sh -z -B");
    ours.write("/etc/up.sh", "#!/bin/sh\nenv >/tmp/environment\n", 0o755);
    let text = interfaces(1, "  ucarp-upscript /etc/up.sh\n  ucarp-preempt yes\n").replace("secret", "two words");
    prepare(&ours, &text);
    other.wait_for_log("Switching to state: MASTER");
    ours.run("ifup eth0");
    // It takes over from the other one at once, which it can only if it knows the password.
    ours.wait_for_log("Putting MASTER down - preemption");
    assert!(!ours.process_list().contains("two words"), "{}", ours.process_list());
    assert!(wait_until(SOON, || ours.read("/tmp/environment").contains("IF_UCARP_VID=1")), "{}", ours.log());
    assert!(!ours.read("/tmp/environment").contains("two words"));
    assert!(!ours.log().contains("two words"));
}

#[test]
fn a_stanza_without_options_or_without_a_password_starts_nothing_and_wrong_ones_fail() {
    let lab = Lab::new().expect("a laboratory");
    let ours = System::boot_ours(&lab, "ours", 1);
    prepare(&ours, "iface eth0 inet static\n  address 10.0.0.1/24\n");
    let ending = ours.try_run("ifup eth0");
    assert_eq!((ending.status, ending.text.contains("ucarp")), (0, false), "{}", ending.text);
    ours.run("ifdown eth0");

    prepare(&ours, &interfaces(1, "").replace("  ucarp-password secret\n", ""));
    let ending = ours.try_run("ifup eth0");
    assert_eq!(ending.status, 0, "{}", ending.text);
    assert!(ending.text.contains("eth0 has no ucarp-password or ucarp-passfile: not started"), "{}", ending.text);
    assert_eq!(ours.try_run("pgrep -x ucarp").status, 1);
    ours.run("ifdown eth0");

    prepare(&ours, &interfaces(1, "").replace("ucarp-vid 1", "ucarp-vid 300"));
    let ending = ours.try_run("ifup eth0");
    assert_eq!(ending.status, 1, "{}", ending.text);
    assert!(ending.text.contains("vhid must be between 1 and 255"), "{}", ending.text);
}
