//! What is not as it should be with a virtual host, told from its state alone.

use ucarp_control::types::{CheckState, State, VirtualHost};

use crate::look::lasting;

/// One line for each thing that an operator would want to know.
pub(crate) fn of(host: &VirtualHost) -> Vec<String> {
    let mut concerns = Vec::new();
    if host.state == State::Master {
        for peer in host.peers.iter().filter(|peer| peer.is_master) {
            concerns.push(format!("{} advertises as MASTER too, {} ago", peer.address, lasting(peer.heard_ago)));
        }
        for address in host.addresses.iter().filter(|address| address.held == Some(false)) {
            concerns.push(format!("the address {} is not there although this host is MASTER", address.address));
        }
    } else {
        for address in host.addresses.iter().filter(|address| address.held == Some(true)) {
            concerns
                .push(format!("the address {} is still here although this host is {}", address.address, host.state));
        }
    }
    if host.held {
        concerns.push("held by the operator: it stays out until it is released".to_owned());
    }
    for check in host.checks.iter().filter(|check| check.state == CheckState::Down) {
        concerns.push(format!("the check {} is DOWN: {} ({})", check.name, check.result, check.effect));
    }
    if !host.demotion.is_empty() {
        let names: Vec<String> = host.demotion.iter().map(|part| format!("{} {}", part.name, part.demotion)).collect();
        concerns.push(format!("demoted by {}", names.join(" and ")));
    }
    for address in host.addresses.iter().filter(|address| address.removed_by_others > 0) {
        let times = address.removed_by_others;
        concerns.push(format!("the address {} was removed by somebody else, times: {times}", address.address));
    }
    if let Some(conflict) = &host.conflict {
        let who = conflict
            .peer
            .as_deref()
            .map_or("no known host of this group".into(), |peer| format!("{peer} of this group"));
        let (ago, claims) = (lasting(conflict.claimed_ago), conflict.claims);
        concerns.push(format!(
            "{} was also at {}, {who}, {ago} ago, claims: {claims} ({})",
            conflict.address, conflict.mac, conflict.answer
        ));
    }
    concerns
}

#[cfg(test)]
mod tests {
    use crate::fake;

    #[test]
    fn a_healthy_host_gives_no_concern() {
        assert_eq!(super::of(&fake::master()), Vec::<String>::new());
        assert_eq!(super::of(&fake::backup()), Vec::<String>::new());
    }

    #[test]
    fn each_trouble_is_told() {
        let mut host = fake::master();
        host.peers[0].is_master = true;
        host.addresses[0].held = Some(false);
        host.addresses[0].removed_by_others = 2;
        host.conflict = Some(ucarp_control::types::Conflict {
            address: "10.0.0.100".into(),
            mac: "02:00:00:00:00:09".into(),
            peer: None,
            claimed_ago: 5000,
            claims: 7,
            answer: "defend".into(),
        });
        let concerns = super::of(&host);
        assert_eq!(
            concerns,
            [
                "10.0.0.3 advertises as MASTER too, 1m 30s ago",
                "the address 10.0.0.100/24 is not there although this host is MASTER",
                "the address 10.0.0.100/24 was removed by somebody else, times: 2",
                "10.0.0.100 was also at 02:00:00:00:00:09, no known host of this group, 5s ago, claims: 7 (defend)",
            ]
        );
        let concerns = super::of(&fake::held());
        assert_eq!(
            concerns,
            [
                "held by the operator: it stays out until it is released",
                "the check gateway is DOWN: no answer (demotes by 100)",
                "demoted by gateway 100",
            ]
        );
    }
}
