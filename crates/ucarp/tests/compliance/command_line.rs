//! Which command lines are accepted and what is said about the others. Nothing here comes as far as a network.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::{Ending, Program, differs, programs};

fn assert_refused(program: Program, more: &[&str], text: &str) {
    program.ending_with(more).assert_error(1, text);
}

#[test]
fn a_vhid_that_is_none_is_refused() {
    for program in programs() {
        for vhid in ["0", "256", "-1", "abc", "", "4294967297", "99999999999999999999"] {
            assert_refused(program, &["-v", vhid], "vhid must be between 1 and 255.");
        }
    }
}

#[test]
fn an_address_that_is_none_is_refused() {
    let texts = ["", "abc", "10.0.0", "10.0.0.256", "10.0.0.2/24", "1", "010.0.0.2", "::1", " 10.0.0.2"];
    for program in programs() {
        for option in ["-s", "-a", "--mcast"] {
            for text in texts {
                assert_refused(program, &[option, text], &format!("Invalid address: [{text}]"));
            }
        }
    }
}

#[test]
fn values_that_stand_for_nothing_are_refused() {
    for program in programs() {
        assert_refused(program, &["-s", "0.0.0.0"], "You must supply a persistent source address");
        assert_refused(program, &["-a", "0.0.0.0"], "You must supply a virtual host address");
        assert_refused(program, &["-p", ""], "You must supply a password");
        assert_refused(program, &["-b", "0"], "You must supply an advertisement time base");
        assert_refused(program, &["-r", "0"], "Dead ratio can't be zero");
    }
}

#[test]
fn every_required_option_is_asked_for_in_ucarps_order() {
    for program in programs() {
        program.ending_without("-v").assert_error(1, "You must supply a valid virtual host id");
        program.ending_without("-p").assert_error(1, "You must supply a password");
        program.ending_without("-s").assert_error(1, "You must supply a persistent source address");
        program.ending_without("-a").assert_error(1, "You must supply a virtual host address");
        let given = ["-v1", "-psecret", "-k1", "-s10.0.0.2", "-a10.0.0.100"];
        let missing = [
            "valid virtual host id",
            "password",
            "advertisement time base",
            "persistent source address",
            "virtual host address",
        ];
        for (count, missing) in missing.into_iter().enumerate() {
            let ending = program.ending(&[&["-inope0", "-b0", "-r0"], &given[..count]].concat());
            assert!(ending.last_error().starts_with("You must supply a"), "{ending:?}");
            assert!(ending.last_error().contains(missing), "{missing} is asked for first: {ending:?}");
        }
    }
}

#[test]
fn values_are_checked_as_they_come_and_help_stops_there() {
    for program in programs() {
        assert!(program.ending(&["-h", "-v", "0"]).is_help());
        program.ending(&["-v", "0", "-h"]).assert_error(1, "vhid must be between 1 and 255.");
        program.ending(&["-s", "abc", "-v", "0"]).assert_error(1, "Invalid address: [abc]");
        program.ending(&["-v", "0", "-s", "abc"]).assert_error(1, "vhid must be between 1 and 255.");
    }
}

#[test]
fn help_goes_to_standard_output_with_status_0() {
    for program in programs() {
        for arguments in [&[][..], &["-h"], &["--help"], &["--he"], &["-Ph"]] {
            let ending = program.ending(arguments);
            assert!(ending.is_help(), "{arguments:?}: {ending:?}");
        }
    }
}

#[test]
fn numbers_are_read_as_c_writes_them() {
    for program in programs() {
        for number in ["0x10", "0X1f", "010", " 7", "+7", "255"] {
            for option in ["-v", "-b", "-k", "-r"] {
                program.ending_with(&[option, number]).assert_accepted();
            }
        }
        program.ending_with(&["-r", "256"]).assert_accepted();
    }
}

#[test]
fn odd_virtual_addresses_and_an_empty_script_are_accepted() {
    for program in programs() {
        for address in ["127.0.0.1", "224.0.0.18", "255.255.255.255", "10.0.0.2"] {
            program.ending_with(&["-a", address]).assert_accepted();
        }
        program.ending_with(&["-u", "", "-d", "", "-x", ""]).assert_accepted();
    }
}

