//! Tells the service manager how the daemon is: the protocol of `sd_notify(3)`, which systemd and others understand.
//!
//! A service manager that does not read must not hold up the renewal of an address: messages that it does not take at once
//! are lost.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use carp_core::time::Instant;
use log::{debug, warn};
use ucarp_sys::clock;

/// How often the watchdog is fed within its time.
const FEEDINGS: u32 = 4;

/// What has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Everything is set up.
    Ready,
    /// The configuration is being read again; [`Stage::Ready`] follows.
    Reloading,
    /// Told to end.
    Stopping,
}

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Service {
    socket: Option<UnixDatagram>,
    /// The time after which a daemon that says nothing counts as dead.
    watchdog: Option<Duration>,
    last_fed: Option<Instant>,
    status: String,
}

impl Service {
    /// The service manager that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(address) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        match connect(&address) {
            Ok(socket) => Self { socket: Some(socket), watchdog: watchdog(), ..Self::default() },
            Err(error) => {
                warn!("Unable to reach the service manager at {}: {error}", address.display());
                Self::default()
            }
        }
    }

    /// Tells of a new stage.
    pub fn stage(&self, stage: Stage) {
        match stage {
            Stage::Ready => self.tell("READY=1"),
            Stage::Reloading => self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic() / 1000)),
            Stage::Stopping => self.tell("STOPPING=1"),
        }
    }

    /// Whether there is anybody to tell.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// Tells how many virtual hosts there are in which state, if that has changed.
    pub fn status(&mut self, masters: usize, others: usize) {
        let mut status = format!("MASTER of {masters}, BACKUP of {others} virtual host");
        let _ = write!(status, "{}", if others == 1 { "" } else { "s" });
        if status != self.status {
            self.tell(&format!("STATUS={status}"));
            self.status = status;
        }
    }

    /// The loop that advertises has turned: the watchdog is fed if it is time to.
    pub fn alive(&mut self, now: Instant) {
        let Some(watchdog) = self.watchdog else { return };
        if self.last_fed.is_none_or(|last| now - last >= watchdog / FEEDINGS) {
            self.last_fed = Some(now);
            self.tell("WATCHDOG=1");
        }
    }

    /// How often [`Service::alive`] has to be called.
    #[must_use]
    pub fn feeding(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / FEEDINGS)
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            debug!("The service manager did not take {message:?}: {error}");
        }
    }
}

fn connect(address: &OsString) -> io::Result<UnixDatagram> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => abstract_address(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// The address of a socket that has a name and no file.
#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

/// Only Linux has sockets without a file.
#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no sockets without a file"))
}

/// The time of the watchdog, unless it waits for another process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours).map(Duration::from_micros)
}
