//! The Internet checksum (RFC 1071) and the IPv6 pseudo header (RFC 8200 8.1).

use core::net::Ipv6Addr;

/// Length in bytes of the IPv6 pseudo header.
pub const PSEUDO_HEADER_LEN: usize = 40;

/// The ones' complement of the ones' complement sum of all `parts`, taken one after the other.
///
/// Over bytes whose checksum field is zero it is the value to store, big endian; over bytes that hold their right
/// checksum it is 0. Every part except the last must have an even length.
#[must_use]
pub fn of(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        let (words, last) = part.as_chunks::<2>();
        sum += words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        // RFC 1071 4.1: an odd last byte counts as if a zero byte followed.
        sum += last.iter().map(|byte| u64::from(*byte) << 8).sum::<u64>();
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("the sum was folded to 16 bits")
}

/// What an upper-layer checksum over IPv6 covers besides the payload: the addresses, the length of the payload in
/// bytes and the number of its protocol.
#[must_use]
pub fn pseudo_header(src: Ipv6Addr, dst: Ipv6Addr, payload_len: u32, next_header: u8) -> [u8; PSEUDO_HEADER_LEN] {
    let mut out = [0; PSEUDO_HEADER_LEN];
    out[0..16].copy_from_slice(&src.octets());
    out[16..32].copy_from_slice(&dst.octets());
    out[32..36].copy_from_slice(&payload_len.to_be_bytes());
    out[39] = next_header;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 section 3: the sum is ddf2.
    const RFC1071: [u8; 8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

    #[test]
    fn example_of_rfc_1071() {
        assert_eq!(of(&[&RFC1071]), !0xddf2);
    }

    #[test]
    fn parts_are_summed_as_one_string_of_bytes() {
        assert_eq!(of(&[&RFC1071[..2], &RFC1071[2..6], &[], &RFC1071[6..]]), !0xddf2);
    }

    #[test]
    fn odd_last_byte_is_the_high_half_of_a_word() {
        assert_eq!(of(&[&[0x12, 0x34, 0x56]]), !0x6834);
        assert_eq!(of(&[&[]]), 0xffff);
    }

    #[test]
    fn right_checksum_gives_zero() {
        assert_eq!(of(&[&RFC1071, &(!0xddf2u16).to_be_bytes()]), 0);
        assert_ne!(of(&[&RFC1071, &(!0xddf3u16).to_be_bytes()]), 0);
    }

    #[test]
    fn many_carries_are_folded() {
        assert_eq!(of(&[&[0xff; 65534]]), 0);
        assert_eq!(of(&[&[0xff; 65534], &[0, 1]]), !1);
    }

    #[test]
    fn pseudo_header_layout() {
        let src = "fe80::1".parse().unwrap();
        let dst = "ff02::12".parse().unwrap();
        let mut expected = [0; PSEUDO_HEADER_LEN];
        (expected[0], expected[1], expected[15]) = (0xfe, 0x80, 1);
        (expected[16], expected[17], expected[31]) = (0xff, 0x02, 0x12);
        (expected[34], expected[35], expected[39]) = (0x01, 0x02, 112);
        assert_eq!(pseudo_header(src, dst, 0x102, 112), expected);
    }
}
