//! How the messages are written: fields one after the other, numbers with their low octet first, lists and texts behind
//! their length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use carp_core::auth::{AddressList, Key};
use carp_core::election::{State, TieRule};
use carp_core::host::{Authentication, Credentials, Local, MacMode, Transport, VirtualHostConfig};
use carp_core::node::{Command, LinkId, LinkState};
use carp_core::time::Instant;
use carp_core::timing::Interval;
use carp_core::wire::MacAddr;
use log::Level;

use super::{HostNumber, LONGEST_GOODBYE, LONGEST_LINE, Order, Profile, Report, Sockets};

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
const COMMANDS: [Command; 4] = [Command::HandOver, Command::ShutDown, Command::Claimed, Command::Released];
const LEVELS: [Level; 5] = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
const AUTHENTICATIONS: [Authentication; 3] = [Authentication::Classic, Authentication::Observe, Authentication::Strict];
const TIES: [TieRule; 3] = [TieRule::UcarpLittleEndian, TieRule::Numeric, TieRule::Kernel];

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
}

fn profile(reader: &mut Reader<'_>) -> Result<Profile, Malformed> {
    Ok(Profile {
        who: reader.text()?,
        title: reader.text()?,
        native: reader.flag()?,
        lease: reader.option(Reader::nanos)?.map(Duration::from_nanos),
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

fn put_config(writer: &mut Writer, config: &VirtualHostConfig) {
    writer.number(config.link.0);
    writer.octet(config.vhid);
    let Credentials { key, addresses, link_local_in_digest, lladdr } = &config.credentials;
    writer.0.extend_from_slice(key.as_bytes());
    writer.ips(addresses.v4().map(IpAddr::V4).chain(addresses.v6().map(IpAddr::V6)));
    writer.flag(*link_local_in_digest);
    writer.option(*lladdr, Writer::mac);
    put_local(writer, &config.local);
    match &config.transport {
        Transport::Multicast { v4, v6, broadcast } => {
            writer.octet(0);
            writer.v4(*v4);
            writer.v6(*v6);
            writer.flag(*broadcast);
        }
        Transport::Unicast { peers, any_ttl } => {
            writer.octet(1);
            writer.ips(peers.iter().copied());
            writer.flag(*any_ttl);
        }
    }
    writer.flag(config.mac == MacMode::Virtual);
    writer.octet(config.interval.advbase);
    writer.octet(config.interval.advskew);
    writer.number(config.dead_ratio);
    writer.flag(config.preempt);
    writer.octet(place(&TIES, &config.tie));
    writer.flag(config.pseudo_header_checksum);
    writer.octet(place(&AUTHENTICATIONS, &config.authentication));
}

fn config(reader: &mut Reader<'_>) -> Result<VirtualHostConfig, Malformed> {
    Ok(VirtualHostConfig {
        link: reader.link()?,
        vhid: reader.octet("vhid")?,
        credentials: Credentials {
            key: Key::from_bytes(reader.array("key")?),
            addresses: AddressList::new(reader.ips()?),
            link_local_in_digest: reader.flag()?,
            lladdr: reader.option(Reader::mac)?,
        },
        local: local(reader)?,
        transport: match reader.octet("transport")? {
            0 => Transport::Multicast { v4: reader.v4()?, v6: reader.v6()?, broadcast: reader.flag()? },
            1 => Transport::Unicast { peers: reader.ips()?, any_ttl: reader.flag()? },
            _ => return Err(reader.malformed("transport")),
        },
        mac: if reader.flag()? { MacMode::Virtual } else { MacMode::Interface },
        interval: Interval { advbase: reader.octet("advbase")?, advskew: reader.octet("advskew")? },
        dead_ratio: reader.number()?,
        preempt: reader.flag()?,
        tie: reader.choice(&TIES, "tie rule")?,
        pseudo_header_checksum: reader.flag()?,
        authentication: reader.choice(&AUTHENTICATIONS, "authentication")?,
    })
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
            match state {
                LinkState::Gone => writer.octet(0),
                LinkState::Down => writer.octet(1),
                LinkState::NoCarrier => writer.octet(2),
                LinkState::Up(mac) => {
                    writer.octet(3);
                    writer.mac(*mac);
                }
            }
        }
        Order::Port { link, sockets } => {
            writer.octet(5);
            writer.number(link.0);
            writer.number(sockets.index);
            for present in [sockets.v4, sockets.v6, sockets.unicast_v4, sockets.unicast_v6] {
                writer.flag(present);
            }
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
    }
}

pub(super) fn order(reader: &mut Reader<'_>) -> Result<Order, Malformed> {
    Ok(match reader.octet("order")? {
        0 => Order::Add { host: reader.host()?, profile: profile(reader)?, config: Box::new(config(reader)?) },
        1 => Order::Change {
            host: reader.host()?,
            profile: profile(reader)?,
            config: Box::new(config(reader)?),
            grace: Duration::from_nanos(reader.nanos()?),
        },
        2 => Order::Remove { host: reader.host()? },
        3 => Order::Local { host: reader.host()?, local: local(reader)? },
        4 => {
            let (link, name) = (reader.link()?, reader.text()?);
            let state = match reader.octet("state of a link")? {
                0 => LinkState::Gone,
                1 => LinkState::Down,
                2 => LinkState::NoCarrier,
                3 => LinkState::Up(reader.mac()?),
                _ => return Err(reader.malformed("state of a link")),
            };
            Order::Link { link, name, state }
        }
        5 => {
            let (link, index) = (reader.link()?, reader.number()?);
            let (v4, v6) = (reader.flag()?, reader.flag()?);
            let (unicast_v4, unicast_v6) = (reader.flag()?, reader.flag()?);
            Order::Port { link, sockets: Sockets { index, v4, v6, unicast_v4, unicast_v6 } }
        }
        6 => Order::Keep { link: reader.link()? },
        7 => Order::Command { host: reader.host()?, command: reader.choice(&COMMANDS, "command")? },
        8 => Order::Missing { host: reader.host()? },
        9 => Order::TellStates,
        10 => Order::Beat { interval: Duration::from_nanos(reader.nanos()?) },
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
        _ => return Err(reader.malformed("report")),
    })
}
