//! A client that asks all the time whether an address answers.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};

use crate::error::{Result, system};
use crate::host::Host;
use crate::now;
use crate::record::Record;

/// More than half an hour at the usual interval.
const MAX_PROBES: usize = 1_000_000;
/// A busy machine may take this long to pass a frame on.
const LATE_NS: u64 = 20_000_000;
/// How soon the prober notices that it is to stop.
const MAX_SLEEP_NS: u64 = 20_000_000;
const ECHO_HEADER_BYTES: usize = 8;
const PROBE_BYTES: usize = ECHO_HEADER_BYTES + size_of::<u64>();

/// One echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// When it was sent, in nanoseconds of [`now`].
    pub sent: u64,
    /// When the reply came, if it did.
    pub answered: Option<u64>,
}

/// Sends echo requests from a host to an address at a fixed interval, as a real client: through the host's own neighbour
/// table and routes.
pub struct Prober {
    host: Host,
    target: IpAddr,
    interval_ns: u64,
    probes: Arc<Record<Probe>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    /// The usual interval.
    pub const INTERVAL: Duration = Duration::from_millis(2);

    /// Begins to ask `target` from `host`. It stops by itself after a million probes.
    ///
    /// # Errors
    /// No descriptors, threads or memory.
    pub fn start(host: &Host, target: impl Into<IpAddr>, interval: Duration) -> Result<Prober> {
        let target = target.into();
        let wire = host.run(|| Wire::open(target))?.map_err(system("opening the prober's socket"))?;
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let probes = Arc::new(Record::new(MAX_PROBES, 1));
        let stop = Arc::new(AtomicBool::new(false));
        let (record, stopped) = (Arc::clone(&probes), Arc::clone(&stop));
        let work = move || {
            ask(&wire, interval_ns, &record, &stopped);
            record.close();
        };
        let thread =
            thread::Builder::new().name("prober".to_owned()).spawn(work).map_err(system("starting the prober"))?;
        Ok(Prober { host: host.clone(), target, interval_ns, probes, stop, thread: Some(thread) })
    }

    /// All probes so far, in the order they were sent.
    pub fn probes(&self) -> Vec<Probe> {
        self.probes.all()
    }

    /// When the first of the probes sent at `since` (of [`now`]) or later was answered; `None` if none is in time.
    pub fn wait_for_answer(&self, since: u64, within: Duration) -> Option<u64> {
        let mut found = None;
        crate::wait_until(within, || {
            // Answers may come to probes that were looked at before.
            found = self.probes.read(|probes| {
                let first = probes.partition_point(|probe| probe.sent < since);
                probes[first..].iter().find_map(|probe| probe.answered)
            });
            found.is_some()
        });
        found
    }

    /// For how long the address did not answer at most: the longest time between two probes that were answered, with
    /// nothing but unanswered ones sent in between. Counts what was sent from `since` to `until` (of [`now`]); the ends
    /// count as answered. Zero if no probe is missing; all of it if no probe was sent.
    ///
    /// An answer after more than 20 ms (or ten intervals) counts as none: it may be to a request that waited for the
    /// address to be resolved. Requests younger than that are not judged.
    pub fn outage(&self, since: u64, until: u64) -> Duration {
        let late = LATE_NS.max(self.interval_ns.saturating_mul(10));
        let until = until.min(now().saturating_sub(late));
        self.probes.read(|probes| outage(probes, since, until, late))
    }

    /// The MAC that the client sends to for the address at present.
    ///
    /// # Errors
    /// A broken netlink socket.
    pub fn answering_mac(&self) -> Result<Option<[u8; 6]>> {
        self.host.neighbour(self.target)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its message has been printed.
            let _ = thread.join();
        }
    }
}

fn outage(probes: &[Probe], since: u64, until: u64, late: u64) -> Duration {
    let first = probes.partition_point(|probe| probe.sent < since);
    let last = probes.partition_point(|probe| probe.sent <= until);
    let probes = probes.get(first..last).unwrap_or_default();
    if probes.is_empty() {
        return Duration::from_nanos(until.saturating_sub(since));
    }
    let mut longest = 0;
    let mut good = since;
    let mut missing = false;
    for probe in probes {
        if probe.answered.is_some_and(|at| at.saturating_sub(probe.sent) <= late) {
            if missing {
                longest = longest.max(probe.sent - good);
            }
            (good, missing) = (probe.sent, false);
        } else {
            missing = true;
        }
    }
    if missing {
        longest = longest.max(until - good);
    }
    Duration::from_nanos(longest)
}

