//! Processes: the scripts the daemon runs, and the daemon itself, in the background and split in two.

mod daemon;
mod fork;
mod job;
mod script;
#[cfg_attr(target_os = "freebsd", path = "process/freebsd.rs")]
#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
mod system;
mod tally;
#[cfg_attr(target_os = "freebsd", path = "process/tuning/freebsd.rs")]
mod tuning;

pub use rustix::process::Signal;

pub use daemon::{Readiness, daemonize};
pub(crate) use fork::require_one_thread;
pub use fork::{Child, close_all_but, fork_child};
pub use job::{Job, become_program};
pub use script::{Exit, Script};
pub use system::is_running;
pub use tally::Tally;
pub use tuning::{REALTIME_PRIORITIES, be_realtime, lock_memory, set_timer_slack};

#[cfg(test)]
pub(crate) mod tests;
