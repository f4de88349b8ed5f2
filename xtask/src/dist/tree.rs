//! What a package consists of.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, NAME, at, project, run_tool};

/// The kinds of packages, as far as they differ in what they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Deb,
    Rpm,
    /// To be unpacked at the root of any system.
    Tar,
}

use Kind::{Deb, Rpm, Tar};

/// One file of the project and where it is installed.
struct File {
    from: &'static str,
    to: &'static str,
    mode: u32,
    kinds: &'static [Kind],
}

const ALL: &[Kind] = &[Deb, Rpm, Tar];

const fn data(from: &'static str, to: &'static str, kinds: &'static [Kind]) -> File {
    File { from, to, mode: 0o644, kinds }
}

const fn program(from: &'static str, to: &'static str, kinds: &'static [Kind]) -> File {
    File { from, to, mode: 0o755, kinds }
}

/// Everything but programs, manual pages, documents and examples, which are whole directories.
const FILES: &[File] = &[
    data("crates/ucarp/completions/ucarp.bash", "usr/share/bash-completion/completions/ucarp", ALL),
    data("crates/ucarp/completions/_ucarp", "usr/share/zsh/vendor-completions/_ucarp", &[Deb]),
    data("crates/ucarp/completions/_ucarp", "usr/share/zsh/site-functions/_ucarp", &[Rpm, Tar]),
    data("crates/ucarp/completions/ucarp.fish", "usr/share/fish/vendor_completions.d/ucarp.fish", ALL),
    data("packaging/systemd/ucarp.service", "usr/lib/systemd/system/ucarp.service", ALL),
    data("packaging/systemd/ucarp@.service", "usr/lib/systemd/system/ucarp@.service", ALL),
    data("packaging/systemd/ucarp-exporter.service", "usr/lib/systemd/system/ucarp-exporter.service", ALL),
    data("packaging/systemd/ucarp.sysusers", "usr/lib/sysusers.d/ucarp.conf", ALL),
    data("packaging/systemd/ucarp.catalog", "usr/lib/systemd/catalog/ucarp.catalog", ALL),
    data("packaging/systemd/ucarp.tmpfiles", "usr/lib/tmpfiles.d/ucarp.conf", ALL),
    program("packaging/libexec/instance", "usr/libexec/ucarp/instance", ALL),
    program("packaging/libexec/vip-up", "usr/libexec/ucarp/vip-up", ALL),
    program("packaging/libexec/vip-down", "usr/libexec/ucarp/vip-down", ALL),
    program("packaging/ifupdown/if-up", "etc/network/if-up.d/ucarp", &[Deb]),
    program("packaging/ifupdown/if-down", "etc/network/if-down.d/ucarp", &[Deb]),
    program("packaging/ifupdown/vip-up", "usr/share/ucarp/vip-up", &[Deb]),
    program("packaging/ifupdown/vip-down", "usr/share/ucarp/vip-down", &[Deb]),
    program("packaging/sysv/ucarp", "etc/init.d/ucarp", &[Deb]),
    program("packaging/sysv/alias-up", "usr/share/ucarp/alias-up", &[Deb]),
    program("packaging/sysv/alias-down", "usr/share/ucarp/alias-down", &[Deb]),
    data("packaging/sysv/default", "etc/default/ucarp", &[Deb]),
    data("packaging/systemd/ucarp-interfaces.service", "usr/lib/systemd/system/ucarp-interfaces.service", &[Deb]),
    data("packaging/debian/copyright", "usr/share/doc/ucarp-rs/copyright", &[Deb]),
    data("packaging/debian/lintian-overrides", "usr/share/lintian/overrides/ucarp-rs", &[Deb]),
    data("packaging/rpm/vip-common.conf", "etc/ucarp/vip-common.conf", &[Rpm]),
    data("packaging/rpm/vip-001.conf.example", "etc/ucarp/vip-001.conf.example", &[Rpm]),
    data("LICENSE-MIT", "usr/share/doc/ucarp-rs/LICENSE-MIT", &[Rpm, Tar]),
    data("LICENSE-APACHE", "usr/share/doc/ucarp-rs/LICENSE-APACHE", &[Rpm, Tar]),
    data("README.md", "usr/share/doc/ucarp-rs/README.md", ALL),
];

