//! What can go wrong in a laboratory.

use std::io;

use ucarp_sys::netlink::NetlinkError;

/// Why the laboratory could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is used for an interface too.
    #[error("{name:?} is no host name: it needs 1 to 15 letters, digits, '-' or '_', and must be new in this lab")]
    Name {
        /// The name that was given.
        name: String,
    },
    /// The kernel refused a change of the network.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {within:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        within: std::time::Duration,
    },
    /// A host was used after its lab.
    #[error("host {name} belongs to a lab that is gone")]
    Gone {
        /// The host.
        name: String,
    },
}

/// What most functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// For `map_err`: the system's error with what was being done.
pub(crate) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    let what = what.into();
    move |source| Error::System { what, source: source.into() }
}
