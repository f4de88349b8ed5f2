//! How checks are written.

use std::time::Duration;

use carp_core::time::Instant;

use super::super::check::{CheckState, CheckStatus, LONGEST_RESULT};
use super::{Malformed, Reader, Writer, place};

const STATES: [CheckState; 3] = [CheckState::Unknown, CheckState::Up, CheckState::Down];

impl Writer {
    fn instant(&mut self, instant: Instant) {
        self.nanos(Duration::from_nanos(instant.as_nanos()));
    }
}

impl Reader<'_> {
    fn instant(&mut self) -> Result<Instant, Malformed> {
        self.nanos().map(Instant::from_nanos)
    }
}

pub(super) fn put_check(writer: &mut Writer, status: &CheckStatus) {
    writer.text(&status.name);
    writer.text(&status.kind);
    writer.octet(place(&STATES, &status.state));
    writer.flag(status.in_force);
    writer.instant(status.since);
    writer.option(status.ran, |writer, (at, took)| {
        writer.instant(at);
        writer.nanos(took);
    });
    writer.text(&status.result[..status.result.floor_char_boundary(LONGEST_RESULT)]);
    writer.option(status.demotion, Writer::octet);
    writer.number(u32::try_from(status.hosts.len()).unwrap_or(u32::MAX));
    status.hosts.iter().for_each(|host| writer.host(*host));
}

pub(super) fn check(reader: &mut Reader<'_>) -> Result<CheckStatus, Malformed> {
    Ok(CheckStatus {
        name: reader.text()?,
        kind: reader.text()?,
        state: reader.choice(&STATES, "state of a check")?,
        in_force: reader.flag()?,
        since: reader.instant()?,
        ran: reader.option(|reader| Ok((reader.instant()?, Duration::from_nanos(reader.nanos()?))))?,
        result: reader.text()?,
        demotion: reader.option(|reader| reader.octet("demotion"))?,
        // A list takes no more memory than the datagram.
        hosts: (0..reader.number()?).map(|_| reader.host()).collect::<Result<_, _>>()?,
    })
}
