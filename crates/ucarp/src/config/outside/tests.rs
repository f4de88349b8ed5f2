use std::fs::Permissions;

use super::super::problem::Source;
use super::*;

fn write(path: &Path, content: &str, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Reads the password file twice, as two virtual hosts do: the key and what was told.
fn password(path: &Path, open_to_others: bool) -> (Option<Key>, Vec<String>) {
    let sources = [Source::new(Path::new("ucarp.toml"), "password-file = \"/x\"", Vec::new())];
    let mut findings = Findings::new(&sources);
    let mut outside = Outside::new(Some(Purpose::Run), Vec::new());
    let site = Site::new(0, 16..20);
    let first = outside.password(path, open_to_others, &site, &mut findings);
    assert_eq!(outside.password(path, open_to_others, &site, &mut findings), first);
    (first, findings.finish().iter().map(ToString::to_string).collect())
}

#[test]
fn a_password_is_read_once_and_only_from_a_private_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    let secret = Some(Key::from_password(b"secret").unwrap());
    for (mode, private) in [(0o600, true), (0o400, true), (0o711, true), (0o640, false), (0o604, false), (0o620, false)]
    {
        write(&path, "secret\n", mode);
        let (key, told) = password(&path, false);
        assert_eq!((key == secret, told.is_empty()), (private, private), "{mode:o} {told:?}");
        let (key, _) = password(&path, true);
        assert_eq!(key, secret, "{mode:o}");
    }
    write(&path, "secret\n", 0o640);
    let (_, told) = password(&path, false);
    let path = path.display();
    let wanted = format!(
        "ucarp.toml:1:17: other users can read or change the password file {path} (mode 0640) (chmod 600 {path}, or \
         allow it with `allow-readable-password-file = true`)"
    );
    assert_eq!(told, [wanted]);
}

#[test]
fn what_holds_no_password_is_an_error_and_shows_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    let told = |path: &Path| match password(path, false) {
        (None, told) => told.join("\n"),
        (key, _) => panic!("{key:?}"),
    };
    assert!(told(&path).contains("unable to open password file"));
    assert!(told(directory.path()).contains("is not a regular file"));
    for (content, part) in [
        ("", "unexpected end of file"),
        ("\nhidden\n", "the password is empty"),
        ("hidden hidden hidden hidden", "the password has 27 bytes"),
    ] {
        write(&path, content, 0o600);
        let told = told(&path);
        assert!(told.contains(part) && !told.contains("hidden"), "{told}");
    }
    write(&path, "hidden \r\n", 0o600);
    let (key, told) = password(&path, false);
    assert_eq!(key, Some(Key::from_password(b"hidden \r").unwrap()));
    assert!(told.len() == 2 && !told.join("\n").contains("hidden"), "{told:?}");
}

#[test]
fn nothing_outside_is_looked_at_without_a_purpose() {
    let sources = [Source::new(Path::new("ucarp.toml"), "x", Vec::new())];
    let mut findings = Findings::new(&sources);
    let mut outside = Outside::new(None, Vec::new());
    let site = Site::new(0, 0..1);
    assert_eq!(outside.password(Path::new("/nonexistent"), false, &site, &mut findings), None);
    outside.look_at_program("/nonexistent", &site, &mut findings);
    assert!(findings.finish().is_empty());
}

#[test]
fn a_program_is_told_with_the_part_that_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("up.sh");
    let (shown, parent) = (path.display(), directory.path().display());
    assert_eq!(program_fault(&path), Some(format!("there is no {shown}")));
    write(&path, "#!/bin/sh\n", 0o644);
    assert_eq!(program_fault(&path), Some(format!("{shown} is not executable: chmod 755 {shown}")));
    write(&path, "#!/bin/sh\n", 0o755);
    assert_eq!(program_fault(&path), None);
    assert_eq!(program_fault(directory.path()), Some(format!("{parent} is not a file")));
    let lost = directory.path().join("a/b/c");
    assert_eq!(program_fault(&lost), Some(format!("there is no {parent}/a/b/c: {parent}/a is missing")));
}

#[test]
fn a_password_in_an_open_file_is_told_once_per_file() {
    let sources = ["a", "b"].map(|path| Source::new(Path::new(path), "password = \"secret\"", Vec::new()));
    let mut findings = Findings::new(&sources);
    let mut outside = Outside::new(Some(Purpose::Run), vec![0o644, 0o640]);
    for source in [0, 0, 1] {
        outside.secret_in_file(&Site::new(source, 0..8), &mut findings);
    }
    let told = findings.finish();
    assert_eq!(told.len(), 1, "{told}");
    assert!(told.iter().next().unwrap().to_string().starts_with("a:1:1: every user of this host can read"), "{told}");
}
