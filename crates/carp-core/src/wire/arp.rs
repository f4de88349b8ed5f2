//! ARP for IPv4 on Ethernet (RFC 826).

use core::net::Ipv4Addr;

use super::{MacAddr, WireError, array, check_len};

const FORMAT: &str = "ARP";

/// Length in bytes of a packet.
pub const LEN: usize = 28;

/// What a packet asks or says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// 1: who has the target address?
    Request,
    /// 2: the sender has the sender address.
    Reply,
}

mod field {
    use core::ops::Range;

    pub(super) const HARDWARE_TYPE: Range<usize> = 0..2;
    pub(super) const PROTOCOL_TYPE: Range<usize> = 2..4;
    pub(super) const HARDWARE_LEN: usize = 4;
    pub(super) const PROTOCOL_LEN: usize = 5;
    pub(super) const OPERATION: Range<usize> = 6..8;
    pub(super) const SENDER_MAC: Range<usize> = 8..14;
    pub(super) const SENDER_IP: Range<usize> = 14..18;
    pub(super) const TARGET_MAC: Range<usize> = 18..24;
    pub(super) const TARGET_IP: Range<usize> = 24..28;
}

const HARDWARE_ETHERNET: u16 = 1;
const PROTOCOL_IPV4: u16 = 0x0800;

/// A view of an ARP packet.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// # Errors
    /// [`WireError::Truncated`] if there are fewer than 28 bytes. More are padding.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, WireError> {
        check_len(FORMAT, bytes, LEN)?;
        Ok(Self { bytes })
    }

    /// Number of the hardware type, 1 for Ethernet.
    #[must_use]
    pub fn hardware_type(&self) -> u16 {
        u16::from_be_bytes(array(self.bytes, field::HARDWARE_TYPE))
    }

    /// Ethertype of the protocol whose addresses are resolved.
    #[must_use]
    pub fn protocol_type(&self) -> u16 {
        u16::from_be_bytes(array(self.bytes, field::PROTOCOL_TYPE))
    }

    /// Length in bytes of a hardware address and of a protocol address.
    #[must_use]
    pub fn address_lens(&self) -> (u8, u8) {
        (self.bytes[field::HARDWARE_LEN], self.bytes[field::PROTOCOL_LEN])
    }

    /// Number of the operation.
    #[must_use]
    pub fn operation(&self) -> u16 {
        u16::from_be_bytes(array(self.bytes, field::OPERATION))
    }

    /// Sender hardware address.
    #[must_use]
    pub fn sender_mac(&self) -> MacAddr {
        MacAddr(array(self.bytes, field::SENDER_MAC))
    }

    /// Sender protocol address.
    #[must_use]
    pub fn sender_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from(array::<4>(self.bytes, field::SENDER_IP))
    }

    /// Target hardware address. Senders put anything here.
    #[must_use]
    pub fn target_mac(&self) -> MacAddr {
        MacAddr(array(self.bytes, field::TARGET_MAC))
    }

    /// Target protocol address.
    #[must_use]
    pub fn target_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from(array::<4>(self.bytes, field::TARGET_IP))
    }
}

/// The typed packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repr {
    /// Request or reply.
    pub operation: Operation,
    /// Sender hardware address.
    pub sender_mac: MacAddr,
    /// Sender protocol address.
    pub sender_ip: Ipv4Addr,
    /// Target hardware address.
    pub target_mac: MacAddr,
    /// Target protocol address.
    pub target_ip: Ipv4Addr,
}

impl Repr {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`WireError::Malformed`] if it is not about IPv4 on Ethernet, or neither request nor reply.
    pub fn parse(packet: &Packet<'_>) -> Result<Self, WireError> {
        let malformed = |field, value| Err(WireError::Malformed { format: FORMAT, field, value });
        if packet.hardware_type() != HARDWARE_ETHERNET {
            return malformed("hardware type", packet.hardware_type().into());
        }
        if packet.protocol_type() != PROTOCOL_IPV4 {
            return malformed("protocol type", packet.protocol_type().into());
        }
        match packet.address_lens() {
            (6, 4) => {}
            (6, protocol_len) => return malformed("protocol address length", protocol_len.into()),
            (hardware_len, _) => return malformed("hardware address length", hardware_len.into()),
        }
        let operation = match packet.operation() {
            1 => Operation::Request,
            2 => Operation::Reply,
            other => return malformed("operation", other.into()),
        };
        Ok(Self {
            operation,
            sender_mac: packet.sender_mac(),
            sender_ip: packet.sender_ip(),
            target_mac: packet.target_mac(),
            target_ip: packet.target_ip(),
        })
    }

    /// Writes the packet.
    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let operation: u16 = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let mut out = [0; LEN];
        out[field::HARDWARE_TYPE].copy_from_slice(&HARDWARE_ETHERNET.to_be_bytes());
        out[field::PROTOCOL_TYPE].copy_from_slice(&PROTOCOL_IPV4.to_be_bytes());
        out[field::HARDWARE_LEN] = 6;
        out[field::PROTOCOL_LEN] = 4;
        out[field::OPERATION].copy_from_slice(&operation.to_be_bytes());
        out[field::SENDER_MAC].copy_from_slice(&self.sender_mac.0);
        out[field::SENDER_IP].copy_from_slice(&self.sender_ip.octets());
        out[field::TARGET_MAC].copy_from_slice(&self.target_mac.0);
        out[field::TARGET_IP].copy_from_slice(&self.target_ip.octets());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply: 10.0.0.100 is at 02:00:00:00:00:0a, told to 10.0.0.9 at 02:00:00:00:00:0c.
    const BYTES: [u8; 28] = [
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02, 0x02, 0, 0, 0, 0, 0x0a, 10, 0, 0, 100, 0x02, 0, 0, 0, 0, 0x0c,
        10, 0, 0, 9,
    ];
    const REPR: Repr = Repr {
        operation: Operation::Reply,
        sender_mac: MacAddr([0x02, 0, 0, 0, 0, 0x0a]),
        sender_ip: Ipv4Addr::new(10, 0, 0, 100),
        target_mac: MacAddr([0x02, 0, 0, 0, 0, 0x0c]),
        target_ip: Ipv4Addr::new(10, 0, 0, 9),
    };

    #[test]
    fn parses_and_emits_literal_bytes() {
        assert_eq!(Repr::parse(&Packet::new_checked(&BYTES).unwrap()), Ok(REPR));
        assert_eq!(REPR.emit(), BYTES);
        let request = Repr { operation: Operation::Request, ..REPR };
        assert_eq!(request.emit()[6..8], [0, 1]);
        assert_eq!(Repr::parse(&Packet::new_checked(&request.emit()).unwrap()), Ok(request));
    }

    #[test]
    fn other_protocols_and_operations_are_refused() {
        for (at, value, field) in [
            (1, 6, "hardware type"),
            (2, 9, "protocol type"),
            (4, 8, "hardware address length"),
            (5, 16, "protocol address length"),
            (7, 3, "operation"),
        ] {
            let mut bytes = BYTES;
            bytes[at] = value;
            let error = Repr::parse(&Packet::new_checked(&bytes).unwrap()).unwrap_err();
            assert!(matches!(error, WireError::Malformed { field: found, .. } if found == field), "{error}");
        }
    }

    #[test]
    fn short_packets_are_refused() {
        let error = Packet::new_checked(&BYTES[..27]).unwrap_err();
        assert_eq!(error, WireError::Truncated { format: "ARP", needed: 28, found: 27 });
    }
}
