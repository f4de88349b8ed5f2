//! Authentication: the shared key and the digest of every advertisement.
//!
//! ```text
//! digest = HMAC-SHA1(key, 2 | 1 | [lladdr, OpenBSD only] | vhid | IPv4 addresses | IPv6 addresses | counter)
//! ```
//!
//! 2 and 1 are constants (version and type), not copied from the packet. Addresses are ascending and without
//! duplicates; IPv4 and IPv6 advertisements of one virtual host cover the addresses of both families. Nothing else is
//! authenticated: not advbase, advskew or demotion, not the source address, and no counter is ever too old. What makes
//! up for that among nodes of this implementation is the [`stamp`] that they put into the counter.

pub mod difference;
mod keyed;
pub mod stamp;

use alloc::collections::BTreeSet;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zeroize::Zeroizing;

use keyed::Keyed;
use stamp::Sealer;

use crate::wire::MacAddr;
use crate::wire::advertisement::{DIGEST_LEN, KIND, VERSION};

/// Length in bytes of a key.
pub const KEY_LEN: usize = 20;

/// The longest password in bytes: UCARP refuses longer ones and the BSD `ifconfig` programs silently cut them.
pub const MAX_PASSWORD_LEN: usize = KEY_LEN - 1;

/// Why a password makes no key. The password itself is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// UCARP refuses an empty password, and so do we.
    #[error("the password is empty: use 1 to {MAX_PASSWORD_LEN} bytes")]
    Empty,
    /// Longer than [`MAX_PASSWORD_LEN`].
    #[error(
        "the password has {0} bytes, more than the {MAX_PASSWORD_LEN} that every implementation takes: shorten it \
         (ifconfig on BSD uses the first {MAX_PASSWORD_LEN})"
    )]
    TooLong(usize),
    /// Contains a NUL byte, which ends the password for every other implementation.
    #[error("the password has a NUL byte at position {0}: remove it")]
    ContainsNul(usize),
}

/// The key of a virtual host, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; KEY_LEN]>);

impl Key {
    /// The key of a password: its bytes, padded with zeros.
    ///
    /// # Errors
    /// Any [`KeyError`]; what is accepted means the same to UCARP and to the BSD kernels.
    pub fn from_password(password: &[u8]) -> Result<Self, KeyError> {
        if password.is_empty() {
            return Err(KeyError::Empty);
        }
        if password.len() > MAX_PASSWORD_LEN {
            return Err(KeyError::TooLong(password.len()));
        }
        if let Some(position) = password.iter().position(|byte| *byte == 0) {
            return Err(KeyError::ContainsNul(position));
        }
        let mut key = Zeroizing::new([0; KEY_LEN]);
        key[..password.len()].copy_from_slice(password);
        Ok(Self(key))
    }

    /// A key as a kernel holds it. For peers whose key no password gives: set through an ioctl or netlink, or with
    /// bytes left over from a longer password that `ifconfig` has changed in place.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// What [`Key::from_bytes`] makes this key of.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// The virtual addresses of a virtual host in the order in which they are authenticated: IPv4, then IPv6, each
/// ascending as numbers, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressList {
    v4: BTreeSet<Ipv4Addr>,
    v6: BTreeSet<Ipv6Addr>,
}

impl AddressList {
    /// Takes addresses in any order.
    ///
    /// As in the kernels, the scope that BSD keeps in bytes 2 and 3 of a link-local address is cleared, and addresses
    /// of zeros or ones alone (0.0.0.0, `::`, 255.255.255.255 and its IPv6 sibling) are left out.
    #[must_use]
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut list = Self { v4: BTreeSet::new(), v6: BTreeSet::new() };
        for address in addresses {
            match address {
                IpAddr::V4(address) if address.is_unspecified() || address.is_broadcast() => {}
                IpAddr::V6(address) if address.is_unspecified() || address.to_bits() == u128::MAX => {}
                IpAddr::V4(address) => _ = list.v4.insert(address),
                IpAddr::V6(address) => _ = list.v6.insert(without_scope(address)),
            }
        }
        list
    }

    /// The IPv4 addresses, ascending.
    pub fn v4(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.v4.iter().copied()
    }

    /// The IPv6 addresses, ascending.
    pub fn v6(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.v6.iter().copied()
    }

    /// Whether there are IPv4 addresses.
    #[must_use]
    pub fn has_v4(&self) -> bool {
        !self.v4.is_empty()
    }

    /// Whether there are IPv6 addresses.
    #[must_use]
    pub fn has_v6(&self) -> bool {
        !self.v6.is_empty()
    }

    /// Whether an address is in the list.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(&address),
            IpAddr::V6(address) => self.v6.contains(&without_scope(address)),
        }
    }

    /// The list without IPv6 link-local addresses. OpenBSD sends digests over this one and accepts either; FreeBSD and
    /// NetBSD know only the whole list.
    #[must_use]
    pub fn without_link_local(&self) -> Self {
        let v6 = self.v6.iter().filter(|address| !address.is_unicast_link_local()).copied().collect();
        Self { v4: self.v4.clone(), v6 }
    }
}

fn without_scope(address: Ipv6Addr) -> Ipv6Addr {
    let mut octets = address.octets();
    if address.is_unicast_link_local() {
        octets[2..4].fill(0);
    }
    octets.into()
}

/// Signs and verifies the advertisements of one virtual host. The part of the HMAC before the counter is computed once.
#[derive(Clone)]
pub struct Authenticator {
    prefix: Keyed,
    sealer: Sealer,
}

impl Authenticator {
    /// The form that all implementations share.
    #[must_use]
    pub fn new(key: &Key, vhid: u8, addresses: &AddressList) -> Self {
        Self::build(key, &[], vhid, addresses)
    }

    /// The form of OpenBSD when the administrator has set the Ethernet address of the carp interface.
    #[must_use]
    pub fn with_lladdr(key: &Key, vhid: u8, addresses: &AddressList, lladdr: MacAddr) -> Self {
        Self::build(key, &lladdr.0, vhid, addresses)
    }

    fn build(key: &Key, lladdr: &[u8], vhid: u8, addresses: &AddressList) -> Self {
        let mut prefix = Keyed::new(&key.0);
        prefix.begin_with(&[VERSION, KIND]);
        prefix.begin_with(lladdr);
        prefix.begin_with(&[vhid]);
        for address in &addresses.v4 {
            prefix.begin_with(&address.octets());
        }
        for address in &addresses.v6 {
            prefix.begin_with(&address.octets());
        }
        Self { prefix, sealer: Sealer::new(key) }
    }

    /// What makes and checks the stamps that go with these digests.
    #[must_use]
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The digest of an advertisement with this counter.
    #[must_use]
    pub fn sign(&self, counter: u64) -> [u8; DIGEST_LEN] {
        self.prefix.finish(&counter.to_be_bytes())
    }

    /// Is `digest` that of an advertisement with this counter? Takes the same time for every wrong digest.
    #[must_use]
    pub fn verify(&self, counter: u64, digest: &[u8; DIGEST_LEN]) -> bool {
        keyed::equal(&self.sign(counter), digest)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator(***)")
    }
}

#[cfg(test)]
mod tests;
