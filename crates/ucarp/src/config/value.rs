//! One value of a file: from TOML to what its key means.

mod check;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use carp_core::auth::{KEY_LEN, Key};
use carp_core::wire::MacAddr;
use toml::Spanned;
use toml::de::{DeArray, DeValue};
use zeroize::Zeroizing;

use super::nearest::nearest;
use super::table::{KeySpec, Kind, LEASE_SECONDS};
use super::text;
use crate::settings::{Url, VirtualAddress};

/// The longest path of a socket that the kernel takes, in octets.
const LONGEST_SOCKET: usize = 107;

/// What the value of a key means.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Flag(bool),
    Number(u32),
    Choice(&'static str),
    Duration(Duration),
    /// In seconds; 0 for ever.
    Lease(u32),
    Text(String),
    Addresses(Vec<(VirtualAddress, Range<usize>)>),
    Peers(Vec<(IpAddr, Range<usize>)>),
    Names(Vec<(String, Range<usize>)>),
    Ip(IpAddr),
    Url(Url),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    File(PathBuf),
    Command(Command),
    Key(Key),
    Mac(MacAddr),
}

/// A program as a file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// The empty string: none, whatever `[defaults]` say.
    None,
    /// Called with UCARP's arguments.
    Classic(String),
    /// Called with exactly these.
    Exact(String, Vec<String>),
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Reads the value of the key `spec`. With several faults in a list each is told, and then there is no value.
pub(super) fn read(spec: &KeySpec, value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) -> Option<Value> {
    let before = faults.len();
    let mut reader = Reader { spec, faults };
    let read = reader.read(value);
    if read.is_none() && reader.faults.len() == before {
        reader.refuse(value, None);
    }
    read.filter(|_| faults.len() == before)
}

