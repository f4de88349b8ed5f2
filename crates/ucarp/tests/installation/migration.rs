//! The plans of the guides for those who come from UCARP and from keepalived, step by step.

use std::process::Command;
use std::time::Duration;

use netlab::{Lab, Process, now, wait_until};

use crate::harness::{SOON, System, VIP, write_scripts};

/// Who had the address when, by what the kernels told.
struct Record {
    monitors: Vec<Process>,
}

impl Record {
    fn start(systems: &[&System]) -> Self {
        let monitors = systems.iter().map(|system| {
            let mut command = Command::new("ip");
            command.args(["-o", "monitor", "address", "dev", "eth0"]);
            let monitor = system.host().spawn(command).expect("ip is there");
            // It listens when it tells of something.
            let listens = wait_until(SOON, || {
                system.run("ip addr add 10.0.0.77/32 dev eth0 && ip addr del 10.0.0.77/32 dev eth0");
                !monitor.lines().is_empty()
            });
            assert!(listens, "{:?}", monitor.lines());
            monitor
        });
        Self { monitors: monitors.collect() }
    }

    /// For how long two hosts had the address at once, at most.
    fn longest_overlap(&self) -> Duration {
        let mut changes: Vec<(u64, usize, bool)> = Vec::new();
        for (host, monitor) in self.monitors.iter().enumerate() {
            let lines = monitor.lines().into_iter().filter(|line| line.text.contains(&format!(" {VIP}/")));
            changes.extend(lines.map(|line| (line.at, host, !line.text.starts_with("Deleted"))));
        }
        changes.sort_unstable();
        assert!(changes.len() > 2, "{changes:?}");
        let mut holds = vec![false; self.monitors.len()];
        let (mut longest, mut since) = (0, None);
        for (at, host, has) in changes.into_iter().chain([(now(), 0, false)]) {
            holds[host] = has;
            match (since, holds.iter().filter(|has| **has).count() > 1) {
                (None, true) => since = Some(at),
                (Some(begin), false) => (longest, since) = (longest.max(at - begin), None),
                _ => {}
            }
        }
        Duration::from_nanos(longest)
    }
}

/// A configuration that only listens, for some seconds: it hears the MASTER, and has nothing to complain of.
#[track_caller]
fn listen(system: &System, file: &str) {
    let ending = system.try_run(&format!("timeout --signal=TERM 4 ucarp -c {file}"));
    assert!(ending.text.contains("BACKUP") && !ending.text.contains("digest"), "{}", ending.text);
    assert!(!system.has(VIP));
}

fn by_hand(number: u8, skew: u8) -> String {
    format!(
        "ucarp -i eth0 -s 10.0.0.{number} -v 1 -k {skew} -p secret -a {VIP} -u /etc/vip-up.sh -d /etc/vip-down.sh -z -B"
    )
}

