//! What Linux can be asked for when the machine is busy, and FreeBSD cannot in this way.

use std::io;
use std::time::Duration;

/// The real-time priorities of Linux, from the lowest to the highest.
pub const REALTIME_PRIORITIES: (u8, u8) = (1, 99);

/// Not here: `rtprio(1)` starts the daemon so.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`].
pub fn be_realtime(_priority: u8) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not here yet.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`].
pub fn lock_memory() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not here: `kern.timecounter.alloweddeviation` is one for all.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`].
pub fn set_timer_slack(_slack: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
