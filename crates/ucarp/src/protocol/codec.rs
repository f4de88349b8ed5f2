//! How the messages are written: fields one after the other, numbers with their low octet first, lists and texts behind
//! their length.

mod check;
mod config;
mod control;
mod link;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use carp_core::election::{Bar, State};
use carp_core::host::Local;
use carp_core::node::{Command, LinkId};
use carp_core::time::Instant;
use carp_core::wire::MacAddr;
use log::Level;

use check::{check, put_check};
use config::{config, put_config};
use link::{put_sockets, put_state, sockets, state};

use super::{Ear, HostNumber, LONGEST_GOODBYE, LONGEST_LINE, Order, Profile, Report};

/// A datagram that the other process does not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message that is not understood: no {what} at octet {at}")]
pub struct Malformed {
    what: &'static str,
    at: usize,
}

/// A datagram in the making.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn append(&mut self, other: &Writer) {
        self.0.extend_from_slice(&other.0);
    }

    /// Takes away what is behind the first `length` octets.
    pub(super) fn split_off(&mut self, length: usize) -> Writer {
        Writer(self.0.split_off(length))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn octet(&mut self, value: u8) {
        self.0.push(value);
    }

    fn flag(&mut self, value: bool) {
        self.octet(value.into());
    }

    fn number(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn nanos(&mut self, value: Duration) {
        let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&nanos.to_le_bytes());
    }

    fn host(&mut self, host: HostNumber) {
        self.number(host.0);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // What is longer than this has been refused with the configuration.
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(&bytes[..length.into()]);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn v4(&mut self, address: Ipv4Addr) {
        self.0.extend_from_slice(&address.octets());
    }

    fn v6(&mut self, address: Ipv6Addr) {
        self.0.extend_from_slice(&address.octets());
    }

    fn ip(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                self.octet(4);
                self.v4(address);
            }
            IpAddr::V6(address) => {
                self.octet(6);
                self.v6(address);
            }
        }
    }

    fn ips(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        let addresses: Vec<IpAddr> = addresses.collect();
        self.number(u32::try_from(addresses.len()).unwrap_or(u32::MAX));
        addresses.into_iter().for_each(|address| self.ip(address));
    }

    fn mac(&mut self, mac: MacAddr) {
        self.0.extend_from_slice(&mac.0);
    }

    fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }
}

/// A datagram that is being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let taken = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(self.malformed(what))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        Ok(self.take(N, what)?.try_into().expect("it has the length that was asked for"))
    }

    fn octet(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(what)?[0])
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        self.choice(&[false, true], "flag")
    }

    /// One of several things, written as its number.
    fn choice<T: Copy>(&mut self, all: &[T], what: &'static str) -> Result<T, Malformed> {
        let at = self.at;
        let number = self.octet(what)?;
        all.get(usize::from(number)).copied().ok_or(Malformed { what, at })
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array("number")?))
    }

    fn duration(&mut self) -> Result<Duration, Malformed> {
        self.nanos().map(Duration::from_nanos)
    }

    fn nanos(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array("time")?))
    }

    fn host(&mut self) -> Result<HostNumber, Malformed> {
        self.number().map(HostNumber)
    }

    fn link(&mut self) -> Result<LinkId, Malformed> {
        self.number().map(LinkId)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u16::from_le_bytes(self.array("length")?);
        self.take(length.into(), "octets of that length")
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.malformed("text"))
    }

    fn v4(&mut self) -> Result<Ipv4Addr, Malformed> {
        Ok(self.array::<4>("IPv4 address")?.into())
    }

    fn v6(&mut self) -> Result<Ipv6Addr, Malformed> {
        Ok(self.array::<16>("IPv6 address")?.into())
    }

    fn ip(&mut self) -> Result<IpAddr, Malformed> {
        match self.octet("address")? {
            4 => self.v4().map(IpAddr::V4),
            6 => self.v6().map(IpAddr::V6),
            _ => Err(self.malformed("address family")),
        }
    }

    /// A list takes no more memory than the datagram.
    fn ips(&mut self) -> Result<Vec<IpAddr>, Malformed> {
        (0..self.number()?).map(|_| self.ip()).collect()
    }

    fn mac(&mut self) -> Result<MacAddr, Malformed> {
        Ok(MacAddr(self.array("MAC")?))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<Option<T>, Malformed> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }
}