/// The prober's life.
fn ask(wire: &Wire, interval_ns: u64, record: &Record<Probe>, stop: &AtomicBool) {
    let mut next = now();
    let mut number = 0_usize;
    while !stop.load(Ordering::Relaxed) && number < MAX_PROBES {
        let present = now();
        if present >= next {
            // In the record before it is on the wire, so that its answer finds it.
            record.push(Probe { sent: present, answered: None });
            wire.send(number);
            number += 1;
            // After a stall it goes on from here: a burst would measure nothing.
            next = next.saturating_add(interval_ns).max(present);
        }
        let sleep = next.saturating_sub(now()).min(MAX_SLEEP_NS);
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::try_from(sleep).expect("at most 20 ms") };
        // An error is an interruption, and the loop comes back here.
        let ready = rustix::event::poll(&mut [PollFd::new(&wire.socket, PollFlags::IN)], Some(&timeout));
        if ready.is_ok_and(|count| count > 0) {
            while let Some(number) = wire.receive() {
                record.edit(|probes| {
                    if let Some(probe) = probes.get_mut(number) {
                        // The first of several answers counts.
                        probe.answered.get_or_insert_with(now);
                    }
                });
            }
        }
    }
}

/// A raw ICMP or ICMPv6 socket for echo requests of our own.
struct Wire {
    socket: OwnedFd,
    target: SocketAddr,
    /// Tells our replies from those to others on the same host.
    identifier: [u8; 2],
}

impl Wire {
    fn open(target: IpAddr) -> std::io::Result<Wire> {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let (family, protocol) = match target {
            IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
            IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::RAW, flags, Some(protocol))?;
        let identifier = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ok(Wire { socket, target: SocketAddr::new(target, 0), identifier })
    }

    fn send(&self, number: usize) {
        let kind = if self.target.is_ipv4() { 8 } else { 128 };
        let mut packet = [0; PROBE_BYTES];
        packet[0] = kind;
        packet[4..6].copy_from_slice(&self.identifier);
        let number = u64::try_from(number).expect("usize has at most 64 bits").to_be_bytes();
        packet[6..8].copy_from_slice(&number[6..]);
        packet[ECHO_HEADER_BYTES..].copy_from_slice(&number);
        if self.target.is_ipv4() {
            // For ICMPv6 the kernel does this.
            let checksum = checksum(&packet).to_be_bytes();
            packet[2..4].copy_from_slice(&checksum);
        }
        // No route, no neighbour, no link: whatever the reason, this probe will not be answered.
        let _ = rustix::net::sendto(&self.socket, &packet, SendFlags::empty(), &self.target);
    }

    /// The number of the next probe that was answered; `None` if nothing waits.
    fn receive(&self) -> Option<usize> {
        // Everything for this host's ICMP comes here; the queue is bounded, and so is this loop.
        loop {
            let mut buffer = [0; 256];
            let length = match rustix::net::recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((_, length)) => length.min(buffer.len()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return None,
            };
            if let Some(number) = self.parse(&buffer[..length]) {
                return Some(number);
            }
        }
    }

    fn parse(&self, packet: &[u8]) -> Option<usize> {
        // ICMP comes with its IPv4 header, ICMPv6 without any.
        let (kind, header) = match self.target {
            SocketAddr::V4(_) => (0, usize::from(packet.first()? & 0x0f) * 4),
            SocketAddr::V6(_) => (129, 0),
        };
        let reply = packet.get(header..)?;
        if *reply.first()? != kind || reply.get(4..6)? != self.identifier {
            return None;
        }
        let number = reply.get(ECHO_HEADER_BYTES..)?.first_chunk()?;
        usize::try_from(u64::from_be_bytes(*number)).ok()
    }
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum = bytes.chunks_exact(2).fold(0_u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice it has 16 bits")
}

#[cfg(test)]
mod tests;
