//! What the log says of decisions and of what was noticed: the texts that users of UCARP grep for, and why.

use std::net::IpAddr;

use carp_core::auth::difference::Difference;
use carp_core::election::{Bar, Peer, Reason, State};
use carp_core::host::{ConflictAnswer, Doubt, Rival};
use carp_core::node::Notice;
use carp_core::time::Instant;
use carp_core::wire::advertisement::DIGEST_LEN;
use carp_core::wire::frame;
use log::{info, warn};

use crate::complaints::{Complaints, Subject, Summary};
use crate::protocol::HostNumber;

/// Logs a change of state with its reason. UCARP's words come first where it has some.
///
/// `who` names the virtual host in front of each line, where there can be several.
pub fn transition(who: &str, from: State, to: State, reason: &Reason) {
    match (from, to) {
        (State::Init, State::Backup) => info!("{who}Listening as BACKUP: {reason}"),
        (_, State::Master) => {
            warn!("{who}Switching to state: MASTER");
            match reason {
                Reason::Preempted { .. } => warn!("{who}Putting MASTER down - preemption: {reason}"),
                Reason::MasterBoundToTimeOut { .. } => warn!("{who}Putting MASTER DOWN (going to time out): {reason}"),
                _ => info!("{who}MASTER because {reason}"),
            }
        }
        // A MASTER that leaves by command has said so when it decided to.
        (State::Master, _) if has_left(reason) => {
            info!("{who}Said goodbye: {reason}");
        }
        (State::Master, _) => {
            warn!("{who}Switching to state: BACKUP");
            match reason {
                Reason::BetterMaster { .. } | Reason::TieLost { .. } => {
                    warn!("{who}Preferred master advertised: going back to BACKUP state: {reason}");
                }
                _ => warn!("{who}BACKUP because {reason}"),
            }
        }
        _ => info!("{who}Not listening: {reason}"),
    }
}

/// Whether a MASTER leaves for this reason with a goodbye.
fn has_left(reason: &Reason) -> bool {
    match reason {
        Reason::HandedOver | Reason::ShutDown | Reason::GroupLeft => true,
        Reason::StoodDown { bar } => *bar != Bar::Rehearsal,
        _ => false,
    }
}

/// Whether a change of state follows from one of the link alone, and no address moves.
#[must_use]
pub fn is_of_link(from: State, to: State, reason: &Reason) -> bool {
    let link = matches!(
        reason,
        Reason::LinkUp | Reason::LinkDown | Reason::CarrierLost | Reason::LinkGone | Reason::NoSourceAddress
    );
    link && from != State::Master && to != State::Master
}

/// Logs how often the link changed without a line.
pub fn flaps(who: &str, count: u64) {
    warn!("{who}The interface goes up and down: {count} more changes");
}

/// What is said of a MASTER that has heard nobody.
pub const ALONE: &str = "No other host of the group has been heard since the start. A BACKUP is silent; a MASTER that is not \
                         heard would be a second one: see that the interface is the right one, and that switches and \
                         firewalls let IP protocol 112 pass";

/// Logs [`ALONE`].
pub fn alone(who: &str) {
    info!("{who}{ALONE}");
}

/// Logs the decision of a MASTER to leave by command.
pub fn leaving(who: &str, reason: &Reason) {
    warn!("{who}Switching to state: BACKUP");
    info!("{who}Leaving, and advertising until the address is gone: {reason}");
}

/// What was found out about a digest that did not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The one that was expected.
    pub expected: [u8; DIGEST_LEN],
    /// What the sender has written differently, if that is known.
    pub difference: Option<Difference>,
    /// A virtual host id that is free, as far as was heard.
    pub free: Option<u8>,
}

/// Logs a notice, unless the same thing was said of the same sender a moment ago, and returns what it has said.
/// `examine` is asked about a bad digest.
pub fn notice(
    complaints: &mut Complaints,
    now: Instant,
    host: HostNumber,
    who: &str,
    notice: &Notice,
    examine: impl FnOnce(IpAddr, u64, &[u8; DIGEST_LEN]) -> Examined,
) -> Option<String> {
    let (kind, sender) = subject(notice);
    if !complaints.is_news(now, Subject { host: Some(host), kind, sender }) {
        return None;
    }
    let text = match notice {
        Notice::BadDigest { peer, counter, received, ucarp_with_list } => {
            let examined = examine(peer.source, *counter, received);
            bad_digest(peer, received, *ucarp_with_list, &examined)
        }
        notice => text(notice),
    };
    warn!("{who}{text}");
    Some(text)
}

