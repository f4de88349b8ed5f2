//! Packet filters in the kernel (classic BPF): what a packet socket lets through to the daemon.
//!
//! A frame that no check of the daemon could accept does not wake it, and a segment full of other virtual hosts costs a
//! node nothing. The filter saves work only; everything it tests is a fact about the frame and not a matter of trust.

#[cfg(target_os = "linux")]
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;

#[cfg(target_os = "freebsd")]
pub(crate) use libc::bpf_insn as Instruction;
#[cfg(target_os = "linux")]
pub(crate) use libc::sock_filter as Instruction;

#[cfg(target_os = "linux")]
use crate::socket_option;

mod possession;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod many_tests;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) mod tests;

pub use possession::{MOST_ADDRESSES, possessions_v4, possessions_v6};

/// A classic BPF program.
#[derive(Clone)]
pub struct Program(pub(crate) Vec<Instruction>);

#[cfg(target_os = "linux")]
impl Program {
    /// Makes the program decide what a socket of any kind receives from now on. What has arrived before stays.
    ///
    /// # Errors
    ///
    /// `EPERM` if the socket's filter is locked; `ENOTSOCK`.
    pub fn attach(&self, socket: impl AsFd) -> io::Result<()> {
        socket_option::attach_filter(socket.as_fd(), self)
    }
}

/// A set of virtual host ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VhidSet {
    /// Bit `id % 32` of word `id / 32` stands for an id.
    words: [u32; 8],
}

impl VhidSet {
    /// A set without ids.
    #[must_use]
    pub const fn new() -> VhidSet {
        VhidSet { words: [0; 8] }
    }

    /// Adds an id; harmless if it is in the set.
    pub fn insert(&mut self, vhid: u8) {
        self.words[usize::from(vhid / 32)] |= 1 << (vhid % 32);
    }

    /// Whether an id is in the set.
    #[must_use]
    pub fn contains(&self, vhid: u8) -> bool {
        self.words[usize::from(vhid / 32)] & 1 << (vhid % 32) != 0
    }

    /// The one id of a set that has just one.
    fn only(&self) -> Option<u8> {
        let mut members = (0..=u8::MAX).filter(|vhid| self.contains(*vhid));
        members.next().filter(|_| members.next().is_none())
    }
}

impl FromIterator<u8> for VhidSet {
    fn from_iter<T: IntoIterator<Item = u8>>(vhids: T) -> VhidSet {
        let mut set = VhidSet::new();
        vhids.into_iter().for_each(|vhid| set.insert(vhid));
        set
    }
}

// Instruction codes, the same on all systems that have classic BPF, as small as an instruction wants them.
pub(crate) const LOAD_WORD: u16 = 0x20;
pub(crate) const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
pub(crate) const LOAD_BYTE_INDEXED: u16 = 0x50;
pub(crate) const LOAD_NUMBER: u16 = 0x00;
const LOAD_SCRATCH: u16 = 0x60;
const STORE_SCRATCH: u16 = 0x02;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
#[cfg(target_os = "linux")]
pub(crate) const LOAD_X_NUMBER: u16 = 0x01;
pub(crate) const COPY_TO_X: u16 = 0x07;
const AND: u16 = 0x54;
const SUBTRACT_X: u16 = 0x1c;
const SHIFT_RIGHT: u16 = 0x74;
const SHIFT_RIGHT_BY_X: u16 = 0x7c;
const JUMP: u16 = 0x05;
pub(crate) const IF_EQUAL: u16 = 0x15;
#[cfg(target_os = "linux")]
const IF_GREATER: u16 = 0x25;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
pub(crate) const RETURN: u16 = 0x06;

/// What the kernel knows about a frame beside its bytes lies at negative offsets from here (`SKF_AD_OFF`).
#[cfg(target_os = "linux")]
pub(crate) const ANCILLARY: u32 = libc::SKF_AD_OFF.cast_unsigned();
#[cfg(target_os = "linux")]
const INTERFACE: u32 = ANCILLARY + libc::SKF_AD_IFINDEX.cast_unsigned();
#[cfg(target_os = "linux")]
const PACKET_TYPE: u32 = ANCILLARY + libc::SKF_AD_PKTTYPE.cast_unsigned();
#[cfg(target_os = "linux")]
const VLAN_TAG: u32 = ANCILLARY + libc::SKF_AD_VLAN_TAG.cast_unsigned();

