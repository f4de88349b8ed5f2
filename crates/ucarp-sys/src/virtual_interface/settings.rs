//! The ARP, reverse-path and router settings of an interface with the virtual MAC and of its parent.
//!
//! Measured with a host, its macvlan and a client on Linux 6.18 (the tests do it again): both interfaces hear a broadcast
//! ARP request. By default both answer for both addresses, so the client learns the parent's MAC for the virtual address
//! and the virtual MAC for the host's own. Settings of the macvlan alone cannot change the parent's half of that: the
//! kernel asks only those of the interface that it answers on (and those of `all`, of which the higher value counts).
//! So the parent needs two settings as well. They do no harm to a host that has its addresses on the interfaces where
//! they are used; one that answers ARP for an address of another interface, such as `lo`, stops doing so.

use crate::sysctl::{self, Family, SysctlError};

/// A setting that an interface needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which of the two families.
    pub family: Family,
    /// Its name.
    pub key: &'static str,
    /// What to set.
    pub value: &'static str,
    /// Which effective values are as good.
    accepted: &'static [&'static str],
    /// Whether the higher one of the interface's value and that of `all` counts.
    all_counts: bool,
}

const fn setting(
    family: Family,
    key: &'static str,
    value: &'static str,
    accepted: &'static [&'static str],
    all_counts: bool,
) -> Setting {
    Setting { family, key, value, accepted, all_counts }
}

/// Answer only for addresses of the interface that was asked on. 3 would answer for others, 8 answers for none.
const ARP_IGNORE: Setting = setting(Family::Ipv4, "arp_ignore", "1", &["1", "2"], true);
/// Never ask with an address of another interface as sender. 1 would, inside the same network.
const ARP_ANNOUNCE: Setting = setting(Family::Ipv4, "arp_announce", "2", &["2"], true);

/// What the interface with the virtual MAC needs.
///
/// * `arp_ignore` 1: it must not answer for the host's own addresses with the virtual MAC.
/// * `arp_announce` 2: it must not ask in their name.
/// * `rp_filter` 2: clients' packets come in here, while the route back to them is the parent's. A strict filter drops
///   them, their ARP requests included; 0 does not help where `all` is 1, as the higher value counts.
/// * `accept_ra` and `autoconf` 0: no addresses made of the virtual MAC, and no second default route.
pub const OWN: [Setting; 5] = [
    ARP_IGNORE,
    ARP_ANNOUNCE,
    setting(Family::Ipv4, "rp_filter", "2", &["0", "2"], true),
    setting(Family::Ipv6, "accept_ra", "0", &["0"], false),
    setting(Family::Ipv6, "autoconf", "0", &["0"], false),
];

/// What the parent needs.
///
/// * `arp_ignore` 1: it must not answer for the virtual address with its own MAC.
/// * `arp_announce` 2: when this host sends from the virtual address, the route is the parent's; it must not ask for the
///   receiver's MAC in the name of the virtual address, as that tells everybody that the address has the parent's MAC.
pub const PARENT: [Setting; 2] = [ARP_IGNORE, ARP_ANNOUNCE];

/// What an interface with the virtual MAC takes over from its parent: whether it forwards. A client's packets to a router
/// come in on the one and have to be treated as on the other.
const INHERITED: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Gives the interface with the virtual MAC its settings: [`OWN`], and its parent's `forwarding`. The parent stays as it
/// is: see [`unmet`].
///
/// # Errors
/// A setting cannot be read or written. Those of IPv6 are left out where the kernel runs without it.
pub fn apply(interface: &str, parent: &str) -> Result<(), SysctlError> {
    for setting in &OWN {
        if knows(setting.family) {
            sysctl::write(setting.family, interface, setting.key, setting.value)?;
        }
    }
    for family in INHERITED.into_iter().filter(|family| knows(*family)) {
        let forwards = sysctl::read(family, parent, "forwarding")?;
        sysctl::write(family, interface, "forwarding", &forwards)?;
    }
    Ok(())
}

/// Gives the parent what it needs and does not have: [`PARENT`]. Returns what was changed, with the value it had, so that
/// it can be logged and put back.
///
/// # Errors
/// A setting cannot be read or written.
pub fn apply_to_parent(parent: &str) -> Result<Vec<(Setting, String)>, SysctlError> {
    let mut changed = Vec::new();
    for setting in unmet(parent, &PARENT)? {
        let before = sysctl::read(setting.family, parent, setting.key)?;
        sysctl::write(setting.family, parent, setting.key, setting.value)?;
        changed.push((setting, before));
    }
    Ok(changed)
}

/// Puts back what [`apply_to_parent`] has changed.
///
/// # Errors
/// A setting cannot be written; the rest are put back all the same.
pub fn restore(parent: &str, changed: &[(Setting, String)]) -> Result<(), SysctlError> {
    let mut outcome = Ok(());
    for (setting, before) in changed {
        outcome = sysctl::write(setting.family, parent, setting.key, before).and(outcome);
    }
    outcome
}

/// Which of these settings an interface does not have, counting what `all` says.
///
/// # Errors
/// A setting cannot be read. Those of IPv6 are left out where the kernel runs without it.
pub fn unmet(interface: &str, settings: &[Setting]) -> Result<Vec<Setting>, SysctlError> {
    let mut unmet = Vec::new();
    for setting in settings.iter().filter(|setting| knows(setting.family)) {
        let mut effective = sysctl::read(setting.family, interface, setting.key)?;
        if setting.all_counts {
            // All of them are one digit.
            effective = effective.max(sysctl::read(setting.family, "all", setting.key)?);
        }
        if !setting.accepted.contains(&effective.as_str()) {
            unmet.push(*setting);
        }
    }
    Ok(unmet)
}

/// Whether the kernel has settings of this family. Without IPv6 there are none, and no IPv6 packets either.
fn knows(family: Family) -> bool {
    family == Family::Ipv4 || sysctl::read(family, "all", "forwarding").is_ok()
}

#[cfg(test)]
mod tests;
