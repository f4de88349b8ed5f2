//! Filters for those who say that an address is their own: ARP, and neighbour advertisements.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    IF_EQUAL, IP, IPV6_HEADER_BYTES, IPV6_NEXT_HEADER, Instruction, LOAD_BYTE, LOAD_HALF, LOAD_WORD, Program, RETURN,
    Step, WHOLE_PACKET, instruction, nothing, received_here,
};

/// Addresses of one family that a filter compares with; more are left out. With so many, a frame about none of them costs a
/// fraction of a microsecond. FreeBSD takes 512 instructions, of which an IPv6 address needs nine.
pub const MOST_ADDRESSES: usize = if cfg!(target_os = "freebsd") { 54 } else { 256 };

const ARP_OPERATION: u32 = IP + 6;
const ARP_SENDER: u32 = IP + 14;
const ARP_TARGET: u32 = IP + 24;
const ARP_REPLY: u32 = 2;

const IPV6_HOP_LIMIT: u32 = IP + 7;
const ICMPV6: u32 = 58;
const ICMPV6_TYPE: u32 = IP + IPV6_HEADER_BYTES;
const NEIGHBOUR_ADVERTISEMENT: u32 = 136;
const TARGET: u32 = ICMPV6_TYPE + 8;

/// Lets through ARP whose sender has one of these addresses, and answers to those who asked without an address of their
/// own, whole; for a socket of [`crate::packet::Family::Arp`]. Without addresses nothing at all.
#[must_use]
pub fn possessions_v4(addresses: impl IntoIterator<Item = Ipv4Addr>) -> Program {
    let mut addresses = addresses.into_iter().take(MOST_ADDRESSES).peekable();
    if addresses.peek().is_none() {
        return nothing();
    }
    let mut program = inline(&received_here());
    program.extend([
        instruction(LOAD_HALF, ARP_OPERATION, 0, 0),
        instruction(IF_EQUAL, ARP_REPLY, 0, 3),
        instruction(LOAD_WORD, ARP_TARGET, 0, 0),
        instruction(IF_EQUAL, 0, 0, 1),
        instruction(RETURN, WHOLE_PACKET, 0, 0),
        instruction(LOAD_WORD, ARP_SENDER, 0, 0),
    ]);
    for address in addresses {
        program.push(instruction(IF_EQUAL, address.to_bits(), 0, 1));
        program.push(instruction(RETURN, WHOLE_PACKET, 0, 0));
    }
    program.push(instruction(RETURN, 0, 0, 0));
    Program(program)
}

/// Lets through neighbour advertisements of these addresses, whole; for a socket of [`crate::packet::Family::Ipv6`]. Without
/// addresses nothing at all.
#[must_use]
pub fn possessions_v6(addresses: impl IntoIterator<Item = Ipv6Addr>) -> Program {
    let mut addresses = addresses.into_iter().take(MOST_ADDRESSES).peekable();
    if addresses.peek().is_none() {
        return nothing();
    }
    let mut steps = vec![Step::Do(LOAD_BYTE, IPV6_NEXT_HEADER), Step::Require(IF_EQUAL, ICMPV6)];
    steps.extend(received_here());
    steps.extend([
        Step::Do(LOAD_BYTE, IPV6_HOP_LIMIT),
        Step::Require(IF_EQUAL, 255),
        Step::Do(LOAD_BYTE, ICMPV6_TYPE),
        Step::Require(IF_EQUAL, NEIGHBOUR_ADVERTISEMENT),
    ]);
    let mut program = inline(&steps);
    for address in addresses {
        // The last of its four words first: that is where addresses of one network differ.
        for (offset, rest) in [(12, 7), (8, 5), (4, 3), (0, 1)] {
            let shift = 8 * (12 - offset);
            let word = u32::try_from(address.to_bits() >> shift & u128::from(u32::MAX)).expect("it has 32 bits");
            program.push(instruction(LOAD_WORD, TARGET + offset, 0, 0));
            // Otherwise on to the next address, behind the rest of the comparisons and the verdict.
            program.push(instruction(IF_EQUAL, word, 0, rest));
        }
        program.push(instruction(RETURN, WHOLE_PACKET, 0, 0));
    }
    program.push(instruction(RETURN, 0, 0, 0));
    Program(program)
}

/// These steps, which end in front of what follows; each drop is where it is decided, for jumps do not reach far.
fn inline(steps: &[Step]) -> Vec<Instruction> {
    let drop = instruction(RETURN, 0, 0, 0);
    let one = |step: &Step| match *step {
        Step::Do(code, operand) => vec![instruction(code, operand, 0, 0)],
        Step::Require(code, operand) => vec![instruction(code, operand, 1, 0), drop],
        Step::Refuse(code, operand) => vec![instruction(code, operand, 0, 1), drop],
        Step::SkipUnless(..) | Step::Skip(_) => unreachable!("these filters have no branches"),
    };
    steps.iter().flat_map(one).collect()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