const ETHERTYPE: u32 = 12;
const IP: u32 = 14;
const IP_TOTAL_LENGTH: u32 = IP + 2;
const IP_FRAGMENT: u32 = IP + 6;
const IP_PROTOCOL: u32 = IP + 9;
/// The virtual host id is the second octet of the CARP header, which follows the IP header.
const VHID: u32 = IP + 1;
const IPV6_PAYLOAD_LENGTH: u32 = IP + 4;
const IPV6_NEXT_HEADER: u32 = IP + 6;
const IPV6_HEADER_BYTES: u32 = 40;
const CARP_BYTES: u32 = 36;
/// Without an address.
const VRRP_BYTES: u32 = 8;

/// `PACKET_MULTICAST`, after HOST (0) and BROADCAST (1) and before OTHERHOST, OUTGOING and the rest.
#[cfg(target_os = "linux")]
const LAST_RECEIVED_TYPE: u32 = 2;
#[cfg(target_os = "linux")]
const VLAN_ID: u32 = 0x0fff;
const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_IPV6: u32 = 0x86dd;
const MORE_FRAGMENTS_OR_OFFSET: u32 = 0x3fff;
const PROTOCOL_CARP: u32 = 112;
/// More than any frame: the packet is not cut.
pub(crate) const WHOLE_PACKET: u32 = 0xffff;
/// The one cell of the scratch memory that is used.
const ID: u32 = 0;

/// One step of a filter that is a list of conditions.
enum Step {
    /// An instruction without a branch.
    Do(u16, u32),
    /// Drop the frame unless the comparison holds.
    Require(u16, u32),
    /// Drop the frame if the comparison holds.
    Refuse(u16, u32),
    /// Leave out this many of the next steps unless the comparison holds.
    SkipUnless(u16, u32, usize),
    /// Leave out this many of the next steps.
    Skip(usize),
}

/// [`advertisements_of`] one virtual host id.
#[must_use]
pub fn advertisements(vhid: u8) -> Program {
    advertisements_of(&VhidSet::from_iter([vhid]))
}

/// Lets through the IPv4 and IPv6 advertisements of these virtual host ids, whole, and nothing else; without ids nothing
/// at all.
///
/// Dropped are: frames that this host sent or that are for another host's MAC address (seen only in promiscuous mode),
/// frames of another VLAN, other protocols, fragments and IPv6 extension headers (UCARP 1.5.2 accepts IPv4 fragments; no
/// CARP sends either), other ids, and packets or frames that are shorter than CARP, as those of VRRP with up to 4
/// addresses are. A longer one of VRRP passes if the id is the same.
#[must_use]
pub fn advertisements_of(vhids: &VhidSet) -> Program {
    if *vhids == VhidSet::new() {
        return nothing();
    }
    let mut steps = received_here();
    steps.extend(conditions(vhids, CARP_BYTES));
    assemble(&steps)
}

/// Lets through CARP and VRRP of any virtual host id, from the beginning of their packets on, for somebody who wants to know
/// which ids are in use.
#[must_use]
pub fn any_id() -> Program {
    let mut steps = received_here();
    steps.extend(packets(VRRP_BYTES));
    assemble(&steps)
}

/// Lets through what `program` does, of frames with this Ethernet type only: for a reader that is not told apart by it.
#[cfg(any(test, target_os = "freebsd"))]
pub(crate) fn of_type(ethertype: u16, program: &Program) -> Program {
    let mut all = vec![
        instruction(LOAD_HALF, ETHERTYPE, 0, 0),
        instruction(IF_EQUAL, ethertype.into(), 1, 0),
        instruction(RETURN, 0, 0, 0),
    ];
    // Jumps are relative, so that the rest need not know.
    all.extend(&program.0);
    Program(all)
}

/// Advertisements of CARP and VRRP with this id that come in on one link, for a socket that hears all links.
#[cfg(target_os = "linux")]
#[must_use]
pub fn arriving_at(ifindex: u32, vhid: u8) -> Program {
    let mut steps = vec![Step::Do(LOAD_WORD, INTERFACE), Step::Require(IF_EQUAL, ifindex)];
    steps.extend(received_here());
    steps.extend(conditions(&VhidSet::from_iter([vhid]), VRRP_BYTES));
    assemble(&steps)
}

/// Drops what this host sent, what is for another one, and what is of another VLAN.
#[cfg(target_os = "linux")]
fn received_here() -> Vec<Step> {
    vec![
        Step::Do(LOAD_WORD, PACKET_TYPE),
        Step::Refuse(IF_GREATER, LAST_RECEIVED_TYPE),
        // A tag that only carries a priority has VLAN id 0 and belongs to this link.
        Step::Do(LOAD_WORD, VLAN_TAG),
        Step::Do(AND, VLAN_ID),
        Step::Require(IF_EQUAL, 0),
    ]
}

/// FreeBSD tells a filter nothing beside the frame: the descriptor is told which direction it hears, and a frame of
/// another VLAN has its tag where the type of others is.
#[cfg(target_os = "freebsd")]
fn received_here() -> Vec<Step> {
    Vec::new()
}

