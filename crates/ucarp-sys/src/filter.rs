//! Packet filters in the kernel (classic BPF): what a packet socket lets through to the daemon.
//!
//! A frame that no check of the daemon could accept does not wake it, and a segment full of other virtual hosts costs a
//! node nothing. The filter saves work only; everything it tests is a fact about the frame and not a matter of trust.

#[cfg(test)]
pub(crate) mod tests;

/// A classic BPF program for an Ethernet packet socket.
#[derive(Clone)]
pub struct Program(pub(crate) Vec<libc::sock_filter>);

// Instruction codes of linux/bpf_common.h, as small as struct sock_filter wants them.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_BYTE_INDEXED: u16 = 0x50;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// What the kernel knows about a frame beside its bytes lies at negative offsets from here (`SKF_AD_OFF`).
const ANCILLARY: u32 = libc::SKF_AD_OFF.cast_unsigned();
const PACKET_TYPE: u32 = ANCILLARY + libc::SKF_AD_PKTTYPE.cast_unsigned();
const VLAN_TAG: u32 = ANCILLARY + libc::SKF_AD_VLAN_TAG.cast_unsigned();

const ETHERTYPE: u32 = 12;
const IP: u32 = 14;
const IP_FRAGMENT: u32 = IP + 6;
const IP_PROTOCOL: u32 = IP + 9;
/// The virtual host id is the second octet of the CARP header, which follows the IP header.
const VHID: u32 = IP + 1;

/// `PACKET_MULTICAST`, after HOST (0) and BROADCAST (1) and before OTHERHOST, OUTGOING and the rest.
const LAST_RECEIVED_TYPE: u32 = 2;
const VLAN_ID: u32 = 0x0fff;
const ETHERTYPE_IPV4: u32 = 0x0800;
const MORE_FRAGMENTS_OR_OFFSET: u32 = 0x3fff;
const PROTOCOL_CARP: u32 = 112;
/// More than any frame: the packet is not cut.
const WHOLE_PACKET: u32 = 0xffff;

/// One step of a filter that is a list of conditions.
enum Step {
    /// An instruction without a branch.
    Do(u16, u32),
    /// Drop the frame unless the comparison holds.
    Require(u16, u32),
    /// Drop the frame if the comparison holds.
    Refuse(u16, u32),
}

/// Lets through the IPv4 advertisements of one virtual host id, whole, and nothing else.
///
/// Dropped are: frames that this host sent or that are for another host's MAC address (seen only in promiscuous mode),
/// frames of another VLAN, other protocols, fragments (UCARP 1.5.2 accepts them; no CARP sends them), other ids, and
/// frames too short to have one. The protocol 112 of VRRP passes if the id is the same.
pub fn advertisements(vhid: u8) -> Program {
    assemble(&[
        Step::Do(LOAD_WORD, PACKET_TYPE),
        Step::Refuse(IF_GREATER, LAST_RECEIVED_TYPE),
        // A tag that only carries a priority has VLAN id 0 and belongs to this link.
        Step::Do(LOAD_WORD, VLAN_TAG),
        Step::Do(AND, VLAN_ID),
        Step::Require(IF_EQUAL, 0),
        Step::Do(LOAD_HALF, ETHERTYPE),
        Step::Require(IF_EQUAL, ETHERTYPE_IPV4),
        Step::Do(LOAD_BYTE, IP_PROTOCOL),
        Step::Require(IF_EQUAL, PROTOCOL_CARP),
        Step::Do(LOAD_HALF, IP_FRAGMENT),
        Step::Refuse(IF_ANY_BIT, MORE_FRAGMENTS_OR_OFFSET),
        Step::Do(LOAD_HEADER_LENGTH, IP),
        Step::Do(LOAD_BYTE_INDEXED, VHID),
        Step::Require(IF_EQUAL, u32::from(vhid)),
    ])
}

/// Lets nothing through: for a socket that only sends.
pub fn nothing() -> Program {
    Program(vec![instruction(RETURN, 0, 0, 0)])
}

/// The program of these steps, which accepts the whole packet after the last of them.
fn assemble(steps: &[Step]) -> Program {
    let mut program: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            // After the steps come "accept" and "drop"; a jump counts from the next instruction.
            let drop = u8::try_from(steps.len() - index).expect("a filter has fewer than 255 steps");
            match *step {
                Step::Do(code, operand) => instruction(code, operand, 0, 0),
                Step::Require(code, operand) => instruction(code, operand, 0, drop),
                Step::Refuse(code, operand) => instruction(code, operand, drop, 0),
            }
        })
        .collect();
    program.push(instruction(RETURN, WHOLE_PACKET, 0, 0));
    program.push(instruction(RETURN, 0, 0, 0));
    Program(program)
}

fn instruction(code: u16, operand: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: if_true, jf: if_false, k: operand }
}