fn bad_digest(peer: &Peer, received: &[u8; DIGEST_LEN], ucarp_with_list: bool, examined: &Examined) -> String {
    let Examined { expected, difference, free } = examined;
    let hint = match difference {
        None | Some(Difference::OneAddress(_)) if ucarp_with_list => {
            ": UCARP knows exactly one IPv4 address for each vhid".into()
        }
        Some(difference) => format!(": {difference}"),
        None => {
            let free = free.map(|free| format!("; if that is another group, vhid {free} is free as far as was heard"));
            format!(": another password or other addresses{}", free.unwrap_or_default())
        }
    };
    format!(
        "Bad digest - md2=[{}...] md=[{}...] - Check vhid, password and virtual IP address (from {}){hint}",
        hex(&expected[..4]),
        hex(&received[..4]),
        by(peer),
    )
}

/// A sender by both of its addresses.
fn by(peer: &Peer) -> String {
    format!("{}, {}", peer.source, peer.mac)
}

/// Logs how often something happened without a line.
pub fn summary(summary: &Summary, who: impl Fn(HostNumber) -> String) {
    match summary.subject {
        Some(Subject { host, kind, sender }) => {
            let who = host.map(who).unwrap_or_default();
            let from = sender.map(|sender| format!(" from {sender}")).unwrap_or_default();
            warn!("{who}{kind}: {} more{from}", summary.count);
        }
        None => warn!("{} more packets like these from many other senders", summary.count),
    }
}

fn subject(notice: &Notice) -> (&'static str, Option<IpAddr>) {
    match notice {
        Notice::Rejected(rejected) => (rejected_kind(rejected.reason), rejected.sender.map(|sender| sender.ip)),
        Notice::BadDigest { peer, .. } => ("Bad digest", Some(peer.source)),
        Notice::OwnEcho { .. } => ("Own advertisement came back", None),
        Notice::Doubtful { peer, doubt, .. } => (doubt_kind(*doubt), Some(peer.source)),
        Notice::WrongLink { peer } => ("Advertisement by the wrong interface", Some(peer.source)),
        Notice::DeafPeer { peer, .. } => ("A second MASTER does not hear this host", Some(peer.source)),
        Notice::AddressContested { peer } => ("Non-preferred master advertising", Some(peer.source)),
        Notice::EqualPeer { peer } => ("Equal advbase and advskew", Some(peer.source)),
        Notice::AddressConflict { rival, .. } => ("Address conflict", Some(rival.address)),
        Notice::Flapping => ("Too many takeovers", None),
        Notice::UcarpWithoutAdvbase { peer } => ("UCARP with advbase 0", Some(peer.source)),
    }
}

fn doubt_kind(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Replayed => "Repeated advertisement",
        Doubt::Stale { .. } => "Old advertisement",
        Doubt::Tampered => "Changed advertisement",
        Doubt::Unstamped => "Advertisement without stamp",
        Doubt::Reflected => "Advertisement from the own address",
    }
}

fn doubt_text(peer: &Peer, doubt: Doubt, refused: bool) -> String {
    let kind = doubt_kind(doubt);
    let why = match doubt {
        Doubt::Replayed => "a later one was heard before, so somebody sends it again, or the network does".into(),
        Doubt::Stale { behind } => {
            let seconds = behind.as_secs();
            format!("{seconds} s behind, so somebody sends it again, or the clock of that host is wrong")
        }
        Doubt::Tampered => "its priority or source is not what was sent".into(),
        Doubt::Unstamped if refused => {
            "hosts with UCARP, BSD or authentication = \"classic\" need \"observe\" here".into()
        }
        Doubt::Unstamped => {
            "from UCARP, BSD or a host with authentication = \"classic\": \"strict\" would ignore it".into()
        }
        Doubt::Reflected => "sent by this host before its start or long ago, or another host has its address".into(),
    };
    let consequence = if refused { "ignored" } else { "believed" };
    format!("{kind} {consequence}: {why} (from {peer}, {})", peer.mac)
}

/// Who else has an address, as far as is known.
pub fn rival(rival: &Rival) -> String {
    match rival.peer {
        Some(peer) => format!("{}, {peer} of this group", rival.mac),
        None => format!("{}, no known host of this group", rival.mac),
    }
}