/// docs/migrating-from-ucarp.md: one host after the other, and then to configuration files.
#[test]
fn from_ucarp_one_host_after_the_other() {
    let lab = Lab::new().expect("a laboratory");
    let (alpha, beta) = (System::boot(&lab, "alpha", 1), System::boot(&lab, "beta", 2));
    [&alpha, &beta].into_iter().for_each(write_scripts);
    let record = Record::start(&[&alpha, &beta]);
    alpha.run(&by_hand(1, 0));
    alpha.wait_for(VIP);
    beta.run(&by_hand(2, 50));
    beta.wait_for_log("Switching to state: BACKUP");

    beta.run("pkill -x ucarp");
    beta.install();
    beta.run(&format!("echo '{}' | ucarpctl convert - >/root/trial.toml 2>/dev/null", by_hand(2, 50)));
    beta.run("echo 'start-delay = \"1h\"' >>/root/trial.toml && chmod 600 /root/trial.toml");
    listen(&beta, "/root/trial.toml");
    beta.run(&by_hand(2, 50));
    beta.run("pkill -USR1 -x ucarp");
    beta.wait_for_log("BACKUP on eth0 id 1");

    alpha.run("pkill -x ucarp");
    alpha.wait_without(VIP);
    beta.wait_for(VIP);
    alpha.install();
    alpha.run(&by_hand(1, 0));
    alpha.wait_for_log_times("Switching to state: BACKUP", 1);
    beta.run("pkill -USR2 -x ucarp");
    alpha.wait_for(VIP);

    // From the command line to a file, again on the BACKUP first.
    for (system, line, other) in [(&beta, by_hand(2, 50), &alpha), (&alpha, by_hand(1, 0), &beta)] {
        system.run(&format!("echo '{line}' | ucarpctl convert - >/root/ucarp.toml 2>/dev/null"));
        system.run("install -m 600 /root/ucarp.toml /etc/ucarp/ucarp.toml && ucarp --check");
        system.run("pkill -x ucarp; while pgrep -x ucarp >/dev/null; do sleep 0.1; done");
        system.run("ucarp -c /etc/ucarp/ucarp.toml -B");
        other.wait_for(VIP);
    }
    // One script may still run while the other host's begins: never for as long as an advertisement.
    assert!(record.longest_overlap() < Duration::from_secs(1), "{:?}", record.longest_overlap());
}

fn keepalived(priority: u8) -> String {
    format!(
        "vrrp_script alive {{\n  script \"killall -0 systemd-journald\"\n  weight -60\n}}\nvrrp_instance web {{\n  \
         interface eth0\n  virtual_router_id 1\n  priority {priority}\n  advert_int 1\n  virtual_ipaddress {{\n    \
         {VIP}/24\n  }}\n  track_script {{\n    alive\n  }}\n}}\n"
    )
}

/// docs/migrating-from-keepalived.md: the whole group in some seconds, and nobody has the address twice.
#[test]
fn from_keepalived_without_two_holders() {
    let lab = Lab::new().expect("a laboratory");
    let (alpha, beta) = (System::boot_systemd(&lab, "alpha", 1), System::boot_systemd(&lab, "beta", 2));
    let record = Record::start(&[&alpha, &beta]);
    for (system, priority) in [(&alpha, 150), (&beta, 100)] {
        system.write("/etc/keepalived/keepalived.conf", &keepalived(priority), 0o644);
        system.run("systemctl start keepalived");
        alpha.wait_for(VIP);
    }
    for system in [&alpha, &beta] {
        system.install();
        system.write("/etc/ucarp/password", "secret\n", 0o600);
        system.run(
            "ucarpctl convert --password-file /etc/ucarp/password /etc/keepalived/keepalived.conf \
             2>/dev/null >/root/ucarp.toml && install -m 600 /root/ucarp.toml /etc/ucarp/ucarp.toml && ucarp --check",
        );
    }
    beta.run("systemctl disable --now keepalived");
    assert!(alpha.has(VIP));
    alpha.run("systemctl disable --now keepalived");
    alpha.wait_without(VIP);
    beta.run("systemctl start ucarp");
    beta.wait_for(VIP);
    assert_eq!(record.longest_overlap(), Duration::ZERO, "of those that do not understand each other");

    alpha.run(
        "sed '/^vhid/a start-delay = \"1h\"' /etc/ucarp/ucarp.toml >/root/trial.toml && chmod 600 /root/trial.toml",
    );
    listen(&alpha, "/root/trial.toml");
    alpha.run("systemctl start ucarp");
    alpha.wait_for(VIP);
    beta.wait_without(VIP);
    let journal = || alpha.run("journalctl --no-pager -u ucarp");
    assert!(wait_until(SOON, || journal().contains("Check alive is UP: ")), "{}", journal());
    alpha.run("pkill -USR2 -x ucarp");
    beta.wait_for(VIP);
    // The one who preempts has it for a moment before the other one hears of that.
    assert!(record.longest_overlap() < Duration::from_secs(1), "{:?}", record.longest_overlap());
}