const STATES: [State; 3] = [State::Init, State::Backup, State::Master];
pub(super) const COMMANDS: [Command; 12] = [
    Command::HandOver,
    Command::ShutDown,
    Command::Claimed,
    Command::Released,
    Command::StandDown(Bar::Held),
    Command::StandDown(Bar::CheckFailed),
    Command::StandDown(Bar::Group),
    Command::StandDown(Bar::AddressConflict),
    Command::StandDown(Bar::Rehearsal),
    Command::StandUp,
    Command::Promote,
    Command::Announce,
];
const BARS: [Bar; 5] = [Bar::Held, Bar::CheckFailed, Bar::Group, Bar::AddressConflict, Bar::Rehearsal];
const EARS: [Ear; 2] = [Ear::Owners, Ear::Ids];
const LEVELS: [Level; 5] = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

/// The number of a thing among all of its kind.
fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let place = all.iter().position(|other| other == one).expect("the list has all there are");
    u8::try_from(place).expect("the lists are short")
}

fn put_profile(writer: &mut Writer, profile: &Profile) {
    writer.text(&profile.who);
    writer.text(&profile.title);
    writer.flag(profile.native);
    writer.option(profile.lease, Writer::nanos);
    writer.nanos(profile.penalty);
}

fn profile(reader: &mut Reader<'_>) -> Result<Profile, Malformed> {
    Ok(Profile {
        who: reader.text()?,
        title: reader.text()?,
        native: reader.flag()?,
        lease: reader.option(Reader::duration)?,
        penalty: reader.duration()?,
    })
}

fn put_local(writer: &mut Writer, local: &Local) {
    writer.v4(local.v4);
    writer.option(local.v6, Writer::v6);
    writer.flag(local.router);
}

fn local(reader: &mut Reader<'_>) -> Result<Local, Malformed> {
    Ok(Local { v4: reader.v4()?, v6: reader.option(Reader::v6)?, router: reader.flag()? })
}

pub(super) fn put_order(writer: &mut Writer, order: &Order) {
    match order {
        Order::Add { host, profile, config } => {
            writer.octet(0);
            writer.host(*host);
            put_profile(writer, profile);
            put_config(writer, config);
        }
        Order::Change { host, profile, config, grace } => {
            writer.octet(1);
            writer.host(*host);
            put_profile(writer, profile);
            put_config(writer, config);
            writer.nanos(*grace);
        }
        Order::Remove { host } => {
            writer.octet(2);
            writer.host(*host);
        }
        Order::Local { host, local } => {
            writer.octet(3);
            writer.host(*host);
            put_local(writer, local);
        }
        Order::Link { link, name, state } => {
            writer.octet(4);
            writer.number(link.0);
            writer.text(name);
            put_state(writer, *state);
        }
        Order::Port { link, sockets } => {
            writer.octet(5);
            writer.number(link.0);
            put_sockets(writer, sockets);
        }
        Order::Keep { link } => {
            writer.octet(6);
            writer.number(link.0);
        }
        Order::Command { host, command } => {
            writer.octet(7);
            writer.host(*host);
            writer.octet(place(&COMMANDS, command));
        }
        Order::Missing { host } => {
            writer.octet(8);
            writer.host(*host);
        }
        Order::TellStates => writer.octet(9),
        Order::Beat { interval } => {
            writer.octet(10);
            writer.nanos(*interval);
        }
        Order::Demote { host, name, by } => {
            writer.octet(11);
            writer.host(*host);
            writer.text(name);
            writer.number(u32::from(*by));
        }
        Order::Bar { host, name, bar } => {
            writer.octet(12);
            writer.host(*host);
            writer.text(name);
            writer.option(*bar, |writer, bar| writer.octet(place(&BARS, &bar)));
        }
        Order::Check(status) => {
            writer.octet(13);
            put_check(writer, status);
        }
        Order::ForgetCheck { name } => {
            writer.octet(14);
            writer.text(name);
        }
        Order::Hear { link, index, ear } => {
            writer.octet(16);
            writer.number(link.0);
            writer.number(*index);
            writer.octet(place(&EARS, ear));
        }
        Order::Own { macs } => {
            writer.octet(17);
            writer.number(u32::try_from(macs.len()).expect("there are fewer interfaces"));
            macs.iter().for_each(|mac| writer.mac(*mac));
        }
        Order::Control(told) => control::put_told(writer, told),
    }
}

