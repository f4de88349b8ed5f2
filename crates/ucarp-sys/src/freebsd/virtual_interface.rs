//! Interfaces with the virtual MAC address, which FreeBSD does not have for daemons: whoever asks for one gets a clear
//! error. Its own CARP keeps the virtual MAC inside the kernel.

#[path = "settings.rs"]
pub mod settings;

use crate::kernel::{Connection, Failure, KernelError};
use crate::link::Link;

/// Whether this system has such interfaces.
pub const SUPPORTED: bool = false;

/// An interface to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualInterface {
    /// Its name.
    pub name: String,
    /// The index of the interface whose wire it uses.
    pub parent: u32,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// What it is for.
    pub note: String,
}

/// An interface that exists: none does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The interface.
    pub link: Link,
    /// The index of the interface whose wire it uses.
    pub parent: Option<u32>,
    /// It was made by this daemon.
    pub is_ours: bool,
}

/// Makes none.
///
/// # Errors
/// Always.
pub fn create(_: &mut Connection, interfaces: &[VirtualInterface]) -> Vec<Result<u32, Failure>> {
    let refuse = |interface: &VirtualInterface| {
        let what = format!("creating interface {} with the virtual MAC", interface.name);
        Err(Failure {
            what,
            source: KernelError::Unsupported("interfaces with the virtual MAC: use mac = \"interface\""),
        })
    };
    interfaces.iter().map(refuse).collect()
}

/// Sets none up, as none was made.
pub fn set_up(_: &mut Connection, interfaces: &[u32], _: bool) -> Vec<Result<(), Failure>> {
    interfaces.iter().map(|_| Ok(())).collect()
}

/// Removes none, as none was made.
pub fn remove(_: &mut Connection, interfaces: &[u32]) -> Vec<Result<(), Failure>> {
    interfaces.iter().map(|_| Ok(())).collect()
}

/// Finds none.
///
/// # Errors
/// None.
pub fn find(_: &mut Connection, _: &str) -> Result<Option<Found>, KernelError> {
    Ok(None)
}

/// Finds none.
///
/// # Errors
/// None.
pub fn ours(_: &mut Connection) -> Result<Vec<Found>, KernelError> {
    Ok(Vec::new())
}
