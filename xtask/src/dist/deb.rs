//! The Debian package.

use std::env::consts::ARCH;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::{Kind, Tree};
use super::{Error, NAME, at, fresh, project, read, run_tool, source_date, version, write};

/// The scripts that run when the package comes and goes.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes the package of the programs in a directory. Returns where it is.
pub(super) fn build(programs: &Path) -> Result<PathBuf, Error> {
    let root = fresh("deb")?;
    let tree = Tree::stage(&root, Kind::Deb, programs)?;
    add_changelog(&tree)?;
    let files = tree.files()?;
    tree.directory("DEBIAN")?;
    for name in SCRIPTS {
        tree.add(&project(&format!("packaging/debian/{name}")), &format!("DEBIAN/{name}"), 0o755)?;
    }
    // Everything below /etc is the administrator's.
    let conffiles: String =
        files.iter().filter(|file| file.starts_with("etc/")).map(|file| format!("/{file}\n")).collect();
    write(&tree.path("DEBIAN/conffiles"), conffiles)?;
    let sums = run_tool("coreutils", Command::new("md5sum").args(&files).current_dir(&root))?;
    write(&tree.path("DEBIAN/md5sums"), sums)?;
    let architecture = architecture()?;
    write(&tree.path("DEBIAN/control"), control(&root, &files, architecture)?)?;
    let package = root.with_file_name(format!("{NAME}_{}_{architecture}.deb", revision()));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&root).arg(&package);
    run_tool("dpkg", &mut build)?;
    Ok(package)
}

/// The version of the package: the first, and only, made of this version of the programs.
fn revision() -> String {
    format!("{}-1", version())
}

fn architecture() -> Result<&'static str, Error> {
    match ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => Err(Error::Architecture(other)),
    }
}

/// Debian wants a changelog of the package beside that of the programs.
fn add_changelog(tree: &Tree) -> Result<(), Error> {
    let date = run_tool("coreutils", Command::new("date").args(["-Ru", "-d"]).arg(format!("@{}", source_date())))?;
    let control = read(&project("packaging/debian/control"))?;
    let maintainer = control.lines().find_map(|line| line.strip_prefix("Maintainer: ")).unwrap_or_default();
    let entry = format!(
        "{NAME} ({}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- {maintainer}  {date}",
        revision()
    );
    let text = tree.path("changelog");
    write(&text, entry)?;
    tree.add_compressed(&text, &format!("usr/share/doc/{NAME}/changelog.Debian"))?;
    fs::remove_file(&text).map_err(at(&text))
}

/// The control file: the template with what depends on the programs.
fn control(root: &Path, files: &[String], architecture: &str) -> Result<String, Error> {
    let mut octets = 0;
    let mut newest = Glibc::default();
    for file in files {
        let path = root.join(file);
        let metadata = fs::metadata(&path).map_err(at(&path))?;
        octets += metadata.len().next_multiple_of(1024);
        if metadata.permissions().mode() & 0o111 != 0 {
            newest = newest.max(glibc(&fs::read(&path).map_err(at(&path))?));
        }
    }
    let mut depends = String::new();
    write!(depends, "libc6 (>= {}.{}), libgcc-s1", newest.0, newest.1).expect("a string takes everything");
    let size = (octets / 1024).to_string();
    let values =
        [("VERSION", revision().as_str()), ("ARCHITECTURE", architecture), ("SIZE", &size), ("DEPENDS", &depends)]
            .map(|(name, value)| (format!("@{name}@"), value.to_owned()));
    let template = read(&project("packaging/debian/control"))?;
    Ok(values.iter().fold(template, |text, (name, value)| text.replace(name, value)))
}

/// A version of the C library.
type Glibc = (u32, u32);

/// The newest version of the C library that a program names: the names of its symbols' versions are plain text in it.
fn glibc(program: &[u8]) -> Glibc {
    const MARK: &[u8] = b"GLIBC_";
    let names = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let version = |start: usize| {
        let rest = &program[start..];
        let end = rest.iter().position(|octet| !octet.is_ascii_digit() && *octet != b'.').unwrap_or(rest.len());
        let (major, rest) = std::str::from_utf8(&rest[..end]).ok()?.split_once('.')?;
        Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
    };
    names.filter_map(|(at, _)| version(at + MARK.len())).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_the_c_library_counts() {
        let program = b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_PRIVATE\0GLIBC_2.9\0GLIBC_";
        assert_eq!(glibc(program), (2, 34));
        assert_eq!(glibc(b"#!/bin/sh\n"), (0, 0));
    }

    #[test]
    fn nothing_of_the_template_is_left() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "GLIBC_2.40").unwrap();
        fs::set_permissions(directory.path().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        let text = control(directory.path(), &["a".into()], "amd64").unwrap();
        assert!(!text.contains('@') || text.matches('@').count() == text.matches("Maintainer:").count(), "{text}");
        assert!(text.contains("\nDepends: libc6 (>= 2.40), libgcc-s1, adduser\n"), "{text}");
        assert!(text.contains("\nInstalled-Size: 1\n"), "{text}");
    }
}