/// Whether a message says which option, which value and what would be allowed.
fn names(ending: &Ending, option: &str, value: &str) -> bool {
    let text = ending.last_error();
    ending.status == Some(1)
        && text.contains("must be between ")
        && text.contains(&format!("option {option}, value \"{value}\""))
}

#[test]
fn numbers_out_of_range_are_errors_that_name_option_value_and_range() {
    let wrong = ["300", "256", "-1", "4294967297", "abc", "", "1.5", "1abc", "5 ", "0x", "=5"];
    for program in programs() {
        for option in ["-b", "-k"] {
            for value in wrong {
                // An advskew of 9 keeps UCARP from tripping over the base of 0 that it makes of some of them.
                let ending = program.ending_with(&["-k", "9", "-b", "1", option, value]);
                differs(
                    "S01",
                    program,
                    &(ending.is_accepted(), names(&ending, option, value)),
                    &(true, false),
                    &(false, true),
                );
            }
        }
        for (option, value) in [("-v", "1abc"), ("-v", "1.5"), ("-r", "1.5"), ("-r", "-1"), ("-r", "4294967297")] {
            let ending = program.ending_with(&[option, value]);
            differs(
                "S01",
                program,
                &(ending.is_accepted(), names(&ending, option, value)),
                &(true, false),
                &(false, true),
            );
        }
        for value in ["abc", "", "4294967296"] {
            let ending = program.ending_with(&["-r", value]);
            assert_eq!(ending.status, Some(1), "{ending:?}");
            differs("S01", program, &names(&ending, "-r", value), &false, &true);
        }
    }
}

#[test]
fn a_command_line_that_cannot_be_read_is_an_error_and_not_help() {
    let lines = [
        (&["--nosuch"][..], "unrecognized option '--nosuch'"),
        (&["-Q"], "invalid option -- 'Q'"),
        (&["--preempt=1"], "option '--preempt' doesn't allow an argument"),
        (&["--s", "10.0.0.2"], "option '--s' is ambiguous"),
        (&["--addr"], "option '--addr' requires an argument"),
        (&["-b"], "requires an argument"),
    ];
    for program in programs() {
        for (line, text) in lines {
            let ending = program.ending_with(line);
            assert!(ending.error.lines().next().is_some_and(|first| first.contains(text)), "{text}: {ending:?}");
            differs("S02", program, &(ending.status, ending.prints_help()), &(Some(0), true), &(Some(1), false));
            let hints = ending.error.lines().skip(1).filter(|line| line.contains("ucarp --help")).count();
            differs("S02", program, &(hints, ending.error.lines().count()), &(0, 1), &(1, 2));
        }
    }
}

#[test]
fn the_documented_option_m_works() {
    for program in programs() {
        let ending = program.ending_with(&["-m", "239.192.0.1"]);
        differs("S03", program, &ending.is_accepted(), &false, &true);
        program.ending_with(&["--mcast", "239.192.0.1"]).assert_accepted();
        program.ending_with(&["--mcastip=239.192.0.1"]).assert_accepted();
    }
}

#[test]
fn new_options_are_options() {
    for program in programs() {
        differs("S04", program, &program.ending_with(&["--script-timeout=5"]).is_accepted(), &false, &true);
        for option in ["-V", "--version", "--completions=bash", "--completions=zsh", "--completions=fish"] {
            let ending = program.ending(&[option]);
            let clean = ending.status == Some(0) && ending.error.is_empty() && ending.output.contains("ucarp");
            differs("S04", program, &clean, &false, &true);
        }
    }
}

#[test]
fn the_interval_of_a_goodbye_is_refused() {
    for program in programs() {
        let ending = program.ending_with(&["-b", "255", "-k", "255"]);
        differs("S05", program, &(ending.status, ending.is_accepted()), &(Some(2), true), &(Some(1), false));
        program.ending_with(&["-b", "255", "-k", "254"]).assert_accepted();
    }
}

#[test]
fn an_unknown_facility_is_told_and_does_not_matter() {
    let good = "auth AUTHPRIV cron daemon ftp kern lpr mail mark news security syslog user uucp local0 Local7 none";
    for program in programs() {
        let ending = program.ending_with(&["-f", "local8"]);
        assert!(ending.is_accepted(), "{ending:?}");
        assert!(ending.error.contains("[ERROR] Unknown syslog facility: [local8]"), "{ending:?}");
        for facility in good.split(' ') {
            let ending = program.ending_with(&["-f", facility]);
            assert!(ending.is_accepted() && !ending.error.contains("facility"), "{facility}: {ending:?}");
        }
    }
}