pub(super) fn order(reader: &mut Reader<'_>) -> Result<Order, Malformed> {
    Ok(match reader.octet("order")? {
        0 => Order::Add { host: reader.host()?, profile: profile(reader)?, config: Box::new(config(reader)?) },
        1 => Order::Change {
            host: reader.host()?,
            profile: profile(reader)?,
            config: Box::new(config(reader)?),
            grace: reader.duration()?,
        },
        2 => Order::Remove { host: reader.host()? },
        3 => Order::Local { host: reader.host()?, local: local(reader)? },
        4 => {
            let (link, name) = (reader.link()?, reader.text()?);
            Order::Link { link, name, state: state(reader)? }
        }
        5 => Order::Port { link: reader.link()?, sockets: sockets(reader)? },
        6 => Order::Keep { link: reader.link()? },
        7 => Order::Command { host: reader.host()?, command: reader.choice(&COMMANDS, "command")? },
        8 => Order::Missing { host: reader.host()? },
        9 => Order::TellStates,
        10 => Order::Beat { interval: reader.duration()? },
        11 => {
            let (host, name, by) = (reader.host()?, reader.text()?, reader.number()?);
            Order::Demote { host, name, by: u16::try_from(by).map_err(|_| reader.malformed("demotion"))? }
        }
        12 => {
            let (host, name) = (reader.host()?, reader.text()?);
            Order::Bar { host, name, bar: reader.option(|reader| reader.choice(&BARS, "bar"))? }
        }
        13 => Order::Check(check(reader)?),
        14 => Order::ForgetCheck { name: reader.text()? },
        16 => Order::Hear { link: reader.link()?, index: reader.number()?, ear: reader.choice(&EARS, "ear")? },
        17 => Order::Own { macs: (0..reader.number()?).map(|_| reader.mac()).collect::<Result<_, _>>()? },
        control::ORDER => Order::Control(control::told(reader)?),
        _ => return Err(reader.malformed("order")),
    })
}

/// A datagram of reports, with none in it yet.
pub(super) fn reports(decided: Instant) -> Writer {
    Writer(decided.as_nanos().to_le_bytes().to_vec())
}

pub(super) fn decided(reader: &mut Reader<'_>) -> Result<Instant, Malformed> {
    reader.nanos().map(Instant::from_nanos)
}

pub(super) fn put_report(writer: &mut Writer, report: &Report) {
    match report {
        Report::Claim(host) => {
            writer.octet(0);
            writer.host(*host);
        }
        Report::Renew(host) => {
            writer.octet(1);
            writer.host(*host);
        }
        Report::Release(host) => {
            writer.octet(2);
            writer.host(*host);
        }
        Report::State(host, state) => {
            writer.octet(3);
            writer.host(*host);
            writer.octet(place(&STATES, state));
        }
        Report::Will { host, link, destination, goodbye } => {
            writer.octet(4);
            writer.host(*host);
            writer.number(link.0);
            writer.option(*destination, Writer::ip);
            writer.bytes(goodbye);
        }
        Report::Broken(link) => {
            writer.octet(5);
            writer.number(link.0);
        }
        Report::Followed(host) => {
            writer.octet(6);
            writer.host(*host);
        }
        Report::Log(level, text) => {
            writer.octet(7);
            writer.octet(place(&LEVELS, level));
            writer.text(&text[..text.floor_char_boundary(LONGEST_LINE)]);
        }
        Report::Control(asked) => control::put_asked(writer, asked),
    }
}

pub(super) fn report(reader: &mut Reader<'_>) -> Result<Report, Malformed> {
    Ok(match reader.octet("report")? {
        0 => Report::Claim(reader.host()?),
        1 => Report::Renew(reader.host()?),
        2 => Report::Release(reader.host()?),
        3 => Report::State(reader.host()?, reader.choice(&STATES, "state")?),
        4 => {
            let (host, link, destination) = (reader.host()?, reader.link()?, reader.option(Reader::ip)?);
            let goodbye = reader.bytes()?.to_vec();
            if goodbye.len() > LONGEST_GOODBYE {
                return Err(reader.malformed("goodbye of a usual length"));
            }
            Report::Will { host, link, destination, goodbye }
        }
        5 => Report::Broken(reader.link()?),
        6 => Report::Followed(reader.host()?),
        7 => {
            let (level, text) = (reader.choice(&LEVELS, "level")?, reader.text()?);
            if text.len() > LONGEST_LINE {
                return Err(reader.malformed("line of a usual length"));
            }
            Report::Log(level, text)
        }
        control::REPORT => Report::Control(control::asked(reader)?),
        _ => return Err(reader.malformed("report")),
    })
}
