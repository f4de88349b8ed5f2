//! The static tarball, to be unpacked at the root of any Linux of this architecture.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::tree::{Kind, Tree};
use super::{Error, NAME, fresh, run_tool, shipped, source_date, version};
use crate::cargo;

/// Builds programs that need no library of the system, and the archive of them. Returns where it is.
pub(super) fn build() -> Result<PathBuf, Error> {
    let target = format!("{ARCH}-unknown-linux-gnu");
    // With a target of their own, so that what the compiler itself runs is not built so.
    let flags = [("RUSTFLAGS", OsString::from("-C target-feature=+crt-static"))];
    for package in shipped() {
        if !cargo::build_with(&["--release", "--locked", "--target", &target, "-p", package], &flags)? {
            return Err(Error::Build);
        }
    }
    let programs = cargo::target()?.join(&target).join("release");
    let name = format!("{NAME}-{}-{ARCH}-linux", version());
    let root = fresh("tar")?;
    let tree = Tree::stage(&root, Kind::Tar, &programs)?;
    let archive = root.with_file_name(format!("{name}.tar.xz"));
    let mut command = Command::new("tar");
    command.args(["--create", "--xz", "--sort=name", "--owner=root:0", "--group=root:0", "--numeric-owner"]);
    command.arg(format!("--mtime=@{}", source_date())).arg(format!("--transform=s,^\\.,{name},"));
    command.arg("--directory").arg(tree.path("")).arg("--file").arg(&archive).arg(".");
    run_tool("tar", &mut command)?;
    Ok(archive)
}