#[test]
fn missing_scripts_are_told_and_empty_ones_are_not() {
    let warns = |ending: &Ending, direction: &str| {
        ending.error.contains(&format!("[WARNING] Warning: no script called when going {direction}"))
    };
    for program in programs() {
        let neither = program.ending(&["-i", "nope0", "-s", "10.0.0.2", "-v", "1", "-p", "x", "-a", "10.0.0.9"]);
        assert!(neither.is_accepted() && warns(&neither, "up") && warns(&neither, "down"), "{neither:?}");
        let empty = program.ending_with(&["-u", "", "-d", ""]);
        assert!(empty.is_accepted() && !warns(&empty, "up") && !warns(&empty, "down"), "{empty:?}");
    }
}

#[test]
fn a_password_has_at_most_19_octets() {
    for program in programs() {
        program.ending_with(&["-p", &"x".repeat(19)]).assert_accepted();
        for length in [20, 21, 64] {
            program.ending_with(&["-p", &"x".repeat(length)]).assert_error(2, "Password too long");
        }
    }
}

/// A password file of mode 0600.
struct PasswordFile {
    _directory: TempDir,
    path: PathBuf,
}

impl PasswordFile {
    fn new(content: &[u8]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("password");
        fs::write(&path, content).expect("a file can be written");
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, owner_only).expect("its mode can be set");
        Self { _directory: directory, path }
    }
}

fn ending_with_file(program: Program, path: &Path) -> Ending {
    program.ending_with(&["-o", path.to_str().expect("the path is text")])
}

#[test]
fn password_files_that_cannot_be_read_are_refused_in_ucarps_words() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    for program in programs() {
        let missing = directory.path().join("missing");
        let text = format!("unable to open passfile {} for reading: No such file or directory", missing.display());
        ending_with_file(program, &missing).assert_error(1, &text);
        let text = format!("error reading passfile {}: Is a directory", directory.path().display());
        ending_with_file(program, directory.path()).assert_error(1, &text);
        let empty = PasswordFile::new(b"");
        let text = format!("error reading passfile {}: unexpected end of file", empty.path.display());
        ending_with_file(program, &empty.path).assert_error(1, &text);
        let first_line_empty = PasswordFile::new(b"\nsecret\n");
        ending_with_file(program, &first_line_empty.path).assert_error(1, "You must supply a password");
    }
}

#[test]
fn password_files_with_too_long_a_line_are_refused() {
    for program in programs() {
        for length in [20, 511, 512, 513, 600] {
            let file = PasswordFile::new(&vec![b'x'; length]);
            ending_with_file(program, &file.path).assert_error(2, "Password too long");
        }
        let file = PasswordFile::new(&[&[b'x'; 19][..], b"\nand more lines"].concat());
        assert!(ending_with_file(program, &file.path).is_accepted());
    }
}

#[test]
fn the_last_password_counts_wherever_it_comes_from() {
    let file = PasswordFile::new(&[b'x'; 20]);
    let path = file.path.to_str().expect("the path is text");
    for program in programs() {
        program.ending_with(&["-o", path, "-p", "short"]).assert_accepted();
        program.ending_with(&["-p", "short", "-o", path]).assert_error(2, "Password too long");
        assert_refused(program, &["-p", "short", "-p", ""], "You must supply a password");
    }
}

#[test]
fn odd_password_files_are_used_as_they_are_but_told() {
    for program in programs() {
        let plain = ending_with_file(program, &PasswordFile::new(b"secret\n").path);
        assert!(plain.is_accepted() && !plain.error.contains("WARNING"), "{plain:?}");
        for content in [&b"secret\r\n"[..], b"secret \n", b" secret\n", b"sec\0ret\n"] {
            let ending = ending_with_file(program, &PasswordFile::new(content).path);
            assert!(ending.is_accepted(), "{ending:?}");
            assert!(!ending.error.contains("secret"), "the password is never shown: {ending:?}");
            differs("S06", program, &ending.error.contains("[WARNING] passfile "), &false, &true);
        }
    }
}
