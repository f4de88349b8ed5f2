//! What is measured, and the directory with all that it needs.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{Error, system};
use crate::cargo;
use crate::debian;

/// Debian's packages that a part or another needs. None of them starts a service: keepalived's wants a configuration.
const PACKAGES: [(&str, &str); 5] = [
    ("ucarp", "ucarp"),
    ("keepalived", "keepalived"),
    ("iproute2", "ip"),
    ("strace", "strace"),
    ("valgrind", "valgrind"),
];
const LIBFAKETIME: &str = "libfaketime";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    /// Ours with a configuration file; it holds the addresses itself.
    Ours,
    /// Ours with UCARP's command line and scripts that run `ip`.
    Scripts,
    /// Debian's `ucarp`, with the same command line and scripts.
    Ucarp,
    /// Debian's `keepalived`, which holds the addresses itself.
    Keepalived,
}

impl Program {
    /// Its name in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Program::Ours => "ours",
            Program::Scripts => "ours, scripts",
            Program::Ucarp => "ucarp",
            Program::Keepalived => "keepalived",
        }
    }
}

/// The programs and their files.
#[derive(Clone, Debug)]
pub(super) struct Workshop {
    directory: PathBuf,
    ours: PathBuf,
    ucarp: PathBuf,
    keepalived: PathBuf,
}

impl Workshop {
    /// Installs what is missing, builds ours, and makes the password and the scripts.
    pub(super) fn open() -> Result<Workshop, Error> {
        install()?;
        if !cargo::build(&["--release", "-p", "ucarp"]).map_err(system("running cargo"))? {
            return Err(Error::Build("ucarp"));
        }
        let target = cargo::target().map_err(system("finding the target directory"))?;
        let find = |name| debian::find(name).ok_or(Error::Missing(name));
        let workshop = Workshop {
            directory: target.join("bench"),
            ours: target.join("release/ucarp"),
            ucarp: find("ucarp")?,
            keepalived: find("keepalived")?,
        };
        workshop.furnish()?;
        Ok(workshop)
    }

    /// One with the same programs and its own files, for a measurement beside others.
    pub(super) fn desk(&self, number: usize) -> Result<Workshop, Error> {
        let desk = Workshop { directory: self.directory.join(format!("desk{number}")), ..self.clone() };
        desk.furnish()?;
        Ok(desk)
    }

    /// Makes the password and the scripts.
    fn furnish(&self) -> Result<(), Error> {
        self.write("password", "benchmark\n", 0o600)?;
        for (name, verb) in [("vip-up", "add"), ("vip-down", "del")] {
            self.write(name, &format!("#!/bin/sh\nexec ip addr {verb} \"$2/32\" dev \"$1\"\n"), 0o700)?;
        }
        self.write("vip-up-slow", "#!/bin/sh\nip addr add \"$2/32\" dev \"$1\"\nexec sleep 5\n", 0o700)?;
        self.write("slow", "#!/bin/sh\nexec sleep 5\n", 0o700)?;
        Ok(())
    }

    /// One whose programs are not there.
    #[cfg(test)]
    pub(super) fn in_directory(path: &str) -> Workshop {
        Workshop {
            directory: path.into(),
            ours: "ucarp".into(),
            ucarp: "ucarp".into(),
            keepalived: "keepalived".into(),
        }
    }

    /// Where a file of this name is, or is to be.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf, Error> {
        let path = self.file(name);
        let write = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        };
        write().map_err(system(format!("writing {}", path.display())))?;
        Ok(path)
    }

    /// Where a program is.
    pub(super) fn program(&self, program: Program) -> &Path {
        match program {
            Program::Ours | Program::Scripts => &self.ours,
            Program::Ucarp => &self.ucarp,
            Program::Keepalived => &self.keepalived,
        }
    }

    /// Arguments of keepalived for a configuration, with files for its process ids named after `host`.
    pub(super) fn keepalived_arguments(&self, command: &mut Command, configuration: &Path, host: &str) {
        command.args(["--dont-fork", "--vrrp", "--log-console", "--no-syslog", "--use-file"]).arg(configuration);
        for (option, name) in [("--pid", "pid"), ("--vrrp_pid", "vrrp-pid")] {
            // One that was killed has left its own, and another process may have its number by now.
            let file = self.file(&format!("{host}.{name}"));
            let _ = fs::remove_file(&file);
            command.arg(option).arg(file);
        }
    }

    /// The library that gives a program a clock of its own.
    pub(super) fn faketime() -> Result<PathBuf, Error> {
        find_faketime().ok_or(Error::Missing(LIBFAKETIME))
    }

    /// Programs with their versions, and the machine.
    pub(super) fn versions(&self) -> String {
        let output = Command::new(&self.ours).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        let ours = String::from_utf8_lossy(&output).lines().next().unwrap_or("ucarp of unknown version").to_owned();
        let of = |package| debian::version(package).unwrap_or_else(|| "of unknown version".to_owned());
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        // Only its version: what builders add to it says nothing about the figures.
        let release = release.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap_or_default().to_owned();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        format!(
            "Ours is {ours}, release build; the others are Debian's ucarp {} and keepalived {}. Machine: {cores} cores, {}, Linux \
             {release}.",
            of("ucarp"),
            of("keepalived"),
            processor()
        )
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let guest = if text.contains(" hypervisor") { ", virtual" } else { "" };
    format!("{}{guest}", name.map_or(std::env::consts::ARCH, |(_, name)| name))
}

fn install() -> Result<(), Error> {
    let absent = |program: &str| debian::find(program).is_none();
    let mut wanted: Vec<&str> =
        PACKAGES.iter().filter(|(_, program)| absent(program)).map(|(package, _)| *package).collect();
    wanted.extend(find_faketime().is_none().then_some(LIBFAKETIME));
    if wanted.is_empty() {
        return Ok(());
    }
    debian::install(&wanted).map_err(system("installing packages"))?;
    match PACKAGES.iter().find(|(_, program)| absent(program)) {
        Some((package, _)) => Err(Error::Missing(package)),
        None => find_faketime().map(|_| ()).ok_or(Error::Missing(LIBFAKETIME)),
    }
}

fn find_faketime() -> Option<PathBuf> {
    let directories = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    directories.map(|directory| directory.path().join("faketime/libfaketime.so.1")).find(|path| path.is_file())
}
