//! What has to hold before a drill.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ucarp_control::types::{State, VirtualHost};

use super::wire::{self, Wire};
use super::{Arguments, MOST_ADDRESSES, Plan, neighbours};

/// Time for a host to answer: it may have to be found first.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Why there is no drill.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Refusal {
    #[error("the daemon has no such virtual host any more")]
    Gone,
    #[error("{name} is {state} here; run it on the MASTER{}", .master.as_deref().map(|at| format!(", {at}")).unwrap_or_default())]
    NotMaster { name: String, state: State, master: Option<String> },
    #[error("{peer} advertises as MASTER too: there are two already; `ucarpctl doctor` looks for the reason")]
    TwoMasters { peer: String },
    #[error("no other host was heard that could take over; --peer ADDRESS names one that was never MASTER")]
    NobodyHeard,
    #[error("nobody could take over: {} does not answer; start that host, or name another one with --peer", .0.join(", "))]
    NobodyAnswers(Vec<String>),
    #[error("the virtual host has no address that could be probed")]
    NoAddress,
}

/// What is to be done, or why not.
pub(super) fn plan(found: Vec<VirtualHost>, arguments: &Arguments) -> Result<Plan, Refusal> {
    let host = found.into_iter().next().ok_or(Refusal::Gone)?;
    let candidates = candidates(&host, arguments.peer)?;
    let addresses: Vec<IpAddr> =
        host.addresses.iter().filter_map(|address| parse(&address.address)).take(MOST_ADDRESSES).collect();
    if addresses.is_empty() {
        return Err(Refusal::NoAddress);
    }
    let peers: Vec<IpAddr> = candidates.iter().copied().filter(|peer| answers(*peer, &host.interface)).collect();
    if peers.is_empty() {
        return Err(Refusal::NobodyAnswers(candidates.iter().map(IpAddr::to_string).collect()));
    }
    Ok(Plan {
        host,
        addresses,
        peers,
        kill: arguments.kill.map(Duration::from_millis),
        interval: Duration::from_millis(arguments.interval),
        stay: Duration::from_secs(arguments.stay),
        comes_back: !arguments.stay_there,
    })
}

/// Who may take over.
fn candidates(host: &VirtualHost, named: Option<IpAddr>) -> Result<Vec<IpAddr>, Refusal> {
    if host.state != State::Master {
        let (name, master) = (host.name.clone(), host.master.clone());
        return Err(Refusal::NotMaster { name, state: host.state, master });
    }
    if let Some(peer) = host.peers.iter().find(|peer| peer.is_master) {
        return Err(Refusal::TwoMasters { peer: peer.address.clone() });
    }
    let heard = host.peers.iter().filter_map(|peer| parse(&peer.address));
    let candidates: Vec<IpAddr> = named.map_or_else(|| heard.collect(), |peer| vec![peer]);
    if candidates.is_empty() { Err(Refusal::NobodyHeard) } else { Ok(candidates) }
}

/// An address, without what may follow it: a prefix length, or the zone of a link-local one.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    text.split(['/', '%']).next()?.parse().ok()
}

/// Whether a host is there: it answers an echo request, or at least where it is.
fn answers(peer: IpAddr, interface: &str) -> bool {
    let Ok(wire) = Wire::open(peer, neighbours::index(interface)) else { return false };
    let deadline = Instant::now() + ANSWER_WITHIN;
    let mut number = 0;
    while Instant::now() < deadline {
        wire.send(number);
        number += 1;
        if wire::wait(&[&wire], Duration::from_millis(100)) && wire.receive().is_some() {
            return true;
        }
    }
    neighbours::is_reachable(interface, peer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    #[test]
    fn a_drill_needs_a_master_and_somebody_else() {
        let peer = "10.0.0.3".parse().unwrap();
        assert_eq!(candidates(&fake::master(), None), Ok(vec![peer]));
        let refused = candidates(&fake::backup(), None).unwrap_err().to_string();
        assert_eq!(refused, "mail is BACKUP here; run it on the MASTER, 10.0.0.2");
        let lonely = VirtualHost { peers: Vec::new(), ..fake::master() };
        assert_eq!(candidates(&lonely, None), Err(Refusal::NobodyHeard));
        assert_eq!(candidates(&lonely, Some(peer)), Ok(vec![peer]));
        let mut split = fake::master();
        split.peers[0].is_master = true;
        assert_eq!(candidates(&split, None), Err(Refusal::TwoMasters { peer: "10.0.0.3".into() }));
    }

    #[test]
    fn addresses_come_with_more() {
        assert_eq!(parse("10.0.0.100/24"), "10.0.0.100".parse().ok());
        assert_eq!(parse("fe80::1%eth0"), "fe80::1".parse().ok());
        assert_eq!(parse("web"), None);
    }
}
