//! Changes of state as entries of systemd's journal with fields that can be searched for, beside the lines of the log.
//!
//! `journalctl VIRTUAL_HOST=web STATE=MASTER` finds them, and `journalctl --catalog` explains them.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Where the journal takes entries.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Of each entry; the catalog has its explanation under this.
pub const MESSAGE_ID: &str = "7d1c0ae5b8a74f0f9d2e63a1c5b0f4e2";

/// A change of state.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The virtual host's name.
    pub virtual_host: &'a str,
    /// Its number.
    pub vhid: u8,
    /// Its interface.
    pub interface: &'a str,
    /// The state before.
    pub from: &'a str,
    /// The state from now on.
    pub to: &'a str,
    /// Why, as a word.
    pub cause: &'a str,
    /// Why, as a sentence.
    pub reason: &'a str,
}

/// A way to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// The system's, if there is one.
    #[must_use]
    pub fn of_the_system() -> Option<Self> {
        Self::connect(Path::new(SOCKET)).ok()
    }

    /// The one that listens there.
    ///
    /// # Errors
    ///
    /// Nobody does.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(Self { socket })
    }

    /// Enters a change of state. One that the journal does not take at once is lost: the log has it too.
    pub fn enter(&self, change: &Change<'_>) {
        let _ = self.socket.send(&entry(change));
    }
}

fn entry(change: &Change<'_>) -> Vec<u8> {
    let Change { virtual_host, vhid, interface, from, to, cause, reason } = change;
    let message = format!("{virtual_host} is {to}: {reason}");
    // As the lines of the log: becoming MASTER, or ceasing to be, is worth a warning.
    let priority = if [from, to].contains(&&"MASTER") { "4" } else { "6" };
    let mut entry = Vec::new();
    for (name, value) in [
        ("MESSAGE", message.as_str()),
        ("MESSAGE_ID", MESSAGE_ID),
        ("PRIORITY", priority),
        ("SYSLOG_IDENTIFIER", "ucarp"),
        ("VIRTUAL_HOST", virtual_host),
        ("VHID", &vhid.to_string()),
        ("INTERFACE", interface),
        ("STATE", to),
        ("FORMER_STATE", from),
        ("CAUSE", cause),
        ("REASON", reason),
    ] {
        entry.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            // Such a value is announced with its length.
            entry.push(b'\n');
            entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            entry.push(b'=');
        }
        entry.extend_from_slice(value.as_bytes());
        entry.push(b'\n');
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Change<'_> = Change {
        virtual_host: "web",
        vhid: 7,
        interface: "eth0",
        from: "BACKUP",
        to: "MASTER",
        cause: "master-said-goodbye",
        reason: "10.0.0.2 said goodbye",
    };

    #[test]
    fn a_change_of_state_is_an_entry_with_fields() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert!(Journal::connect(&path).is_err());
        let fake = UnixDatagram::bind(&path).unwrap();
        Journal::connect(&path).unwrap().enter(&CHANGE);
        let mut buffer = [0; 1000];
        let length = fake.recv(&mut buffer).unwrap();
        let expected = format!(
            "MESSAGE=web is MASTER: 10.0.0.2 said goodbye\nMESSAGE_ID={MESSAGE_ID}\nPRIORITY=4\nSYSLOG_IDENTIFIER=ucarp\n\
             VIRTUAL_HOST=web\nVHID=7\nINTERFACE=eth0\nSTATE=MASTER\nFORMER_STATE=BACKUP\nCAUSE=master-said-goodbye\n\
             REASON=10.0.0.2 said goodbye\n"
        );
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), expected);
    }

    #[test]
    fn a_value_of_two_lines_forges_no_field() {
        let entry = entry(&Change { reason: "x\nSTATE=FAULT", ..CHANGE });
        let at = entry.windows(8).position(|octets| octets == b"\nREASON\n").unwrap() + 8;
        assert_eq!(entry[at..], *b"\x0d\0\0\0\0\0\0\0x\nSTATE=FAULT\n");
    }

    #[test]
    fn the_catalog_explains_the_entry() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/ucarp.catalog");
        let catalog = std::fs::read_to_string(path).unwrap();
        assert!(catalog.starts_with(&format!("-- {MESSAGE_ID}\n")), "{catalog}");
        let entry = String::from_utf8(entry(&CHANGE)).unwrap();
        for name in catalog.split('@').skip(1).step_by(2) {
            assert!(entry.contains(&format!("\n{name}=")), "{name} is no field");
        }
    }
}
