//! The installation tests: a clean Debian, the package, and what both need.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::cargo;
use crate::dist;

/// What the clean Debian has beside its essential packages: what operators use, Debian's `ucarp` and `keepalived`, and an
/// init and a syslog that want nothing. The mark tells it from every other system.
const PACKAGES: &str = "adduser,busybox,ifupdown,init-system-helpers,iproute2,iputils-ping,keepalived,net-tools,\
                        procps,psmisc,systemd,systemd-sysv,tini,ucarp";

/// What makes it, in the order of its use.
const OPTIONS: [&str; 7] = [
    "--variant=essential",
    "--mode=root",
    "--aptopt=Acquire::Languages \"none\"",
    "--aptopt=APT::Install-Recommends \"false\"",
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--customize-hook=touch \"$1/.ucarp-test-root\"",
];

/// Why the tests cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Dist(#[from] dist::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("mmdebstrap failed: see above")]
    Debian,
    #[error("apt knows no archive of Debian: `apt-get update` has to work")]
    NoArchive,
    #[error("{0} has errors: see above")]
    Lint(String),
}

/// Makes the package, looks at it with lintian, and prepares a Debian. Returns what the tests want in their environment.
pub(crate) fn prepare() -> Result<Vec<(&'static str, OsString)>, Error> {
    let package = dist::deb()?;
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error", "--allow-root", "--tag-display-limit", "0"]).arg(&package);
    if !lintian.status()?.success() {
        return Err(Error::Lint(package.display().to_string()));
    }
    let root = root()?;
    Ok(vec![("UCARP_PACKAGE", package.into_os_string()), ("UCARP_ROOT", root.into_os_string())])
}

/// The clean Debian, made with the first run and kept in the target directory as long as what it is to have is the same.
fn root() -> Result<PathBuf, Error> {
    let directory = cargo::target()?.join("installation");
    let (root, recipe) = (directory.join("root"), directory.join("recipe"));
    let archives = archives()?;
    let wanted = format!("{PACKAGES}\n{}\n{archives}", OPTIONS.join("\n"));
    if fs::read_to_string(&recipe).is_ok_and(|made| made == wanted) {
        return Ok(root);
    }
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&directory)?,
    }
    let sources = directory.join("sources.list");
    fs::write(&sources, &archives)?;
    let mut command = Command::new("mmdebstrap");
    command.args(OPTIONS).arg(format!("--include={PACKAGES}")).arg(SUITE).arg(&root).arg(&sources);
    if !command.status()?.success() {
        return Err(Error::Debian);
    }
    // Only a root that is complete has a recipe.
    fs::write(recipe, wanted)?;
    Ok(root)
}

/// The release of Debian that packages are tested with.
const SUITE: &str = "bookworm";

/// The archives of Debian that this machine uses, as lines of `sources.list`.
fn archives() -> Result<String, Error> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        "Created-By: Packages",
        "Origin: Debian",
    ]);
    let output = command.output()?;
    let lines = archive_lines(&String::from_utf8_lossy(&output.stdout));
    if lines.is_empty() { Err(Error::NoArchive) } else { Ok(lines) }
}

/// Lines for the archives of this release, without its updates: the same packages for longer.
fn archive_lines(targets: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for target in targets.lines() {
        let [archive, SUITE, component] = target.split(' ').collect::<Vec<_>>()[..] else { continue };
        lines.push(format!(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {archive} {SUITE} {component}\n"
        ));
    }
    lines.dedup();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_release_itself_is_used() {
        let targets = "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm main\n\
                       http://mirror/debian/ bookworm-updates main\nhttp://mirror/debian-security/ bookworm-security main\nodd\n";
        let wanted =
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror/debian/ bookworm main\n";
        assert_eq!(archive_lines(targets), wanted);
        assert_eq!(archive_lines(""), "");
    }
}