/// Directories that are there although nothing is in them.
const DIRECTORIES: &[(&str, Kind)] = &[("etc/ucarp", Deb), ("etc/ucarp/interface", Deb), ("etc/ucarp", Tar)];

/// Directories of documents and examples, and where their files are below that of the documents.
const DOCUMENTS: &[(&str, &str)] = &[
    ("docs", ""),
    ("examples", "/examples"),
    ("examples/grafana", "/examples/grafana"),
    ("examples/prometheus", "/examples/prometheus"),
];

/// A compiled program.
pub(super) struct Program {
    name: &'static str,
    /// The package of cargo that it is in.
    pub(super) package: &'static str,
    to: &'static str,
}

/// The programs that are shipped.
pub(super) const PROGRAMS: &[Program] = &[
    Program { name: "ucarp", package: "ucarp", to: "usr/sbin/ucarp" },
    Program { name: "ucarpctl", package: "ucarpctl", to: "usr/bin/ucarpctl" },
    Program { name: "ucarp-exporter", package: "ucarpctl", to: "usr/bin/ucarp-exporter" },
];

/// The completions that ucarpctl prints, by shell.
const COMPLETIONS: &[(&str, &str, &[Kind])] = &[
    ("bash", "usr/share/bash-completion/completions/ucarpctl", ALL),
    ("zsh", "usr/share/zsh/vendor-completions/_ucarpctl", &[Deb]),
    ("zsh", "usr/share/zsh/site-functions/_ucarpctl", &[Rpm, Tar]),
    ("fish", "usr/share/fish/vendor_completions.d/ucarpctl.fish", ALL),
];