fn conflict_text(conflict: &Rival, answer: ConflictAnswer) -> String {
    let consequence = match answer {
        ConflictAnswer::Defend => "announcing it again, at most every 10 s",
        ConflictAnswer::Yield => "leaving it to that machine for a while",
        ConflictAnswer::Report => "look for it",
    };
    format!("Address conflict: {} is also at {}: {consequence}", conflict.address, rival(conflict))
}

fn rejected_kind(reason: frame::Reason) -> &'static str {
    match reason {
        frame::Reason::BadTtl(_) => "Bad TTL",
        frame::Reason::BadVersion(_) => "Bad version",
        frame::Reason::BadChecksum => "Bad IP checksum",
        _ => "Bad packet",
    }
}

fn text(notice: &Notice) -> String {
    match notice {
        Notice::Rejected(rejected) => {
            let sender =
                rejected.sender.map_or_else(|| "unknown".into(), |sender| format!("{}, {}", sender.ip, sender.mac));
            match rejected.reason {
                frame::Reason::BadTtl(ttl) => format!("Bad TTL: [{ttl}] (from {sender})"),
                frame::Reason::BadVersion(version) => format!("Bad version: [{version}] (from {sender})"),
                // UCARP's text, although it is the checksum of the advertisement that is wrong.
                frame::Reason::BadChecksum => format!("Bad IP checksum (from {sender})"),
                reason => format!("Bad packet: {reason} (from {sender})"),
            }
        }
        Notice::BadDigest { peer, .. } => format!("Bad digest (from {})", by(peer)),
        Notice::DeafPeer { peer, unheard } => format!(
            "A second MASTER does not hear this host: {peer} goes on after {unheard} advertisements that should have ended it; \
             look for what keeps multicast from it ({}, its firewall, a switch), or for another password there",
            peer.mac
        ),
        Notice::OwnEcho { peer } => {
            format!("An advertisement of our own came back (from {}): does the switch echo multicast?", by(peer))
        }
        Notice::Doubtful { peer, doubt, refused } => doubt_text(peer, *doubt, *refused),
        Notice::WrongLink { peer } => {
            format!(
                "Advertisement by the wrong interface ignored: are two networks joined? (from {peer}, {})",
                peer.mac
            )
        }
        Notice::AddressContested { peer } => format!(
            "Non-preferred master advertising: reasserting control of VIP with another gratuitous arp ({peer}, {})",
            peer.mac
        ),
        Notice::EqualPeer { peer } => format!(
            "Equal advbase and advskew: {peer} advertises as often as this host, so their addresses decide; give each host its own advskew"
        ),
        Notice::AddressConflict { rival, answer } => conflict_text(rival, *answer),
        Notice::Flapping => {
            "Too many takeovers: not preempting for a while; look for a link that loses packets, or for hosts that \
             disagree about who is better"
                .into()
        }
        Notice::UcarpWithoutAdvbase { peer } => format!(
            "UCARP with advbase 0: {} runs UCARP, which with -b 0 takes over after a single silent interval; use -b 1 in groups with UCARP",
            by(peer)
        ),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use carp_core::timing::Interval;
    use carp_core::wire::MacAddr;

    use super::*;

    #[test]
    fn doubts_are_told_with_their_reason_and_what_follows() {
        let interval = Interval { advbase: 1, advskew: 50 };
        let peer = Peer { source: [192, 0, 2, 1].into(), mac: MacAddr([0, 0, 0x5e, 0, 0, 1]), interval, demotion: 0 };
        for (doubt, refused, expected) in [
            (
                Doubt::Stale { behind: Duration::from_millis(61_900) },
                true,
                "Old advertisement ignored: 61 s behind, so somebody sends it again, or the clock of that host is wrong \
                 (from 192.0.2.1 (advbase 1 advskew 50), 00:00:5e:00:00:01)",
            ),
            (
                Doubt::Unstamped,
                false,
                "Advertisement without stamp believed: from UCARP, BSD or a host with authentication = \"classic\": \
                 \"strict\" would ignore it (from 192.0.2.1 (advbase 1 advskew 50), 00:00:5e:00:00:01)",
            ),
        ] {
            assert_eq!(text(&Notice::Doubtful { peer, doubt, refused }), expected);
            let (kind, sender) = subject(&Notice::Doubtful { peer, doubt, refused });
            assert!(expected.starts_with(kind) && sender == Some(peer.source));
        }
    }
}
