use std::process::Output;

use super::*;

const STUB: &str = r#"
load_rc_config() { :; }
checkyesno() { eval "value=\$$1"; case $value in [Yy][Ee][Ss]) return 0 ;; *) return 1 ;; esac; }
startmsg() { :; }
err() { shift; echo "$@" >&2; exit 1; }
run_rc_command() { ucarp_start; }
"#;

/// Runs the script's start with these variables, and a program in place of the daemon that prints its arguments, each in
/// brackets, and then the password file.
fn start(variables: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    let path = cargo::workspace().join("packaging/freebsd/rc.d/ucarp");
    let mut script = fs::read_to_string(path).unwrap();
    let daemon = directory.path().join("ucarp");
    let secret = directory.path().join("ucarp.pass");
    let print = format!(
        "#!/bin/sh\nfor word do printf '[%s]' \"$word\"; done\n\
         if [ -e '{place}/ucarp.pass' ]; then stat -c ' %a' '{place}/ucarp.pass'; cat '{place}/ucarp.pass'; fi\n"
    );
    fs::write(&daemon, print).unwrap();
    fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755)).unwrap();
    for (text, other) in [
        (". /etc/rc.subr\n", format!("{STUB}{variables}\n")),
        ("/usr/local/sbin/ucarp", daemon.display().to_string()),
        ("/var/run/ucarp.pass", secret.display().to_string()),
    ] {
        assert!(script.contains(text), "{text}");
        script = script.replace(text, &other);
    }
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(!secret.exists(), "the password stays behind");
    output
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

const CLASSIC: &str = "ucarp_src=192.0.2.1 ucarp_vhid=7 ucarp_addr=192.0.2.100";

#[test]
fn the_variables_of_the_port_become_options_and_the_password_shows_nowhere() {
    let output = printed(&start(&format!("{CLASSIC} ucarp_if=em0 ucarp_pass=\"it's  \\$ecret\" ucarp_xparam='a b'")));
    let (arguments, password) = output.split_once("] ").unwrap();
    assert_eq!(password, "600\nit's  $ecret\n");
    assert!(!arguments.contains("ecret"), "{arguments}");
    let file = arguments.split("[--passfile][").nth(1).and_then(|rest| rest.split_once(']')).unwrap().0;
    assert_eq!(
        arguments.replace(file, "FILE"),
        "[-B][--pidfile][/var/run/ucarp.pid][--interface][em0][--srcip][192.0.2.1][--vhid][7][--passfile][FILE]\
         [--addr][192.0.2.100][--upscript][/usr/local/etc/ucarp-up.sh][--downscript][/usr/local/etc/ucarp-down.sh]\
         [--xparam][a b][--advbase][1][--advskew][0][--deadratio][3][--facility][daemon][--shutdown"
    );
}

#[test]
fn switches_files_and_more_options() {
    let all = "ucarp_passfile=/etc/x ucarp_preempt=YES ucarp_neutral=yes ucarp_shutdown=NO ucarp_ignoreifstate=YES \
               ucarp_nomcast=YES ucarp_flags='-D --script-timeout 5'";
    let output = printed(&start(&format!("{CLASSIC} {all}")));
    assert!(output.contains("[--passfile][/etc/x]"), "{output}");
    let end = "[--preempt][--neutral][--ignoreifstate][--nomcast][-D][--script-timeout][5]";
    assert!(output.ends_with(end), "{output}");
}

#[test]
fn a_configuration_file_says_all_else() {
    let output = printed(&start("ucarp_config=/usr/local/etc/ucarp/ucarp.toml ucarp_flags=-D"));
    assert_eq!(output, "[-B][--pidfile][/var/run/ucarp.pid][--config][/usr/local/etc/ucarp/ucarp.toml][-D]");
}

#[test]
fn what_is_missing_is_named() {
    let output = start("ucarp_src=192.0.2.1 ucarp_addr=192.0.2.100 ucarp_pass=x");
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ucarp_vhid is not set in rc.conf\n");
}

#[test]
fn the_linker_hands_everything_on_but_libraries_that_nobody_needs() {
    let directory = tempfile::tempdir().unwrap();
    let zig = directory.path().join("it's zig");
    fs::write(&zig, "#!/bin/sh\nfor word do printf '[%s]' \"$word\"; done\n").unwrap();
    fs::set_permissions(&zig, fs::Permissions::from_mode(0o755)).unwrap();
    let linker = write_linker(directory.path(), &zig).unwrap();
    let output = Command::new(linker).args(["-lkvm", "a b", "-lc", "-lprocstat", "-o", "x"]).output().unwrap();
    assert_eq!(printed(&output), "[cc][-target][x86_64-freebsd.14.0-none][a b][-lc][-o][x]");
}

#[test]
fn words_are_checked() {
    assert!(matches!(run(&["--fast"]), Err(Error::Usage(_))));
}
