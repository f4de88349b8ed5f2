//! Questions about files and programs of this host.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use ucarp_sys::process::is_running;

use super::{Answer, no};
use crate::settings::Wanted;

/// What is read of a file that must contain something.
const MOST_READ: u64 = 1024 * 1024;

/// What is read of a file with a process id.
const LONGEST_NUMBER: u64 = 32;

/// The kernel keeps so many octets of the name of a program.
const KERNEL_NAME: usize = 15;

/// Whether a file is there, and contains a text.
pub(super) fn file(path: &Path, contains: Option<&str>) -> Answer {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return no(shown, &error),
    };
    let Some(wanted) = contains else { return Answer::Yes(format!("{shown} is there")) };
    // To open a pipe waits for its other end; and the deadline is for what nobody thought of.
    if !metadata.is_file() {
        return Answer::No(format!("{shown} is not a regular file"));
    }
    match read(path, MOST_READ) {
        Err(error) => no(shown, &error),
        Ok(octets) if is_in(&octets, wanted.as_bytes()) => Answer::Yes(format!("{shown} contains {wanted:?}")),
        Ok(_) => Answer::No(format!("{shown} does not contain {wanted:?}")),
    }
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut octets)?;
    Ok(octets)
}

fn is_in(octets: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || octets.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether a program runs.
pub(super) fn process(wanted: &Wanted) -> Answer {
    match wanted {
        Wanted::Name(name) => match find(name) {
            Ok(Some(pid)) => Answer::Yes(format!("{name} runs as process {pid}")),
            Ok(None) => Answer::No(format!("no process is called {name}")),
            Err(error) => Answer::Nothing(format!("processes cannot be listed: /proc: {error}")),
        },
        Wanted::PidFile(path) => {
            let shown = path.display();
            let text = match read(path, LONGEST_NUMBER) {
                Ok(octets) => String::from_utf8_lossy(&octets).trim().to_owned(),
                Err(error) => return no(shown, &error),
            };
            match text.parse::<u32>() {
                Ok(pid) if pid > 0 && is_running(pid) => Answer::Yes(format!("process {pid} of {shown} runs")),
                Ok(pid) => Answer::No(format!("process {pid} of {shown} does not run")),
                Err(_) => Answer::No(format!("no process id in {shown}: {text:?}")),
            }
        }
    }
}

/// The first process with that name, or whose program has it.
fn find(name: &str) -> io::Result<Option<u32>> {
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Those that end meanwhile do not count, nor do those of which nothing may be known.
        let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let kernel_name = &name[..name.floor_char_boundary(KERNEL_NAME)];
        if command.trim_end() != kernel_name || !is_running(pid) {
            continue;
        }
        if name.len() <= KERNEL_NAME {
            return Ok(Some(pid));
        }
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let program = line.split(|octet| *octet == 0).next().unwrap_or_default();
        if program.rsplit(|octet| *octet == b'/').next() == Some(name.as_bytes()) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_there_or_contain_something() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert!(matches!(file(&path, None), Answer::No(_)));
        fs::write(&path, "mode=primary\n").unwrap();
        assert!(matches!(file(&path, None), Answer::Yes(_)));
        assert!(matches!(file(&path, Some("primary")), Answer::Yes(_)));
        assert!(matches!(file(&path, Some("")), Answer::Yes(_)));
        assert!(matches!(file(&path, Some("standby")), Answer::No(_)));
        assert!(matches!(file(directory.path(), Some("x")), Answer::No(text) if text.contains("regular")));
    }

    #[test]
    fn processes_are_found_by_name_and_by_file() {
        let directory = tempfile::tempdir().unwrap();
        // Longer than the kernel's names.
        let long = directory.path().join("a-server-with-a-long-name");
        fs::copy("/bin/sleep", &long).unwrap();
        let mut child = std::process::Command::new(&long).arg("1000").spawn().unwrap();
        let by_name = |name: &str| process(&Wanted::Name(name.into()));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        // It has its name a moment after it was started.
        while matches!(by_name("a-server-with-a-long-name"), Answer::No(_)) {
            assert!(std::time::Instant::now() < deadline);
        }
        assert_eq!(
            by_name("a-server-with-a-long-name"),
            Answer::Yes(format!("a-server-with-a-long-name runs as process {}", child.id()))
        );
        assert!(matches!(by_name("a-server-with-a-long-nose"), Answer::No(_)));
        assert!(matches!(by_name("a-server-with-a"), Answer::Yes(_)));
        let file = directory.path().join("pid");
        let by_file = || process(&Wanted::PidFile(file.clone()));
        assert!(matches!(by_file(), Answer::No(_)));
        fs::write(&file, format!("{}\n", child.id())).unwrap();
        assert!(matches!(by_file(), Answer::Yes(_)));
        child.kill().unwrap();
        // A zombie is no process that serves.
        let gone = || matches!(by_file(), Answer::No(_));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !gone() {
            assert!(std::time::Instant::now() < deadline, "{:?}", by_file());
        }
        child.wait().unwrap();
        assert!(gone() && matches!(by_name("a-server-with-a-long-name"), Answer::No(_)));
        for wrong in ["", "x", "0", "-1"] {
            fs::write(&file, wrong).unwrap();
            assert!(gone(), "{wrong}");
        }
    }
}
