//! Forged advertisements, made from a real one.

use std::fmt;
use std::ops::Range;

const ETHERNET: usize = 14;
const SOURCE_MAC: Range<usize> = 6..12;
const IP_HEADER: Range<usize> = 14..34;
const IP_LENGTH: Range<usize> = 16..18;
const TTL: usize = 22;
const IP_CHECKSUM: Range<usize> = 24..26;
const SOURCE: Range<usize> = 26..30;
const VHID: usize = 35;
const CHECKSUM: Range<usize> = 40..42;
const COUNTER_AND_DIGEST: Range<usize> = 42..70;
const END: usize = 70;

/// One who is no peer, and 02:00:00:00:00:66.
const STRANGER: [u8; 4] = [10, 0, 0, 66];
const STRANGER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x66];

/// Frames of a kind differ in this many ways.
const VARIANTS: u64 = 4096;

/// What is forged. The real one is an IPv4 advertisement of UCARP's format without IP options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forgery {
    /// From one stranger, with a digest that does not fit.
    BadDigest,
    /// The same, each from another address.
    ManySources,
    /// The same, with the addresses of the real sender.
    SpoofedPeer,
    /// From one stranger, with a TTL of 64.
    BadTtl,
    /// From one stranger, of another virtual host.
    OtherVhid,
    /// VRRP version 2 of the same number, with the highest priority and one address.
    Vrrp,
    /// The real one, cut short.
    Truncated,
    /// The real one, whole, again and again.
    Replayed,
}

impl Forgery {
    /// All kinds.
    pub const ALL: [Forgery; 8] = [
        Forgery::BadDigest,
        Forgery::ManySources,
        Forgery::SpoofedPeer,
        Forgery::BadTtl,
        Forgery::OtherVhid,
        Forgery::Vrrp,
        Forgery::Truncated,
        Forgery::Replayed,
    ];

    /// Frames of this kind, to be sent in turn; the same ones each time.
    ///
    /// # Panics
    /// If `real` is shorter than such an advertisement.
    #[must_use]
    pub fn frames(self, real: &[u8]) -> Vec<Vec<u8>> {
        assert!(real.len() >= END, "{} octets are no advertisement", real.len());
        if self == Forgery::Replayed {
            return vec![real.to_vec()];
        }
        (0..VARIANTS).map(|number| self.frame(&real[..END], number)).collect()
    }

    fn frame(self, real: &[u8], number: u64) -> Vec<u8> {
        let mut frame = real.to_vec();
        if !matches!(self, Forgery::SpoofedPeer | Forgery::Truncated) {
            frame[SOURCE_MAC].copy_from_slice(&STRANGER_MAC);
            frame[SOURCE].copy_from_slice(&STRANGER);
        }
        match self {
            Forgery::BadDigest | Forgery::SpoofedPeer => scramble(&mut frame[COUNTER_AND_DIGEST], number),
            Forgery::ManySources => {
                scramble(&mut frame[COUNTER_AND_DIGEST], number);
                // Network 10, where the hosts of a laboratory are.
                scramble(&mut frame[SOURCE.start + 1..SOURCE.end], number);
                scramble(&mut frame[SOURCE_MAC.start + 1..SOURCE_MAC.end], number);
            }
            Forgery::BadTtl => {
                scramble(&mut frame[COUNTER_AND_DIGEST], number);
                frame[TTL] = 64;
            }
            Forgery::OtherVhid => {
                scramble(&mut frame[COUNTER_AND_DIGEST], number);
                frame[VHID] ^= 0x80;
            }
            Forgery::Vrrp => {
                frame.truncate(IP_HEADER.end);
                frame.extend([0x21, real[VHID], 255, 1, 0, 1, 0, 0, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            // Anywhere in the CARP header. The IP header says that there is more.
            Forgery::Truncated => {
                let left = number % u64::try_from(END - IP_HEADER.end).unwrap_or(1);
                frame.truncate(IP_HEADER.end + usize::try_from(left).unwrap_or(0));
                return frame;
            }
            Forgery::Replayed => return frame,
        }
        correct(&mut frame);
        frame
    }
}

impl fmt::Display for Forgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Forgery::BadDigest => "bad digest",
            Forgery::ManySources => "bad digest, many sources",
            Forgery::SpoofedPeer => "bad digest, source of the master",
            Forgery::BadTtl => "TTL 64",
            Forgery::OtherVhid => "other vhid",
            Forgery::Vrrp => "VRRP",
            Forgery::Truncated => "truncated",
            Forgery::Replayed => "replayed",
        })
    }
}

/// Fills octets with what looks like chance (the output function of SplitMix64).
fn scramble(octets: &mut [u8], seed: u64) {
    for (number, chunk) in (1..).zip(octets.chunks_mut(8)) {
        let mut word = (seed << 8 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(word ^ word >> 31).to_be_bytes()[..chunk.len()]);
    }
}

/// Makes length and checksums right.
fn correct(frame: &mut [u8]) {
    let length = u16::try_from(frame.len() - ETHERNET).expect("a frame is shorter");
    frame[IP_LENGTH].copy_from_slice(&length.to_be_bytes());
    frame[IP_CHECKSUM].fill(0);
    let sum = checksum(&frame[IP_HEADER]);
    frame[IP_CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    frame[CHECKSUM].fill(0);
    let sum = checksum(&frame[IP_HEADER.end..]);
    frame[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
}

/// The Internet checksum of an even number of octets (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let sum: u32 = octets.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("two folds leave 16 bits")
}

#[cfg(test)]
mod tests;
