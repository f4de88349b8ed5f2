//! Which names a browser may have called this server by. A page of somebody else can make its own name resolve to
//! 127.0.0.1 (DNS rebinding) and would then read this one as its own; the name in `Host` gives it away.

use std::net::{IpAddr, SocketAddr};

/// The names that requests may be for.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Where this server can be reached only from this host.
    local: bool,
    /// Names that the operator allows, in lower case.
    names: Vec<String>,
}

impl Guard {
    /// For a server that listens on `address`; `names` come from `--allow-host`.
    pub(crate) fn new(address: SocketAddr, names: &[String]) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Guard { local: address.ip().to_canonical().is_loopback(), names }
    }

    /// Whether a request with this `Host` is for this server. Without one it comes from no browser.
    pub(crate) fn admits(&self, host: Option<&str>) -> bool {
        let Some(host) = host else { return true };
        let name = without_port(host).to_ascii_lowercase();
        if self.names.contains(&name) {
            return true;
        }
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_local = name == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback());
        // An address cannot be rebound. A name can, and where others can reach this server they need no such trick.
        if self.local { is_local } else { self.names.is_empty() || address.is_some() || is_local }
    }
}

/// `Host` is a name or an address, the latter in brackets if it is IPv6, and perhaps a port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !unbracketed(name) => name,
        _ => host,
    }
}

/// Whether there is an IPv6 address whose last group would look like a port.
fn unbracketed(name: &str) -> bool {
    name.contains(':') && !name.ends_with(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str, names: &[&str]) -> Guard {
        Guard::new(address.parse().unwrap(), &names.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn on_localhost_only_its_own_names_are_admitted() {
        for address in ["127.0.0.1:9112", "[::1]:9112"] {
            let guard = guard(address, &[]);
            for host in ["localhost", "LOCALHOST:9112", "127.0.0.1:9112", "127.9.9.9", "[::1]:9112", "[::1]", "::1"] {
                assert!(guard.admits(Some(host)), "{host}");
            }
            for host in
                ["evil.example", "evil.example:9112", "localhost.evil.example", "10.0.0.1", "", "127.0.0.1.evil"]
            {
                assert!(!guard.admits(Some(host)), "{host}");
            }
            assert!(guard.admits(None), "HTTP/1.0 without a Host is no browser");
        }
    }

    #[test]
    fn a_name_that_the_operator_allows_is_admitted() {
        let guard = guard("127.0.0.1:9112", &["Status.Example"]);
        assert!(guard.admits(Some("status.example")) && guard.admits(Some("STATUS.example:443")));
        assert!(!guard.admits(Some("other.example")));
    }

    #[test]
    fn elsewhere_any_name_is_admitted_unless_some_are_named() {
        assert!(guard("10.0.0.1:9112", &[]).admits(Some("alpha.example")));
        let named = guard("0.0.0.0:9112", &["alpha.example"]);
        assert!(named.admits(Some("alpha.example")) && named.admits(Some("10.0.0.1:9112")));
        assert!(!named.admits(Some("evil.example")));
    }
}
