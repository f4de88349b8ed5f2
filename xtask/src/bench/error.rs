//! Why there are no figures.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{word:?} is not understood: {remedy}")]
    Usage { word: String, remedy: &'static str },
    #[error("there is no {0}: as root, run `apt-get install {0}`")]
    Missing(&'static str),
    #[error("{0} cannot be built")]
    Build(&'static str),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error(transparent)]
    Lab(#[from] netlab::Error),
    #[error("`{command}` failed, or says nothing that is understood: {output}")]
    Command { command: String, output: String },
    #[error("{interface} of {host} has no carrier")]
    Carrier { interface: String, host: &'static str },
    #[error("{0} frames are missing in the record: the machine was too busy")]
    Lost(u64),
    #[error("{who}: {what} did not happen within {within:?}; its last lines were:\n{output}")]
    Late { who: String, what: String, within: Duration, output: String },
    #[error("{who}: in {tries} groups the peer took over before anything happened: the machine is too busy")]
    Unsettled { who: String, tries: usize },
    #[error("{path} is no record of figures: {source}; remove it, and measure again")]
    Record { path: PathBuf, source: serde_json::Error },
    #[error("{path} has figures of {theirs}, not of {ours}: leave --add out")]
    OtherRecord { path: PathBuf, theirs: String, ours: String },
    #[error("{path} has no line `<!-- end {name} -->` after `<!-- begin {name} -->`")]
    Marker { path: PathBuf, name: String },
}

/// An error of the system in what was being done.
pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io { what, source }
}