/// What makes a frame an advertisement of one of these ids, with a payload of so many octets or more.
fn conditions(vhids: &VhidSet, least: u32) -> Vec<Step> {
    let mut steps = packets(least);
    match vhids.only() {
        Some(vhid) => steps.push(Step::Require(IF_EQUAL, u32::from(vhid))),
        None => steps.extend(require_member(vhids)),
    }
    steps
}

/// What makes a frame one of CARP or VRRP with a payload of so many octets or more; its id is in the accumulator then.
fn packets(least: u32) -> Vec<Step> {
    let ipv6 = [
        Step::Require(IF_EQUAL, ETHERTYPE_IPV6),
        Step::Do(LOAD_BYTE, IPV6_NEXT_HEADER),
        // A fragment has the number of its extension header here.
        Step::Require(IF_EQUAL, PROTOCOL_CARP),
        Step::Do(LOAD_HALF, IPV6_PAYLOAD_LENGTH),
        Step::Require(IF_AT_LEAST, least),
        Step::Do(LOAD_BYTE, IP + IPV6_HEADER_BYTES + least - 1),
        Step::Do(LOAD_BYTE, VHID + IPV6_HEADER_BYTES),
    ];
    let ipv4 = [
        Step::Do(LOAD_BYTE, IP_PROTOCOL),
        Step::Require(IF_EQUAL, PROTOCOL_CARP),
        Step::Do(LOAD_HALF, IP_FRAGMENT),
        Step::Refuse(IF_ANY_BIT, MORE_FRAGMENTS_OR_OFFSET),
        Step::Do(LOAD_HEADER_LENGTH, IP),
        Step::Do(LOAD_HALF, IP_TOTAL_LENGTH),
        Step::Do(SUBTRACT_X, 0),
        Step::Require(IF_AT_LEAST, least),
        // A load beyond the end of a frame drops it.
        Step::Do(LOAD_BYTE_INDEXED, IP + least - 1),
        Step::Do(LOAD_BYTE_INDEXED, VHID),
        Step::Skip(ipv6.len()),
    ];
    let mut steps = vec![Step::Do(LOAD_HALF, ETHERTYPE), Step::SkipUnless(IF_EQUAL, ETHERTYPE_IPV4, ipv4.len())];
    steps.extend(ipv4);
    steps.extend(ipv6);
    steps
}

/// Drops the frame unless the id in the accumulator is in the set: finds its word, then tests its bit.
fn require_member(vhids: &VhidSet) -> Vec<Step> {
    let mut steps = vec![
        Step::Do(STORE_SCRATCH, ID),
        Step::Do(AND, 31),
        Step::Do(COPY_TO_X, 0),
        Step::Do(LOAD_SCRATCH, ID),
        Step::Do(SHIFT_RIGHT, 5),
    ];
    let [others @ .., last] = vhids.words;
    for (number, word) in (0..).zip(others) {
        // Comparison, load and jump for each of the words that are not reached, then the load of the last.
        let rest = 3 * (others.len() - 1 - usize::try_from(number).expect("a small number")) + 1;
        steps.extend([Step::SkipUnless(IF_EQUAL, number, 2), Step::Do(LOAD_NUMBER, word), Step::Skip(rest)]);
    }
    steps.extend([Step::Do(LOAD_NUMBER, last), Step::Do(SHIFT_RIGHT_BY_X, 0), Step::Require(IF_ANY_BIT, 1)]);
    steps
}

/// Lets nothing through: for a socket that only sends.
#[must_use]
pub fn nothing() -> Program {
    Program(vec![instruction(RETURN, 0, 0, 0)])
}

/// The program of these steps, which accepts the whole packet after the last of them.
fn assemble(steps: &[Step]) -> Program {
    let short = |distance: usize| u8::try_from(distance).expect("a filter has fewer than 255 steps");
    let mut program: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            // After the steps come "accept" and "drop"; a jump counts from the next instruction.
            let drop = short(steps.len() - index);
            match *step {
                Step::Do(code, operand) => instruction(code, operand, 0, 0),
                Step::Require(code, operand) => instruction(code, operand, 0, drop),
                Step::Refuse(code, operand) => instruction(code, operand, drop, 0),
                Step::SkipUnless(code, operand, count) => instruction(code, operand, 0, short(count)),
                Step::Skip(count) => instruction(JUMP, short(count).into(), 0, 0),
            }
        })
        .collect();
    program.push(instruction(RETURN, WHOLE_PACKET, 0, 0));
    program.push(instruction(RETURN, 0, 0, 0));
    Program(program)
}

pub(crate) fn instruction(code: u16, operand: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, jt: if_true, jf: if_false, k: operand }
}
