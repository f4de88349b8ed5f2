//! Checksums, written a second time and in another way than in `carp-core`: they check its own, and mend frames whose
//! bytes the fuzzer has changed, so that what lies behind a checksum is reached.

/// An Ethernet header is this long.
const ETHERNET: usize = 14;
const IPV6_HEADER: usize = 40;
const CARP: usize = 36;
const CARP_PROTOCOL: u8 = 112;

/// Whether the Internet checksum (RFC 1071) in `bytes` is right: all words add up to zero, which has two forms.
#[must_use]
pub fn sums_up(bytes: &[u8]) -> bool {
    sum(bytes) == 0xffff
}

/// The ones' complement sum, with the carry of each addition added at once.
fn sum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum: u16, pair| {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}

/// Writes the right checksum into bytes `at` and `at` + 1, which are even, as if `before` stood before the bytes.
pub fn mend(before: &[u8], bytes: &mut [u8], at: usize) {
    bytes[at..at + 2].fill(0);
    let checksum = !sum(&[before, bytes].concat());
    bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// What an IPv6 checksum covers besides the `len` bytes of payload.
#[must_use]
pub fn pseudo_header(addresses: &[u8; 32], len: u8, protocol: u8) -> Vec<u8> {
    [addresses.as_slice(), &[0, 0, 0, len, 0, 0, 0, protocol]].concat()
}

/// Makes the checksums of a frame with an advertisement right, wherever there is room for one. Over IPv6 the last bit of
/// the source MAC decides between the two forms of the CARP checksum.
pub fn mend_frame(frame: &mut [u8]) {
    if frame.len() <= ETHERNET {
        return;
    }
    let netbsd = frame[11] & 1 == 1;
    let (ethernet, packet) = frame.split_at_mut(ETHERNET);
    match ethernet[12..] {
        [0x08, 0x00] => {
            let header = usize::from(packet[0] & 0x0f) * 4;
            if let Some(header) = packet.get_mut(..header).filter(|header| header.len() >= 20) {
                mend(&[], header, 10);
            }
            if let Some(carp) = packet.get_mut(header..header + CARP) {
                mend(&[], carp, 6);
            }
        }
        [0x86, 0xdd] if packet.len() >= IPV6_HEADER + CARP => {
            let (ip, carp) = packet.split_at_mut(IPV6_HEADER);
            let addresses = ip[8..].first_chunk().expect("the header has 40 bytes");
            let before = if netbsd { pseudo_header(addresses, 36, CARP_PROTOCOL) } else { Vec::new() };
            mend(&before, &mut carp[..CARP], 6);
        }
        _ => {}
    }
}
