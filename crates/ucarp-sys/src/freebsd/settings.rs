//! Settings that an interface with the virtual MAC and its parent need: none, as there is none.

use std::convert::Infallible;

/// A setting that an interface needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// What to set.
    pub value: &'static str,
}

/// Sets nothing.
///
/// # Errors
/// None.
pub fn apply(_: &str, _: &str) -> Result<(), Infallible> {
    Ok(())
}

/// Changes nothing.
///
/// # Errors
/// None.
pub fn apply_to_parent(_: &str) -> Result<Vec<(Setting, String)>, Infallible> {
    Ok(Vec::new())
}

/// Has nothing to put back.
///
/// # Errors
/// None.
pub fn restore(_: &str, _: &[(Setting, String)]) -> Result<(), Infallible> {
    Ok(())
}
