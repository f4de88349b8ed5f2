//! The holdings of all virtual hosts, and a roll of the renewals that most of them need each time.

use std::collections::BTreeMap;

use ucarp_sys::address::Renewal;

use super::Holding;
use crate::protocol::HostNumber;

/// What all virtual hosts hold. Whoever may change a holding makes the roll empty.
#[derive(Default)]
pub(super) struct Holdings {
    /// In boxes: nodes of a tree have room for nearly twice as many.
    all: BTreeMap<HostNumber, Box<Holding>>,
    /// The renewals of virtual hosts that have all of their addresses, by the numbers of the hosts. Since the last renewal
    /// the holdings have left the caches of the processor, and a walk along memory is several times as fast as one from
    /// each holding to the next.
    roll: Vec<(HostNumber, Renewal)>,
}

impl Holdings {
    pub(super) fn get(&self, host: HostNumber) -> Option<&Holding> {
        self.all.get(&host).map(|holding| &**holding)
    }

    pub(super) fn get_mut(&mut self, host: HostNumber) -> Option<&mut Holding> {
        self.roll.clear();
        self.all.get_mut(&host).map(|holding| &mut **holding)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (HostNumber, &mut Holding)> {
        self.roll.clear();
        self.all.iter_mut().map(|(host, holding)| (*host, &mut **holding))
    }

    /// The holdings of these virtual hosts, which are in ascending order. As a rule they are all that there are: one walk is
    /// less than a search for each.
    pub(super) fn of(&mut self, hosts: &[HostNumber]) -> Vec<(HostNumber, &mut Holding)> {
        let mut hosts = hosts.iter().peekable();
        let mut is_wanted = |host: HostNumber| {
            while hosts.next_if(|wanted| **wanted < host).is_some() {}
            hosts.next_if_eq(&&host).is_some()
        };
        self.iter_mut().filter(|(host, _)| is_wanted(*host)).collect()
    }

    pub(super) fn insert(&mut self, host: HostNumber, holding: Holding) {
        self.roll.clear();
        self.all.insert(host, Box::new(holding));
    }

    pub(super) fn remove(&mut self, host: HostNumber) {
        self.roll.clear();
        self.all.remove(&host);
    }

    /// What these virtual hosts, in ascending order, need renewed, if all of them are on the roll.
    pub(super) fn on_roll(&self, hosts: &[HostNumber]) -> Option<Vec<&Renewal>> {
        let mut roll = self.roll.iter().peekable();
        let mut renewals = Vec::with_capacity(hosts.len());
        for host in hosts {
            while roll.next_if(|(other, _)| other < host).is_some() {}
            let before = renewals.len();
            while let Some((_, renewal)) = roll.next_if(|(other, _)| other == host) {
                renewals.push(renewal);
            }
            if renewals.len() == before {
                return None;
            }
        }
        Some(renewals)
    }

    /// Calls the roll: everybody who needs nothing but renewals is on it from now on.
    pub(super) fn call_roll(&mut self) {
        self.roll.clear();
        for (host, holding) in self.all.iter().filter(|(_, holding)| holding.is_settled()) {
            self.roll.extend(holding.renewals().iter().map(|renewal| (*host, renewal.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::keeper::Place;
    use crate::settings::{Native, Scope, VirtualAddress};

    /// A virtual host with these addresses on interface 1, all of them there.
    fn settled(addresses: &[u8]) -> Holding {
        let ip = |last: &u8| VirtualAddress { ip: Ipv4Addr::new(192, 0, 2, *last).into(), prefix_len: 32 };
        let mut holding = Holding {
            who: String::new(),
            native: Native { lease: 3, label: None, scope: Scope::Global, noprefixroute: false },
            addresses: addresses.iter().map(ip).collect(),
            place: Place::Interface(Some(1)),
            renewals: None,
            held: Vec::new(),
            complete: true,
            failures: 0,
            removals: VecDeque::new(),
        };
        holding.prepare();
        holding.add(|_| true);
        holding
    }

    fn called(all: &[(u32, &[u8])]) -> Holdings {
        let mut holdings = Holdings::default();
        for (host, addresses) in all {
            holdings.insert(HostNumber(*host), settled(addresses));
        }
        holdings.call_roll();
        holdings
    }

    /// The last octets of what is renewed, if all of these hosts are on the roll.
    fn on_roll(holdings: &Holdings, hosts: &[u32]) -> Option<Vec<u8>> {
        let hosts: Vec<_> = hosts.iter().copied().map(HostNumber).collect();
        let last = |renewal: &&Renewal| match renewal.at().address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => unreachable!("there are none"),
        };
        holdings.on_roll(&hosts).map(|renewals| renewals.iter().map(last).collect())
    }

    #[test]
    fn those_that_are_asked_for_are_renewed_and_no_others() {
        let holdings = called(&[(1, &[10, 11]), (3, &[30]), (7, &[70])]);
        assert_eq!(on_roll(&holdings, &[1, 3, 7]).unwrap(), [10, 11, 30, 70]);
        assert_eq!(on_roll(&holdings, &[3]).unwrap(), [30]);
        assert_eq!(on_roll(&holdings, &[1, 7]).unwrap(), [10, 11, 70]);
        assert!(on_roll(&holdings, &[]).unwrap().is_empty());
        for unknown in [&[0, 1][..], &[1, 2], &[7, 8]] {
            assert_eq!(on_roll(&holdings, unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn who_may_change_a_holding_ends_the_roll() {
        let changes: [fn(&mut Holdings); 5] = [
            |holdings| _ = holdings.get_mut(HostNumber(1)),
            |holdings| _ = holdings.iter_mut().next(),
            |holdings| _ = holdings.of(&[HostNumber(1)]),
            |holdings| holdings.insert(HostNumber(2), settled(&[20])),
            |holdings| holdings.remove(HostNumber(3)),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut holdings = called(&[(1, &[10]), (3, &[30])]);
            change(&mut holdings);
            assert_eq!(on_roll(&holdings, &[1]), None, "change {number}");
            holdings.call_roll();
            assert_eq!(on_roll(&holdings, &[1]).unwrap(), [10], "change {number}");
        }
    }

    #[test]
    fn only_those_that_have_all_are_on_the_roll() {
        let faults: [fn(&mut Holding); 4] = [
            |holding| holding.complete = false,
            |holding| holding.failures = 1,
            |holding| _ = holding.held.pop(),
            |holding| holding.renewals = None,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            let mut holdings = called(&[(1, &[10, 11]), (3, &[30])]);
            fault(holdings.get_mut(HostNumber(1)).unwrap());
            holdings.call_roll();
            assert_eq!(on_roll(&holdings, &[1]), None, "fault {number}");
            assert_eq!(on_roll(&holdings, &[3]).unwrap(), [30], "fault {number}");
        }
    }
}
