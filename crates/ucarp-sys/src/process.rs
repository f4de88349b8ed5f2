//! Processes: the scripts the daemon runs, and the daemon itself in the background.

mod daemon;
mod script;

pub use daemon::{Readiness, daemonize};
pub use script::{Exit, Script};

#[cfg(test)]
pub(crate) mod tests;
