//! Passwords of the command line: what they are and where in the arguments they stand.

use std::fmt;

use zeroize::Zeroizing;

/// Octets of the longest password that every implementation takes unchanged. UCARP 1.5.2 refuses 20 and more; the
/// `ifconfig` of the BSDs uses the first 19.
pub const LONGEST_PASSWORD: usize = 19;

/// The shared secret; wiped from memory when it is dropped.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    pub(super) fn new(octets: Zeroizing<Vec<u8>>) -> Self {
        Self(octets)
    }

    /// The octets as they key the HMAC: 1 to [`LONGEST_PASSWORD`] of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Shows nothing, so that no log can.
impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Where a password stands in the process's arguments, for overwriting it there.
///
/// The secret reaches from `offset` to the end of the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretArgument {
    /// Which argument; 0 is the program name.
    pub index: usize,
    /// The first octet of the secret within it; equal to the argument's length if the secret is empty.
    pub offset: usize,
}
