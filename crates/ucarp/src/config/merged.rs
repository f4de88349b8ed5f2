//! The keys of one virtual host: its own before the defaults of its file, these before the main file's, these before
//! the table's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use carp_core::wire::MacAddr;
use toml::de::DeValue;

use super::document::{Entry, Layer};
use super::problem::Site;
use super::table::{KEYS, KeyId};
use super::value::{self, Command, Value};
use crate::settings::{Process, VirtualAddress};

/// The values of the table's defaults.
static DEFAULTS: LazyLock<BTreeMap<KeyId, Value>> = LazyLock::new(|| {
    let mut values = BTreeMap::new();
    for spec in KEYS {
        let Some(default) = spec.default else { continue };
        let parsed = DeValue::parse(default).expect("a default is TOML");
        let value = value::read(spec, &parsed, &mut Vec::new()).expect("a default is a valid value");
        values.insert(spec.id, value);
    }
    values
});

/// All that holds for one virtual host.
pub(super) struct Merged<'d> {
    pub(super) name: &'d str,
    /// Where it is named.
    pub(super) site: &'d Site,
    /// The nearest first: its own keys, then defaults.
    pub(super) layers: Vec<&'d Layer>,
    /// Whether keys may be missing here that the file has, because it is no proper TOML.
    pub(super) broken: bool,
}

impl<'d> Merged<'d> {
    /// A key as the files give it.
    pub(super) fn entry(&self, id: KeyId) -> Option<&'d Entry> {
        self.layers.iter().find_map(|layer| layer.get(&id))
    }

    /// A key that stands in the table of the virtual host itself.
    pub(super) fn own(&self, id: KeyId) -> Option<&'d Entry> {
        self.layers[0].get(&id)
    }

    /// Where the value of a key comes from, or else the virtual host's name.
    pub(super) fn site(&self, id: KeyId) -> &'d Site {
        self.entry(id).map_or(self.site, |entry| &entry.site)
    }

    /// Whether one of these keys has a wrong value, so that nothing should be concluded from it.
    pub(super) fn is_faulty(&self, ids: &[KeyId]) -> bool {
        ids.iter().any(|id| self.entry(*id).is_some_and(|entry| entry.value.is_none()))
    }

    /// The value of a key, its default if it is not given or wrong.
    fn value(&self, id: KeyId) -> Option<&Value> {
        self.given(id).or_else(|| DEFAULTS.get(&id))
    }

    /// The value of a key if the files give it.
    pub(super) fn given(&self, id: KeyId) -> Option<&'d Value> {
        self.entry(id).and_then(|entry| entry.value.as_ref())
    }

    pub(super) fn flag(&self, id: KeyId) -> bool {
        matches!(self.value(id), Some(Value::Flag(true)))
    }

    /// 0 if there is none.
    pub(super) fn number(&self, id: KeyId) -> u32 {
        if let Some(Value::Number(number)) = self.value(id) { *number } else { 0 }
    }

    pub(super) fn byte(&self, id: KeyId) -> u8 {
        u8::try_from(self.number(id)).expect("the range of this key is a byte's")
    }

    pub(super) fn choice(&self, id: KeyId) -> &'static str {
        if let Some(Value::Choice(word)) = self.value(id) { word } else { "" }
    }

    pub(super) fn duration(&self, id: KeyId) -> Duration {
        if let Some(Value::Duration(duration)) = self.value(id) { *duration } else { Duration::ZERO }
    }

    pub(super) fn text(&self, id: KeyId) -> Option<&str> {
        if let Some(Value::Text(text)) = self.value(id) { Some(text) } else { None }
    }

    pub(super) fn v4(&self, id: KeyId) -> Option<Ipv4Addr> {
        if let Some(Value::V4(ip)) = self.value(id) { Some(*ip) } else { None }
    }

    pub(super) fn v6(&self, id: KeyId) -> Option<Ipv6Addr> {
        if let Some(Value::V6(ip)) = self.value(id) { Some(*ip) } else { None }
    }

    pub(super) fn mac(&self, id: KeyId) -> Option<MacAddr> {
        if let Some(Value::Mac(mac)) = self.value(id) { Some(*mac) } else { None }
    }

    pub(super) fn command(&self, id: KeyId) -> Option<&Command> {
        if let Some(Value::Command(command)) = self.value(id) { Some(command) } else { None }
    }

    /// The names of its checks, each with its place.
    pub(super) fn checks(&self) -> &'d [(String, Range<usize>)] {
        if let Some(Value::Names(names)) = self.given(KeyId::Checks) { names } else { &[] }
    }

    /// The shared addresses, each with its place.
    pub(super) fn addresses(&self) -> &'d [(VirtualAddress, Range<usize>)] {
        if let Some(Value::Addresses(addresses)) = self.given(KeyId::Addresses) { addresses } else { &[] }
    }

    /// The peers, each with its place.
    pub(super) fn peers(&self) -> &'d [(IpAddr, Range<usize>)] {
        if let Some(Value::Peers(peers)) = self.given(KeyId::Peers) { peers } else { &[] }
    }
}

/// The value of a key before the first table.
fn value_of(top: &Layer, id: KeyId) -> Option<&Value> {
    top.get(&id).and_then(|entry| entry.value.as_ref()).or_else(|| DEFAULTS.get(&id))
}

/// How long a reload lets the group go on with what it knows.
pub(super) fn grace(top: &Layer) -> Duration {
    if let Some(Value::Duration(grace)) = value_of(top, KeyId::Grace) { *grace } else { Duration::ZERO }
}

/// How the kernel is to treat the daemon.
pub(super) fn process(top: &Layer) -> Process {
    Process {
        realtime_priority: match value_of(top, KeyId::RealtimePriority) {
            Some(Value::Number(priority)) => u8::try_from(*priority).ok(),
            _ => None,
        },
        lock_memory: matches!(value_of(top, KeyId::LockMemory), Some(Value::Flag(true))),
        timer_slack: match value_of(top, KeyId::TimerSlack) {
            Some(Value::Duration(slack)) => Some(*slack),
            _ => None,
        },
    }
}

/// Where the control socket is.
pub(super) fn control(top: &Layer) -> Option<PathBuf> {
    match value_of(top, KeyId::Control) {
        Some(Value::File(path)) => Some(path.clone()),
        _ => None,
    }
}
