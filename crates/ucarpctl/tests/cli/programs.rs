//! The commands that run another program of the same build.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fake::write_script;
use crate::said;

/// A directory on the file system of our program: it is linked there, not copied.
fn directory() -> tempfile::TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::tempdir_in(target).unwrap()
}

/// Our program in a directory of its own, and beside it a script of this name.
fn beside(directory: &Path, name: &str, script: &str) -> Command {
    let own = directory.join("ucarpctl");
    if !own.exists() {
        fs::hard_link(env!("CARGO_BIN_EXE_ucarpctl"), &own).unwrap();
    }
    write_script(&directory.join(name), script);
    let mut command = Command::new(own);
    command.env("PATH", "/usr/bin:/bin");
    command
}

#[test]
fn check_is_the_check_of_the_daemon_beside_it() {
    let directory = directory();
    let mut command = beside(directory.path(), "ucarp", "echo \"$@\"; exit 1");
    let output = command.args(["check", "/some/file.toml"]).output().expect("it can be run");
    assert_eq!(said(&output), ("--check -c /some/file.toml\n", "", Some(1)));
    let mut command = beside(directory.path(), "ucarp", "echo \"$@\"");
    let output = command.arg("check").output().expect("it can be run");
    assert_eq!(said(&output), ("--check\n", "", Some(0)));
    let mut command = beside(directory.path(), "ucarp", "kill -9 $$");
    let output = command.arg("check").output().expect("it can be run");
    let (_, errors, status) = said(&output);
    assert!(status == Some(69) && errors.contains("ended by signal 9"), "{errors}");
}

#[test]
fn demo_becomes_the_demo_beside_it() {
    let directory = directory();
    let mut command = beside(directory.path(), "ucarp-demo", "echo the demo \"$@\"; exit 7");
    let output = command.arg("demo").output().expect("it can be run");
    assert_eq!(said(&output), ("the demo\n", "", Some(7)));
}

#[test]
fn a_program_that_is_nowhere_is_told_of() {
    let directory = directory();
    let mut command = beside(directory.path(), "other", "");
    let output = command.arg("demo").output().expect("it can be run");
    let (_, errors, status) = said(&output);
    assert!(status == Some(69) && errors.contains("cannot run ucarp-demo"), "{errors}");
}
