//! What is not as it should be with a virtual host, told from its state alone.

use ucarp_control::types::{CheckState, State, VirtualHost};

use crate::look::lasting;

/// Something that is not as it should be.
pub(crate) struct Concern {
    /// What, in one line.
    pub(crate) text: String,
    /// The command that mends it, or tells more.
    pub(crate) mend: String,
}

/// One for each thing that an operator would want to know.
pub(crate) fn of(host: &VirtualHost) -> Vec<Concern> {
    let mut concerns = Vec::new();
    let mut add = |text: String, mend: String| concerns.push(Concern { text, mend });
    let name = &host.name;
    let explain = || format!("ucarpctl explain {name}");
    if host.state == State::Master {
        for peer in host.peers.iter().filter(|peer| peer.is_master) {
            add(format!("{} advertises as MASTER too, {} ago", peer.address, lasting(peer.heard_ago)), explain());
        }
        for address in host.addresses.iter().filter(|address| address.held == Some(false)) {
            let text = format!("the address {} is not there although this host is MASTER", address.address);
            add(text, format!("ucarpctl events {name}"));
        }
    } else {
        for address in host.addresses.iter().filter(|address| address.held == Some(true)) {
            let text = format!("the address {} is still here although this host is {}", address.address, host.state);
            add(text, format!("ip address delete {} dev {}", address.address, host.interface));
        }
    }
    if host.held {
        let text = "held by the operator: it stays out until it is released".to_owned();
        add(text, format!("ucarpctl release {name}"));
    }
    for check in host.checks.iter().filter(|check| check.state == CheckState::Down) {
        add(format!("the check {} is DOWN: {} ({})", check.name, check.result, check.effect), explain());
    }
    if !host.demotion.is_empty() {
        let names: Vec<String> = host.demotion.iter().map(|part| format!("{} {}", part.name, part.demotion)).collect();
        let is_operators = host.demotion.iter().all(|part| part.name.starts_with("operator"));
        let mend = if is_operators { format!("ucarpctl promote {name}") } else { explain() };
        add(format!("demoted by {}", names.join(" and ")), mend);
    }
    for address in host.addresses.iter().filter(|address| address.removed_by_others > 0) {
        let times = address.removed_by_others;
        let text = format!("the address {} was removed by somebody else, times: {times}", address.address);
        add(text, "ip monitor address   # shows when; the daemon's log says by whom".to_owned());
    }
    if let Some(conflict) = &host.conflict {
        let who = conflict
            .peer
            .as_deref()
            .map_or("no known host of this group".into(), |peer| format!("{peer} of this group"));
        let (ago, claims) = (lasting(conflict.claimed_ago), conflict.claims);
        let text = format!(
            "{} was also at {}, {who}, {ago} ago, claims: {claims} ({})",
            conflict.address, conflict.mac, conflict.answer
        );
        add(text, format!("tcpdump -eni {} ether host {}", host.interface, conflict.mac));
    }
    concerns
}

#[cfg(test)]
mod tests {
    use ucarp_control::types::VirtualHost;

    use crate::fake;

    /// Each with its command.
    fn of(host: &VirtualHost) -> Vec<(String, String)> {
        super::of(host).into_iter().map(|concern| (concern.text, concern.mend)).collect()
    }

    fn pair(text: &str, mend: &str) -> (String, String) {
        (text.to_owned(), mend.to_owned())
    }

    #[test]
    fn a_healthy_host_gives_no_concern() {
        assert_eq!(of(&fake::master()), []);
        assert_eq!(of(&fake::backup()), []);
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
        let removed = "the address 10.0.0.100/24 was removed by somebody else, times: 2";
        let claimed =
            "10.0.0.100 was also at 02:00:00:00:00:09, no known host of this group, 5s ago, claims: 7 (defend)";
        assert_eq!(
            of(&host),
            [
                pair("10.0.0.3 advertises as MASTER too, 1m 30s ago", "ucarpctl explain web"),
                pair("the address 10.0.0.100/24 is not there although this host is MASTER", "ucarpctl events web"),
                pair(removed, "ip monitor address   # shows when; the daemon's log says by whom"),
                pair(claimed, "tcpdump -eni eth0 ether host 02:00:00:00:00:09"),
            ]
        );
        let mut host = fake::held();
        host.addresses[0].held = Some(true);
        let left = "the address 10.1.0.100/24 is still here although this host is FAULT";
        assert_eq!(
            of(&host),
            [
                pair(left, "ip address delete 10.1.0.100/24 dev eth1"),
                pair("held by the operator: it stays out until it is released", "ucarpctl release db"),
                pair("the check gateway is DOWN: no answer (demotes by 100)", "ucarpctl explain db"),
                pair("demoted by gateway 100", "ucarpctl explain db"),
            ]
        );
        host.demotion[0].name = "operator: backup job".into();
        assert!(of(&host).contains(&pair("demoted by operator: backup job 100", "ucarpctl promote db")));
    }
}
