//! HMAC-SHA1 (RFC 2104) of many messages that begin alike, with as little work for each as there can be.
//!
//! What the key and the beginning of the message make of the two hashes is kept, so that a message costs one block of the
//! inner hash and one of the outer. The crate `hmac` does that, too, but copies a hasher with a buffer for each message,
//! and wipes it afterwards, although nothing in it is secret. The tests compare the two.

use sha1::block_api::compress;
use zeroize::{Zeroize, Zeroizing};

/// Length in octets of what is computed.
pub(super) const LEN: usize = 20;

/// SHA-1 hashes blocks of so many octets.
const BLOCK: usize = 64;

/// What follows a message: a mark, zeros, and its length in bits.
const MARK: u8 = 0x80;
const BITS: usize = 8;

/// The most octets that may follow the beginning of a message: with it, mark and length they fill two blocks.
const LONGEST_REST: usize = 2 * BLOCK - 1 - BITS - (BLOCK - 1);

/// The state that SHA-1 begins with (FIPS 180-4 5.3.1).
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A key and the beginning of messages. Wiped from memory when dropped.
#[derive(Clone)]
pub(super) struct Keyed {
    /// The inner hash after the key and all whole blocks of the beginning.
    inner: [u32; 5],
    /// The outer hash after the key.
    outer: [u32; 5],
    /// Octets that were hashed, or wait in `rest`, since the key.
    length: usize,
    /// What of the beginning fills no block.
    rest: [u8; BLOCK],
}

impl Keyed {
    /// With this key, of at most a block, and nothing yet of a message.
    pub(super) fn new<const N: usize>(key: &[u8; N]) -> Self {
        const { assert!(N <= BLOCK, "a longer key would have to be hashed") };
        let after = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK]);
            block.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
            let mut state = INITIAL;
            compress(&mut state, core::slice::from_ref(&*block));
            state
        };
        Self { inner: after(0x36), outer: after(0x5c), length: 0, rest: [0; BLOCK] }
    }

    /// All messages go on with these octets.
    pub(super) fn begin_with(&mut self, octets: &[u8]) {
        for octet in octets {
            self.rest[self.length % BLOCK] = *octet;
            self.length += 1;
            if self.length.is_multiple_of(BLOCK) {
                compress(&mut self.inner, core::slice::from_ref(&self.rest));
            }
        }
    }

    /// The HMAC of the message that ends with `rest`, which has at most [`LONGEST_REST`] octets.
    pub(super) fn finish(&self, rest: &[u8]) -> [u8; LEN] {
        assert!(rest.len() <= LONGEST_REST, "ends of messages are short");
        let waiting = self.length % BLOCK;
        let mut blocks = [[0; BLOCK]; 2];
        blocks[0][..waiting].copy_from_slice(&self.rest[..waiting]);
        blocks.as_flattened_mut()[waiting..waiting + rest.len()].copy_from_slice(rest);
        let inner = finish(self.inner, &mut blocks, waiting + rest.len(), self.length + rest.len());
        let mut blocks = [[0; BLOCK]; 2];
        blocks[0][..LEN].copy_from_slice(&inner);
        finish(self.outer, &mut blocks, LEN, LEN)
    }
}

impl Drop for Keyed {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Ends a hash whose last `waiting` octets are in `blocks`, of a message of `length` octets behind a block with the key.
fn finish(mut state: [u32; 5], blocks: &mut [[u8; BLOCK]; 2], waiting: usize, length: usize) -> [u8; LEN] {
    let needed = if waiting + 1 + BITS <= BLOCK { BLOCK } else { 2 * BLOCK };
    let octets = blocks.as_flattened_mut();
    octets[waiting] = MARK;
    let bits = u64::try_from(BLOCK + length).expect("usize has at most 64 bits") * 8;
    octets[needed - BITS..needed].copy_from_slice(&bits.to_be_bytes());
    compress(&mut state, &blocks[..needed / BLOCK]);
    let mut digest = [0; LEN];
    digest.as_chunks_mut().0.iter_mut().zip(state).for_each(|(octets, word)| *octets = word.to_be_bytes());
    digest
}

/// Whether two digests are equal, in a time that does not tell where they differ.
pub(super) fn equal(one: &[u8; LEN], other: &[u8; LEN]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b));
    // The compiler must not find out that it could stop at the first difference.
    core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha1::Sha1;

    use super::*;

    fn hmac(key: &[u8], message: &[u8]) -> [u8; LEN] {
        let mac = Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(message);
        mac.finalize().into_bytes().into()
    }

    /// RFC 2202 3, test case 1.
    #[test]
    fn vector_of_rfc_2202() {
        let expected = [
            0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72, 0x64, 0xe2, 0x8b, 0xc0, 0xb6, 0xfb, 0x37, 0x8c, 0x8e, 0xf1, 0x46,
            0xbe, 0x00,
        ];
        assert_eq!(Keyed::new(&[0x0b; 20]).finish(b"Hi There"), expected);
    }

    proptest! {
        #[test]
        fn is_the_hmac_of_the_crate_hmac(
            key: [u8; 20],
            beginning in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 0_usize..300,
            rest in proptest::collection::vec(any::<u8>(), 0..=LONGEST_REST),
        ) {
            let mut keyed = Keyed::new(&key);
            let (first, second) = beginning.split_at(cut.min(beginning.len()));
            keyed.begin_with(first);
            keyed.begin_with(second);
            prop_assert_eq!(keyed.finish(&rest), hmac(&key, &[&beginning[..], &rest].concat()));
            prop_assert_eq!(keyed.finish(&rest), hmac(&key, &[beginning, rest].concat()), "nothing is left behind");
        }

        #[test]
        fn only_equal_digests_are_equal(digest: [u8; LEN], bit in 0..LEN * 8) {
            let mut other = digest;
            prop_assert!(equal(&digest, &other));
            other[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!equal(&digest, &other));
        }
    }
}
