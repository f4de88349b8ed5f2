//! Room for what is sent.

use core::fmt;
use core::ops::Deref;

/// The longest that is sent is an advertisement over IPv6.
const CAPACITY: usize = super::LEN_V6;

/// A frame or packet to send, without memory of its own elsewhere: sending allocates nothing.
#[derive(Clone, Copy)]
pub struct Frame {
    length: u8,
    octets: [u8; CAPACITY],
}

impl Frame {
    /// These octets, one part after the other.
    ///
    /// # Panics
    /// If they are more than an advertisement over IPv6 has.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut octets = [0; CAPACITY];
        let mut length = 0;
        for part in parts {
            octets[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        Self { length: u8::try_from(length).expect("the capacity is less than 256"), octets }
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets[..self.length.into()]
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Frame {}
