//! Clients follow the addresses when the roles are swapped, without doing anything, and their packets go on.

use std::net::IpAddr;
use std::time::Duration;

use netlab::{Host, Prober, Signal, now};

use crate::harness::{Node, SOON, Segment, between, in_parallel, ip, later, wait_until_time, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

/// How often roles are swapped.
const SWAPS: usize = 4;

/// A client's packets may be lost for this long when the roles are swapped; most often it is a few milliseconds.
const OUTAGE: Duration = Duration::from_millis(500);

const PROBES: Duration = Duration::from_millis(5);

/// Two hosts with the same virtual host, the first one MASTER, and a client of both families.
struct Service {
    segment: Segment,
    nodes: [Node; 2],
    client: Host,
    is_virtual: bool,
}

impl Service {
    fn new(mac: &str) -> Self {
        let segment = Segment::new();
        let (mut first, mut second) = segment.pair();
        let client = segment.host(204);
        client.add_address(ip("fd00::204"), 64).expect("an address can be added");
        for (node, own) in [(&first, "fd00::2"), (&second, "fd00::3")] {
            node.host.add_address(ip(own), 64).expect("an address can be added");
        }
        let config =
            |skew| web(&[V4, V6], &format!("dead-ratio = 2\nlease = \"5s\"\nadvskew = {skew}\nmac = \"{mac}\""));
        first.start(&config(0));
        segment.wait_for_announcement(&first.host, ip(V6), 0);
        second.start(&config(10));
        second.wait_for_line("web: Listening as BACKUP", 0);
        segment.wait_for_advertisement(&first.host, 1, now());
        Self { segment, nodes: [first, second], client, is_virtual: mac == "virtual" }
    }

    /// The MAC under which the addresses are at a host.
    fn mac(&self, node: &Node) -> [u8; 6] {
        if self.is_virtual { [0x00, 0x00, 0x5e, 0x00, 0x01, 1] } else { node.host.mac() }
    }

    fn neighbour(&self, address: IpAddr) -> Option<[u8; 6]> {
        self.client.neighbour(address).expect("neighbours can be listed")
    }

    /// The MASTER leaves the addresses to the other host. Returns when it was told.
    fn swap(&self, master: &Node, other: &Node) -> u64 {
        let told = now();
        master.signal(Signal::USR2);
        for address in [V4, V6] {
            self.segment.wait_for_announcement(&other.host, ip(address), told);
            other.wait_for(ip(address));
            master.wait_without(ip(address));
        }
        told
    }

    fn assert_interfaces(&self, master: &Node, other: &Node) {
        let made = |node: &Node| node.link("carp1").is_some_and(|link| link.up);
        assert_eq!((made(master), other.link("carp1").is_some()), (self.is_virtual, false), "it is on the master only");
    }
}

#[test]
fn a_silent_clients_neighbour_table_is_right_after_a_swap() {
    in_parallel(["interface", "virtual"], |mac| {
        let service = Service::new(mac);
        for address in [V4, V6] {
            let prober = Prober::start(&service.client, ip(address), PROBES).expect("it can be asked");
            assert!(prober.wait_for_answer(now(), SOON).is_some(), "{address} does not answer");
        }
        let asked = now();
        let [first, second] = &service.nodes;
        for (master, other) in [(first, second), (second, first)] {
            wait_until_time(later(now(), Duration::from_millis(1500)));
            service.assert_interfaces(master, other);
            service.swap(master, other);
            for address in [V4, V6] {
                let expected = Some(service.mac(other));
                let right = netlab::wait_until(SOON, || service.neighbour(ip(address)) == expected);
                assert!(right, "{address} with mac = {mac:?}: {:?}", service.neighbour(ip(address)));
            }
            service.assert_interfaces(other, master);
        }
        service.segment.catch_up();
        let asks = |bytes: &[u8]| bytes[12..14] == [0x08, 0x06] && bytes[38..42] == [10, 0, 0, 100];
        let asked: Vec<_> = service.segment.frames_of(&service.client, asked);
        assert!(asked.iter().all(|frame| !asks(&frame.bytes)), "the client asked by itself");
    });
}

#[test]
fn packets_go_on_through_swaps() {
    in_parallel(["interface", "virtual"], |mac| {
        let service = Service::new(mac);
        let start = |address| Prober::start(&service.client, ip(address), PROBES).expect("it can be asked");
        let probers = [V4, V6].map(|address| (address, start(address)));
        for (address, prober) in &probers {
            assert!(prober.wait_for_answer(now(), SOON).is_some(), "{address} does not answer");
        }
        let mut swaps = Vec::new();
        for swap in 0..SWAPS {
            let (master, other) = (&service.nodes[swap % 2], &service.nodes[(swap + 1) % 2]);
            let quiet = later(now(), Duration::from_millis(1500));
            // The entry has to be right all the time, or change once, to the new MAC.
            watch_neighbours(&service, quiet, &[service.mac(master)]);
            let told = service.swap(master, other);
            watch_neighbours(&service, later(told, Duration::from_secs(2)), &[service.mac(master), service.mac(other)]);
            swaps.push(told);
        }
        for (address, prober) in probers {
            assert_eq!(service.neighbour(ip(address)), Some(service.mac(&service.nodes[SWAPS % 2])));
            let outages: Vec<_> =
                swaps.iter().map(|told| prober.outage(*told, later(*told, Duration::from_secs(2)))).collect();
            println!("{address} with mac = {mac:?} did not answer for {outages:?}");
            assert!(outages.iter().all(|outage| *outage <= OUTAGE), "{outages:?}");
        }
    });
}

/// Watches that until then the client sends to one of these MACs and no other.
fn watch_neighbours(service: &Service, until: u64, allowed: &[[u8; 6]]) {
    let over = netlab::wait_until(between(now(), until), || {
        for address in [V4, V6] {
            let found = service.neighbour(ip(address)).expect("the client has an entry");
            assert!(allowed.contains(&found), "{address} at {found:02x?}, not {allowed:02x?}");
        }
        false
    });
    assert!(!over);
}
