//! Values of keys of checks.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::{Reader, Value};
use crate::config::text;
use crate::settings::Url;

/// The port of `http://` without one.
const HTTP: u16 = 80;

/// No longer path is asked for.
const LONGEST_PATH: usize = 1024;

impl Reader<'_> {
    pub(super) fn time(&mut self, value: &Spanned<DeValue<'_>>, least: u32, most: u32) -> Option<Value> {
        match value.get_ref() {
            DeValue::String(given) => {
                let millis = text::milliseconds(given).filter(|millis| (least..=most).contains(millis));
                return millis.map(|millis| Value::Duration(Duration::from_millis(millis.into())));
            }
            DeValue::Integer(given) => self.refuse(value, Some(format!("write it with a unit: \"{given}s\""))),
            _ => {}
        }
        None
    }

    pub(super) fn slack(&mut self, value: &Spanned<DeValue<'_>>, least: u32, most: u32) -> Option<Value> {
        if let DeValue::Integer(given) = value.get_ref() {
            self.refuse(value, Some(format!("write it with a unit: \"{given}us\"")));
        }
        let micros = text::microseconds(value.get_ref().as_str()?).filter(|micros| (least..=most).contains(micros))?;
        Some(Value::Duration(Duration::from_micros(micros.into())))
    }

    /// An empty list is none, whatever `[defaults]` say.
    pub(super) fn names(&mut self, list: &DeArray<'_>) -> Option<Value> {
        let mut found: Vec<(String, Range<usize>)> = Vec::new();
        for item in list {
            let Some(name) = item.get_ref().as_str().filter(|name| text::is_host_name(name)) else {
                self.refuse(item, Some("a name has 1 to 64 letters, digits, `.`, `_` and `-`".into()));
                continue;
            };
            if found.iter().any(|(known, _)| known == name) {
                self.fault(item.span(), format!("the check {name:?} is given twice"), None);
            } else {
                found.push((name.to_owned(), item.span()));
            }
        }
        Some(Value::Names(found))
    }
}

/// The address of any one host.
pub(super) fn target(text: &str) -> Option<IpAddr> {
    let is_one = |ip: &IpAddr| ip.is_loopback() || text::is_host(*ip);
    text.parse().ok().filter(is_one)
}

/// `http://ADDRESS[:PORT][/PATH]`. Everything in it is printable, so that it is one line of a request.
pub(super) fn url(text: &str) -> Option<Url> {
    let rest = text.strip_prefix("http://")?;
    let (server, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if path.len() > LONGEST_PATH || !path.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#') {
        return None;
    }
    let bare = server.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(server);
    let (address, port) = match (server.parse::<SocketAddr>(), bare.parse::<IpAddr>()) {
        (Ok(both), _) => (both.ip(), both.port()),
        // An IPv6 address stands in brackets.
        (Err(_), Ok(ip)) if ip.is_ipv4() || bare != server => (ip, HTTP),
        _ => return None,
    };
    (port > 0 && target(&address.to_string()).is_some()).then(|| Url { address, port, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_an_address_and_perhaps_a_port_and_a_path() {
        for (text, shown) in [
            ("http://127.0.0.1", "http://127.0.0.1:80/"),
            ("http://192.0.2.1:8080/health?x=1", "http://192.0.2.1:8080/health?x=1"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]:80/"),
            ("http://[::1]:81/", "http://[::1]:81/"),
        ] {
            let read = url(text).unwrap();
            assert_eq!(read.to_string(), shown);
            assert_eq!(url(shown), Some(read));
        }
        for text in [
            "https://127.0.0.1/",
            "127.0.0.1",
            "http://",
            "http://localhost/",
            "http://::1/",
            "http://[127.0.0.1/",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/\r\nx",
            "http://127.0.0.1/#a",
            "http://224.0.0.1/",
        ] {
            assert_eq!(url(text), None, "{text}");
        }
    }

    #[test]
    fn targets_are_single_hosts() {
        for good in ["127.0.0.1", "192.0.2.1", "fe80::1", "::1"] {
            assert!(target(good).is_some(), "{good}");
        }
        for bad in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "x", "192.0.2.1/24"] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
