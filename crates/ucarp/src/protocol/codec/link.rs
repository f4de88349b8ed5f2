//! What a link can do, and its sockets, in octets.

use carp_core::node::LinkState;

use super::super::Sockets;
use super::{Malformed, Reader, Writer};

pub(super) fn put_state(writer: &mut Writer, state: LinkState) {
    match state {
        LinkState::Gone => writer.octet(0),
        LinkState::Down => writer.octet(1),
        LinkState::NoCarrier => writer.octet(2),
        LinkState::Up(mac) => {
            writer.octet(3);
            writer.mac(mac);
        }
    }
}

pub(super) fn state(reader: &mut Reader<'_>) -> Result<LinkState, Malformed> {
    Ok(match reader.octet("state of a link")? {
        0 => LinkState::Gone,
        1 => LinkState::Down,
        2 => LinkState::NoCarrier,
        3 => LinkState::Up(reader.mac()?),
        _ => return Err(reader.malformed("state of a link")),
    })
}

pub(super) fn put_sockets(writer: &mut Writer, sockets: &Sockets) {
    writer.number(sockets.index);
    for present in [sockets.v4, sockets.v6, sockets.unicast_v4, sockets.unicast_v6] {
        writer.flag(present);
    }
}

pub(super) fn sockets(reader: &mut Reader<'_>) -> Result<Sockets, Malformed> {
    Ok(Sockets {
        index: reader.number()?,
        v4: reader.flag()?,
        v6: reader.flag()?,
        unicast_v4: reader.flag()?,
        unicast_v6: reader.flag()?,
    })
}
