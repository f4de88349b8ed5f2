//! Echo requests: a socket of ICMP, or ICMPv6, that asks one address.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};

const ECHO_HEADER_BYTES: usize = 8;
/// What tells our probes from those of others, and the number of the probe.
const PROBE_BYTES: usize = ECHO_HEADER_BYTES + 16;
/// Answers that are looked at in one go: everything that comes for this host's ICMP may be among them.
const MOST_AT_ONCE: usize = 1000;

/// Asks one address.
pub(super) struct Wire {
    socket: OwnedFd,
    target: SocketAddr,
    /// Raw sockets of IPv4 get the header of IP, too.
    has_header: bool,
    token: [u8; 8],
}

impl Wire {
    /// A raw socket, which root may open, and otherwise one that the kernel may allow to everybody. `interface` is for
    /// link-local addresses.
    ///
    /// # Errors
    /// Neither may be opened.
    pub(super) fn open(target: IpAddr, interface: Option<u32>) -> io::Result<Self> {
        let (family, protocol) = match target {
            IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
            IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let open = |kind| rustix::net::socket_with(family, kind, flags, Some(protocol));
        let (socket, is_raw) = match open(SocketType::RAW) {
            Ok(socket) => (socket, true),
            Err(_) => (open(SocketType::DGRAM)?, false),
        };
        let token = token();
        let target = match target {
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                SocketAddrV6::new(address, 0, 0, interface.unwrap_or(0)).into()
            }
            _ => SocketAddr::new(target, 0),
        };
        Ok(Wire { socket, target, has_header: is_raw && target.is_ipv4(), token })
    }

    /// Sends a probe. One that cannot be sent is not answered, whatever the reason.
    pub(super) fn send(&self, number: u64) {
        let mut packet = [0; PROBE_BYTES];
        packet[0] = if self.target.is_ipv4() { 8 } else { 128 };
        packet[6..8].copy_from_slice(&number.to_be_bytes()[6..]);
        packet[ECHO_HEADER_BYTES..][..8].copy_from_slice(&self.token);
        packet[ECHO_HEADER_BYTES + 8..].copy_from_slice(&number.to_be_bytes());
        if self.target.is_ipv4() {
            // For ICMPv6 the kernel does this.
            let checksum = checksum(&packet).to_be_bytes();
            packet[2..4].copy_from_slice(&checksum);
        }
        let _ = rustix::net::sendto(&self.socket, &packet, SendFlags::empty(), &self.target);
    }

    /// The number of the next probe that was answered; `None` if nothing waits.
    pub(super) fn receive(&self) -> Option<u64> {
        for _ in 0..MOST_AT_ONCE {
            let mut buffer = [0; 256];
            match rustix::net::recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((_, length)) => {
                    if let Some(number) = self.parse(&buffer[..length.min(buffer.len())]) {
                        return Some(number);
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn parse(&self, packet: &[u8]) -> Option<u64> {
        let header = if self.has_header { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
        let reply = packet.get(header..)?;
        let kind = if self.target.is_ipv4() { 0 } else { 129 };
        if *reply.first()? != kind || reply.get(ECHO_HEADER_BYTES..)?.first_chunk()? != &self.token {
            return None;
        }
        Some(u64::from_be_bytes(*reply.get(ECHO_HEADER_BYTES + 8..)?.first_chunk()?))
    }
}

/// Differs from one program to the next, and from one time to the next.
fn token() -> [u8; 8] {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let nanoseconds = time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec);
    (nanoseconds.unsigned_abs().rotate_left(32) ^ u64::from(std::process::id())).to_be_bytes()
}

/// Waits until one of them has something, or the time is over. Whether one has.
pub(super) fn wait(wires: &[&Wire], within: Duration) -> bool {
    let Ok(timeout) = Timespec::try_from(within) else { return false };
    let mut waiting: Vec<PollFd<'_>> = wires.iter().map(|wire| PollFd::new(&wire.socket, PollFlags::IN)).collect();
    // An error is an interruption: it counts as time that is over.
    rustix::event::poll(&mut waiting, Some(&timeout)).is_ok_and(|count| count > 0)
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks_exact(2).fold(0_u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice it has 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_makes_the_sum_all_ones() {
        let mut packet = [8, 0, 0, 0, 0xff, 0xff, 0x12, 0x34, 0xfe, 0xdc];
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
        assert_eq!(checksum(&packet), 0);
    }
}
