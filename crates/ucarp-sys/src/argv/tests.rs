use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use super::*;
use crate::process::tests::{in_child, rerun};

#[test]
fn the_part_of_an_argument_is_found() {
    let arguments = b"ucarp\0-psecret\0\0last\0";
    let found = |index, offset| part(arguments, index, offset).ok().map(|range| &arguments[range]);
    assert_eq!(found(0, 0), Some(&b"ucarp"[..]));
    assert_eq!(found(1, 2), Some(&b"secret"[..]));
    assert_eq!(found(1, 8), Some(&b""[..]), "the end is no error");
    assert_eq!(found(1, 9), None);
    assert_eq!(found(2, 0), Some(&b""[..]));
    assert_eq!(found(3, 0), Some(&b"last"[..]));
    assert_eq!(found(4, 0), None);
    assert_eq!(part(b"", 0, 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(part(b"cut", 0, 1).unwrap(), 1..3, "the last one may lack its NUL");
}

#[test]
fn the_area_is_found_behind_any_name() {
    let fields: Vec<_> = (3..=52).map(|field| field.to_string()).collect();
    for name in ["ucarp", "a b", "a) b (c", ")) 1 2"] {
        assert_eq!(area(&format!("1 ({name}) {}\n", fields.join(" "))).unwrap(), (48, 49), "{name}");
    }
    let hidden = "0 ".repeat(50);
    for stat in ["", "1 (x)", &format!("1 (x) {}", fields[..40].join(" ")), &format!("1 (x) {hidden}")] {
        assert_eq!(area(stat).unwrap_err().kind(), io::ErrorKind::InvalidData, "{stat}");
    }
}

#[test]
fn an_argument_that_is_not_there_is_refused() {
    for (index, offset) in [(10_000, 0), (0, 1_000_000), (0, usize::MAX)] {
        assert_eq!(overwrite(index, offset).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
#[ignore = "a child process of the_secret_is_gone_from_the_process_list"]
fn secret_child() {
    if !in_child() {
        return;
    }
    let index = std::env::args().position(|arg| arg.starts_with("-pTOP")).unwrap();
    println!("\nstarted");
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    overwrite(index, 2).unwrap();
    assert_eq!(std::env::args().nth(index).unwrap(), "-pxxxxxxxxxx");
    println!("\noverwritten");
    io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn the_secret_is_gone_from_the_process_list() {
    let mut command = rerun("argv::tests::secret_child");
    // The test framework takes any text after --skip.
    command.args(["--skip", "-pTOP-SECRET", "--skip", "kept"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("KEPT", "TOP-SECRET");
    let mut child = command.spawn().unwrap();
    let path = format!("/proc/{}/cmdline", child.id());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut commands = child.stdin.take().unwrap();

    lines.find(|line| line == "started").unwrap();
    let before = std::fs::read_to_string(&path).unwrap();
    assert!(before.contains("TOP-SECRET"));
    writeln!(commands, "go").unwrap();
    lines.find(|line| line == "overwritten").unwrap();
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, before.replace("-pTOP-SECRET", "-pxxxxxxxxxx"), "this argument and nothing else");
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", child.id())).unwrap();
    assert!(environment.contains("KEPT=TOP-SECRET\0"));

    drop(commands);
    assert!(child.wait().unwrap().success());
}