/// Files and directories below a root that is being filled.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Stages everything in the empty directory `root`; `programs` is where the compiled ones are.
    pub(super) fn stage(root: &Path, kind: Kind, programs: &Path) -> Result<Self, Error> {
        let tree = Self { root: root.to_owned() };
        for program in PROGRAMS {
            tree.add(&programs.join(program.name), program.to, 0o755)?;
        }
        for (shell, to, _) in COMPLETIONS.iter().filter(|(_, _, kinds)| kinds.contains(&kind)) {
            let script = run_tool("ucarp-rs", Command::new(programs.join("ucarpctl")).args(["completions", shell]))?;
            tree.write(to, &script)?;
        }
        for file in FILES.iter().filter(|file| file.kinds.contains(&kind)) {
            tree.add(&project(file.from), file.to, file.mode)?;
        }
        for (path, _) in DIRECTORIES.iter().filter(|(_, only)| *only == kind) {
            tree.directory(path)?;
        }
        // What the journal's messages mean.
        for path in sorted("packaging/systemd")?.iter().filter(|path| is_catalog(path)) {
            tree.add(path, &format!("usr/lib/systemd/catalog/{}", name_of(path)), 0o644)?;
        }
        for page in sorted("man")? {
            tree.add_page(&page)?;
        }
        for (from, to) in DOCUMENTS {
            for path in sorted(from)?.iter().filter(|path| path.is_file()) {
                tree.add(path, &format!("usr/share/doc/{NAME}{to}/{}", name_of(path)), 0o644)?;
            }
        }
        tree.add_compressed(&project("CHANGELOG.md"), &format!("usr/share/doc/{NAME}/changelog"))?;
        Ok(tree)
    }

    /// Where something is staged.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Makes a directory and those above it, open to everybody whatever the umask is.
    pub(super) fn directory(&self, below: &str) -> Result<(), Error> {
        let mut path = self.root.clone();
        for part in Path::new(below) {
            path.push(part);
            if !path.is_dir() {
                fs::create_dir(&path).map_err(at(&path))?;
                set_mode(&path, 0o755)?;
            }
        }
        Ok(())
    }

    pub(super) fn add(&self, from: &Path, to: &str, mode: u32) -> Result<(), Error> {
        self.directory(to.rsplit_once('/').map_or("", |(parent, _)| parent))?;
        let path = self.path(to);
        fs::copy(from, &path).map_err(at(from))?;
        set_mode(&path, mode)
    }

    /// Adds a file with this text.
    pub(super) fn write(&self, to: &str, text: &str) -> Result<(), Error> {
        self.directory(to.rsplit_once('/').map_or("", |(parent, _)| parent))?;
        let path = self.path(to);
        fs::write(&path, text).map_err(at(&path))?;
        set_mode(&path, 0o644)
    }

    /// Adds a file as `TO.gz`.
    pub(super) fn add_compressed(&self, from: &Path, to: &str) -> Result<(), Error> {
        self.add(from, to, 0o644)?;
        run_tool("gzip", Command::new("gzip").arg("-9n").arg(self.path(to))).map(drop)
    }

    fn add_page(&self, page: &Path) -> Result<(), Error> {
        let section = page.extension().unwrap_or_default().display().to_string();
        self.add_compressed(page, &format!("usr/share/man/man{section}/{}", name_of(page)))
    }

    /// All files, sorted, as they will be below the root of a system.
    pub(super) fn files(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut directories = vec![self.root.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).map_err(at(&directory))? {
                let path = entry?.path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let below = path.strip_prefix(&self.root).expect("it was found below it");
                    found.push(below.display().to_string());
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

fn is_catalog(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "catalog")
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(at(path))
}

/// What is in a directory of the project.
fn sorted(directory: &str) -> Result<Vec<PathBuf>, Error> {
    let directory = project(directory);
    let entries = fs::read_dir(&directory).map_err(at(&directory))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort_unstable();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stage with empty programs.
    fn stage(kind: Kind) -> (tempfile::TempDir, Tree) {
        let directory = tempfile::tempdir().unwrap();
        let programs = directory.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for Program { name, .. } in PROGRAMS {
            let path = programs.join(name);
            fs::write(&path, "#!/bin/sh\necho \"$@\"\n").unwrap();
            set_mode(&path, 0o755).unwrap();
        }
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        let tree = Tree::stage(&root, kind, &programs).unwrap();
        (directory, tree)
    }

    #[test]
    fn each_kind_of_package_has_what_its_systems_know() {
        let of_debian = ["etc/network/if-up.d/ucarp", "etc/init.d/ucarp", "usr/share/ucarp/vip-up"];
        let of_rpm = ["etc/ucarp/vip-common.conf"];
        let of_all = ["usr/sbin/ucarp", "usr/lib/systemd/system/ucarp@.service", "usr/share/man/man8/ucarp.8.gz"];
        for kind in [Deb, Rpm, Tar] {
            let (_directory, tree) = stage(kind);
            let files = tree.files().unwrap();
            let has = |path: &&str| files.iter().any(|file| file == path);
            assert!(of_all.iter().all(has), "{kind:?}: {files:?}");
            let completions = fs::read_to_string(tree.path("usr/share/bash-completion/completions/ucarpctl")).unwrap();
            assert_eq!(completions, "completions bash\n");
            assert_eq!(of_debian.iter().filter(|path| has(path)).count(), if kind == Deb { 3 } else { 0 });
            assert_eq!(of_rpm.iter().any(has), kind == Rpm);
        }
    }

    #[test]
    fn modes_do_not_depend_on_who_stages() {
        let (_directory, tree) = stage(Deb);
        for (path, wanted) in [("usr/sbin/ucarp", 0o755), ("etc/default/ucarp", 0o644), ("etc/ucarp", 0o755)] {
            let mode = fs::metadata(tree.path(path)).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, wanted, "{path}");
        }
    }

    /// What makes packages is in none of them, or in those of other systems.
    const MAKE_PACKAGES: [&str; 7] = [
        "packaging/container/",
        "packaging/debian/control",
        "packaging/debian/postinst",
        "packaging/debian/postrm",
        "packaging/debian/prerm",
        "packaging/freebsd/",
        "packaging/rpm/ucarp.spec",
    ];

    /// What is forgotten in the table is not shipped.
    #[test]
    fn every_file_of_packaging_is_in_some_package_or_makes_one() {
        let mut directories = vec![project("packaging")];
        let makes_one = |path: &str| MAKE_PACKAGES.iter().any(|start| path.starts_with(start));
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let below = path.strip_prefix(project("")).unwrap().display().to_string();
                assert!(
                    makes_one(&below) || is_catalog(&path) || FILES.iter().any(|file| file.from == below),
                    "{below} is in no package"
                );
            }
        }
    }
}
