//! The habits of `getopt_long`, on which people's scripts rely.

use carp_core::wire::MacAddr;

use crate::harness::{Group, Program, SOON, VIP, differs, programs};

/// Asserts that the arguments are read so that their vhid of 0 is found.
fn assert_vhid_is_seen(program: Program, arguments: &[&str]) {
    program.ending_with(arguments).assert_error(1, "vhid must be between 1 and 255.");
}

#[test]
fn letters_are_bundled_and_values_attached() {
    for program in programs() {
        program.ending_with(&["-Pnz", "-v1", "-PnzSMv7", "-Pzxv0"]).assert_accepted();
        for arguments in [&["-v0"][..], &["-Pnzv0"], &["-PnzSMDv", "0"]] {
            assert_vhid_is_seen(program, arguments);
        }
    }
}

#[test]
fn an_equals_sign_belongs_to_the_value_of_a_letter() {
    for program in programs() {
        program.ending_with(&["-s=10.0.0.2"]).assert_error(1, "Invalid address: [=10.0.0.2]");
        assert_vhid_is_seen(program, &["-v=5"]);
        assert_eq!(program.ending_with(&["-b=5"]).status, Some(1));
    }
}

#[test]
fn long_options_take_values_with_or_without_an_equals_sign() {
    for program in programs() {
        for arguments in [&["--vhid=0"][..], &["--vhid", "0"], &["--vhid="], &["--vhid", ""], &["--vhid", "-1"]] {
            assert_vhid_is_seen(program, arguments);
        }
        program.ending_with(&["--addr=a=b"]).assert_error(1, "Invalid address: [a=b]");
    }
}

#[test]
fn unambiguous_beginnings_of_long_options_are_enough() {
    let flags = ["--pr", "--ne", "--no", "--sh", "--ig", "--deb"];
    let values = ["--advb=1", "--advs=1", "--x=x", "--up=x", "--u=x", "--do=x", "--dea=1", "--f=none", "--vh=1"];
    for program in programs() {
        for argument in flags.into_iter().chain(values) {
            program.ending_with(&[argument]).assert_accepted();
        }
        for argument in ["--v=0", "--vh=0", "--vhi=0"] {
            assert_vhid_is_seen(program, &[argument]);
        }
        for argument in ["--sr=x", "--src=x", "--m=x", "--mc=x", "--mcast=x", "--mcasti=x", "--add=x"] {
            program.ending_with(&[argument]).assert_error(1, "Invalid address: [x]");
        }
        for argument in ["--inter=nope0", "--in=nope0"] {
            let ending = program.ending(&[argument, "-s10.0.0.2", "-v1", "-psecret", "-a10.0.0.100"]);
            assert!(ending.is_accepted(), "{ending:?}");
        }
    }
}

#[test]
fn an_exact_name_wins_over_longer_ones() {
    for program in programs() {
        program.ending_with(&["--pass="]).assert_error(1, "You must supply a password");
        program.ending_with(&["--pass", ""]).assert_error(1, "You must supply a password");
        program.ending_with(&["--passf=/nowhere/file"]).assert_error(1, "unable to open passfile /nowhere/file");
    }
}

#[test]
fn ambiguous_beginnings_are_errors_that_name_the_possibilities() {
    let ambiguous = [
        ("--a", "'--addr' '--advbase' '--advskew'"),
        ("--ad", "'--addr' '--advbase' '--advskew'"),
        ("--adv", "'--advbase' '--advskew'"),
        ("--s", "'--srcip' '--shutdown'"),
        ("--i", "'--interface' '--ignoreifstate'"),
        ("--n", "'--neutral' '--nomcast'"),
        ("--pas", "'--pass' '--passfile'"),
        ("--p", "'--pass' '--passfile' '--preempt'"),
        ("--d", "'--downscript' '--deadratio' '--debug' '--daemonize'"),
        ("--de", "'--deadratio' '--debug'"),
    ];
    for program in programs() {
        for (beginning, possibilities) in ambiguous {
            let ending = program.ending_with(&[beginning]);
            let first = ending.error.lines().next().unwrap_or_default();
            let Some((_, named)) = first.split_once(&format!("option '{beginning}' is ambiguous; possibilities: "))
            else {
                panic!("{beginning}: {ending:?}");
            };
            assert_eq!(sorted(named), sorted(possibilities), "{beginning}");
        }
    }
}

fn sorted(words: &str) -> Vec<&str> {
    let mut words: Vec<_> = words.split_whitespace().collect();
    words.sort_unstable();
    words
}

#[test]
fn the_last_one_of_an_option_counts() {
    for program in programs() {
        program.ending_with(&["-a", "0.0.0.0", "-a", "10.0.0.9"]).assert_accepted();
        program
            .ending_with(&["-a", "10.0.0.9", "-a", "0.0.0.0"])
            .assert_error(1, "You must supply a virtual host address");
        program.ending_with(&["-b0", "-k0", "--advskew=1"]).assert_accepted();
        program.ending_with(&["-r0", "--deadratio", "2"]).assert_accepted();
    }
}

#[test]
fn options_are_found_between_operands_and_not_after_two_dashes() {
    for program in programs() {
        assert_vhid_is_seen(program, &["operand", "-v", "0", "another"]);
        assert_vhid_is_seen(program, &["-", "-v0"]);
        program.ending_with(&["--", "-v", "0", "--nosuch"]).assert_accepted();
    }
}

#[test]
fn operands_do_not_matter_but_are_told() {
    for program in programs() {
        let none = program.ending_with(&["-x", "with a blank"]);
        assert!(none.is_accepted() && !none.error.contains("WARNING"), "{none:?}");
        let some = program.ending_with(&["-p", "my", "pass phrase", "operand"]);
        assert!(some.is_accepted(), "{some:?}");
        assert!(!some.error.contains("phrase"), "it may be half of a password: {some:?}");
        differs("S07", program, &some.error.contains("2 argument(s) that belong to no option"), &false, &true);
    }
}

/// One command line of habits alone: every value arrives where it belongs.
#[test]
fn abbreviated_bundled_and_attached_options_have_their_values() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let script = node.script("up").display().to_string();
        let mut command = program.command();
        command.args([
            "operand",
            "--inter",
            "eth0",
            "--src=10.0.0.2",
            "-v010",
            "--v=0x2a",
            "-psecret",
            "--up",
            &script,
        ]);
        command.args(["--addr", "10.0.0.100", "-Mnzx", "two words", "--advs", "0x20", "-b0", "--dead=1"]);
        node.start_command(command);
        let (_, heard) = group.wait_for_advertisement(SOON, |_, _| true);
        let advertisement = heard.advertisement;
        assert_eq!((advertisement.vhid, advertisement.advbase, advertisement.advskew), (42, 0, 32));
        assert_eq!(heard.dst_mac, MacAddr::BROADCAST);
        assert_eq!(heard.src, node.address);
        node.wait_for_vip();
        assert_eq!(node.script_log().lines().next(), Some(format!("up eth0 {VIP} two words").as_str()));
    }
}
