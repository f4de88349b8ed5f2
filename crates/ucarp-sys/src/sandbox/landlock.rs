//! Landlock: nothing outside can be named any more, be it a file, a TCP port, a process to signal or a socket.
//!
//! What is open stays usable, so a log socket that is connected goes on working.

use ::landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError, Scope,
};

use super::Report;

/// The newest version whose restrictions are asked for; an older kernel gives what it has.
const NEWEST: ABI = ABI::V9;

/// What a kernel must have for what is asked of it.
const FEATURES: [(ABI, &str); 5] = [
    (ABI::V3, "truncation of files"),
    (ABI::V4, "TCP ports"),
    (ABI::V5, "control of devices"),
    (ABI::V6, "signals and abstract sockets"),
    (ABI::V9, "sockets in the file system"),
];

/// Forbids everything, as far as this kernel can.
pub(super) fn restrict(report: &mut Report) {
    match forbid_all() {
        Ok(RestrictionStatus { landlock: LandlockStatus::Available { effective_abi, .. }, .. }) => {
            report.holds(format!("Landlock {effective_abi}"));
            let lacking = FEATURES.iter().filter(|(since, _)| effective_abi < *since);
            lacking.for_each(|(since, what)| report.lacks(format!("Landlock for {what} (since version {since})")));
        }
        Ok(RestrictionStatus { landlock: LandlockStatus::NotEnabled, .. }) => {
            report.lacks("Landlock (not enabled in this kernel)");
        }
        Ok(_) => report.lacks("Landlock (the kernel has none)"),
        // Such as that 16 are nested already. It is one layer of several.
        Err(error) => report.lacks(format!("Landlock ({error})")),
    }
}

/// A set of rules that handles everything and allows nothing.
fn forbid_all() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}
