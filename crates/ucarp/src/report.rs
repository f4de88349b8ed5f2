//! What the log says of decisions and of what was noticed: the texts that users of UCARP grep for, and why.

use std::net::IpAddr;

use carp_core::election::{Peer, Reason, State};
use carp_core::node::{HostId, Notice};
use carp_core::time::Instant;
use carp_core::wire::frame;
use log::{info, warn};

use crate::complaints::{Complaints, Subject, Summary};

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
        (State::Master, _) if matches!(reason, Reason::HandedOver | Reason::ShutDown) => {
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

/// Logs the decision of a MASTER to leave by command.
pub fn leaving(who: &str, reason: &Reason) {
    warn!("{who}Switching to state: BACKUP");
    info!("{who}Leaving, and advertising until the address is gone: {reason}");
}

/// Logs a notice, unless the same thing was said of the same sender a moment ago.
pub fn notice(complaints: &mut Complaints, now: Instant, host: HostId, who: &str, notice: &Notice) {
    let (kind, sender) = subject(notice);
    if complaints.is_news(now, Subject { host: Some(host), kind, sender }) {
        warn!("{who}{}", text(notice));
    }
}

/// Logs how often something happened without a line.
pub fn summary(summary: &Summary, who: impl Fn(HostId) -> String) {
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
        Notice::AddressContested { peer } => ("Non-preferred master advertising", Some(peer.source)),
        Notice::EqualPeer { peer } => ("Equal advbase and advskew", Some(peer.source)),
        Notice::UcarpWithoutAdvbase { peer } => ("UCARP with advbase 0", Some(peer.source)),
    }
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
    let by = |peer: &Peer| format!("{}, {}", peer.source, peer.mac);
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
        Notice::BadDigest { peer, expected, received, ucarp_with_list } => format!(
            "Bad digest - md2=[{}...] md=[{}...] - Check vhid, password and virtual IP address (from {}){}",
            hex(&expected[..4]),
            hex(&received[..4]),
            by(peer),
            if *ucarp_with_list { ": UCARP knows exactly one IPv4 address for each vhid" } else { "" }
        ),
        Notice::OwnEcho { peer } => {
            format!("An advertisement of our own came back (from {}): does the switch echo multicast?", by(peer))
        }
        Notice::AddressContested { peer } => format!(
            "Non-preferred master advertising: reasserting control of VIP with another gratuitous arp ({peer}, {})",
            peer.mac
        ),
        Notice::EqualPeer { peer } => format!(
            "Equal advbase and advskew: {peer} advertises as often as this host, so their addresses decide; give each host its own advskew"
        ),
        Notice::UcarpWithoutAdvbase { peer } => format!(
            "UCARP with advbase 0: {} runs UCARP, which with -b 0 takes over after a single silent interval; use -b 1 in groups with UCARP",
            by(peer)
        ),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