struct Reader<'a> {
    spec: &'a KeySpec,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// `None` without a fault stands for the usual one: not what is allowed.
    fn read(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let string = value.get_ref().as_str();
        match self.spec.kind {
            Kind::Flag => value.get_ref().as_bool().map(Value::Flag),
            Kind::Number { least, most } => number(value.get_ref(), least, most).map(Value::Number),
            Kind::Choice(words) => self.choice(value, words),
            Kind::Duration { least, most } => self.duration(value, least, most).map(Value::Duration),
            Kind::Lease if string == Some("none") => Some(Value::Lease(0)),
            Kind::Lease => {
                let lease = self.duration(value, LEASE_SECONDS.0, LEASE_SECONDS.1)?;
                Some(Value::Lease(u32::try_from(lease.as_secs()).expect("the range of a lease ends before")))
            }
            Kind::Interface => self.interface(value),
            Kind::Label => string.filter(|label| text::is_label(label)).map(|label| Value::Text(label.to_owned())),
            Kind::Text => string.filter(|text| !text.contains('\0')).map(|text| Value::Text(text.to_owned())),
            Kind::Name => string.filter(|name| text::is_host_name(name)).map(|name| Value::Text(name.to_owned())),
            Kind::Addresses => self.addresses(value.get_ref().as_array()?),
            Kind::Peers => self.peers(value.get_ref().as_array()?),
            Kind::Time { least, most } => self.time(value, least, most),
            Kind::Slack { least, most } => self.slack(value, least, most),
            Kind::Names => self.names(value.get_ref().as_array()?),
            Kind::Target => check::target(string?).map(Value::Ip),
            Kind::Url => check::url(string?).map(Value::Url),
            Kind::SourceV4 => string?.parse().ok().filter(|ip| text::is_host(IpAddr::V4(*ip))).map(Value::V4),
            Kind::SourceV6 => string?.parse().ok().filter(|ip| text::is_host(IpAddr::V6(*ip))).map(Value::V6),
            Kind::GroupV4 => string?.parse().ok().filter(Ipv4Addr::is_multicast).map(Value::V4),
            Kind::GroupV6 => string?.parse().ok().filter(Ipv6Addr::is_multicast).map(Value::V6),
            Kind::File => string.filter(|path| text::is_full_path(path)).map(|path| Value::File(path.into())),
            Kind::Socket if value.get_ref().as_bool() == Some(false) => Some(Value::Flag(false)),
            Kind::Socket => string
                .filter(|path| text::is_full_path(path) && path.len() <= LONGEST_SOCKET)
                .map(|path| Value::File(path.into())),
            Kind::Command => command(value.get_ref()).map(Value::Command),
            Kind::Password => self.password(value),
            Kind::Key => hex_key(string?).map(Value::Key),
            Kind::Mac => text::mac(string?).map(Value::Mac),
        }
    }

    fn fault(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        self.faults.push(Fault { span, message, help });
    }

    /// The usual fault: the value is not what is allowed.
    fn refuse(&mut self, value: &Spanned<DeValue<'_>>, help: Option<String>) {
        let (name, allowed) = (self.spec.name, self.spec.kind.allowed());
        let instead = match self.spec.kind {
            Kind::Password | Kind::Key => String::new(),
            _ => format!(", not {}", description(value.get_ref())),
        };
        self.fault(value.span(), format!("`{name}` must be {allowed}{instead}"), help);
    }

    fn choice(&mut self, value: &Spanned<DeValue<'_>>, words: &'static [&'static str]) -> Option<Value> {
        let given = value.get_ref().as_str()?;
        if let Some(word) = words.iter().find(|word| **word == given) {
            return Some(Value::Choice(word));
        }
        let help = nearest(given, words.iter().copied()).map(|word| format!("did you mean \"{word}\"?"));
        self.refuse(value, help);
        None
    }

    fn duration(&mut self, value: &Spanned<DeValue<'_>>, least: u32, most: u32) -> Option<Duration> {
        match value.get_ref() {
            DeValue::String(given) => {
                let seconds = text::seconds(given).filter(|seconds| (least..=most).contains(seconds));
                return seconds.map(|seconds| Duration::from_secs(seconds.into()));
            }
            DeValue::Integer(given) => self.refuse(value, Some(format!("write it with a unit: \"{given}s\""))),
            _ => {}
        }
        None
    }

    fn interface(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let given = value.get_ref().as_str()?;
        if text::is_interface(given) {
            return Some(Value::Text(given.to_owned()));
        }
        if let Some((interface, _)) = given.split_once(':').filter(|(interface, _)| text::is_interface(interface)) {
            self.refuse(value, Some(format!("write `{} = \"{interface}\"` and `label = {given:?}`", self.spec.name)));
        }
        None
    }

    fn addresses(&mut self, list: &DeArray<'_>) -> Option<Value> {
        let mut found: Vec<(VirtualAddress, Range<usize>)> = Vec::new();
        for item in list {
            let Some(given) = item.get_ref().as_str() else {
                self.refuse_item(item, "such as \"192.0.2.254\"");
                continue;
            };
            match text::virtual_address(given) {
                Ok(address) if found.iter().any(|(known, _)| known.ip == address.ip) => {
                    self.fault(item.span(), format!("the address {} is given twice", address.ip), None);
                }
                Ok(address) => found.push((address, item.span())),
                Err(fault) => self.fault(item.span(), format!("{given:?} is no address to share: {fault}"), None),
            }
        }
        (!found.is_empty()).then_some(Value::Addresses(found))
    }

    fn peers(&mut self, list: &DeArray<'_>) -> Option<Value> {
        let mut found: Vec<(IpAddr, Range<usize>)> = Vec::new();
        for item in list {
            match item.get_ref().as_str().and_then(|given| given.parse().ok()).filter(|ip| text::is_host(*ip)) {
                None => self.refuse_item(item, "of one host, such as \"192.0.2.2\", without a prefix length"),
                Some(ip) if found.iter().any(|(known, _)| *known == ip) => {
                    self.fault(item.span(), format!("the peer {ip} is given twice"), None);
                }
                Some(ip) => found.push((ip, item.span())),
            }
        }
        (!found.is_empty()).then_some(Value::Peers(found))
    }

    fn refuse_item(&mut self, item: &Spanned<DeValue<'_>>, example: &str) {
        let message = format!(
            "`{}` must be a list of strings, each an address {example}; not {}",
            self.spec.name,
            description(item.get_ref())
        );
        self.fault(item.span(), message, None);
    }

    fn password(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let given = value.get_ref().as_str()?;
        match Key::from_password(given.as_bytes()) {
            Ok(key) => Some(Value::Key(key)),
            Err(error) => {
                self.fault(value.span(), error.to_string(), None);
                None
            }
        }
    }
}

fn number(value: &DeValue<'_>, least: u32, most: u32) -> Option<u32> {
    let given = value.as_integer()?;
    u32::from_str_radix(given.as_str(), given.radix()).ok().filter(|number| (least..=most).contains(number))
}

fn command(value: &DeValue<'_>) -> Option<Command> {
    let text = |value: &DeValue<'_>| value.as_str().filter(|text| !text.contains('\0')).map(str::to_owned);
    match value {
        DeValue::String(path) if path.is_empty() => Some(Command::None),
        DeValue::String(path) => text::is_full_path(path).then(|| Command::Classic(path.clone().into_owned())),
        DeValue::Array(words) => {
            let words: Vec<String> = words.iter().map(|word| text(word.get_ref())).collect::<Option<_>>()?;
            let (path, arguments) = words.split_first()?;
            text::is_full_path(path).then(|| Command::Exact(path.clone(), arguments.to_vec()))
        }
        _ => None,
    }
}

/// The octets of a key in hexadecimal digits.
fn hex_key(digits: &str) -> Option<Key> {
    let digits = digits.as_bytes();
    if digits.len() != 2 * KEY_LEN {
        return None;
    }
    let mut octets = Zeroizing::new([0; KEY_LEN]);
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *octet = digit(0)? << 4 | digit(1)?;
    }
    Some(Key::from_bytes(*octets))
}

/// A value in a message. Long ones are cut.
fn description(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", shortened(text)),
        DeValue::Integer(number) => shortened(&number.to_string()),
        DeValue::Float(number) => shortened(number.as_str()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date or time".into(),
        DeValue::Array(list) if list.is_empty() => "an empty list".into(),
        DeValue::Array(_) => "this list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// At most 40 characters of a text.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
