//! The interface with the virtual MAC: who answers for it, and what is put back at the end.

use std::net::IpAddr;
use std::time::Duration;

use netlab::{Host, Prober, now};
use ucarp_sys::sysctl::{self, Family};

use crate::harness::{
    DEFAULTS, EAGER, SOON, Segment, in_parallel, ip, later, node, virtual_host, wait_until_time, web,
};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";
const VIRTUAL_MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x01, 1];

fn settings(host: &Host) -> Vec<(&'static str, String)> {
    let keys = ["arp_ignore", "arp_announce", "rp_filter"];
    let read = || keys.map(|key| (key, sysctl::read(Family::Ipv4, "eth0", key).expect("it can be read")));
    host.run(read).expect("it runs").into()
}

/// The ARP replies for an address, with the MAC that they tell.
fn replies(segment: &Segment, since: u64, address: IpAddr) -> Vec<Vec<u8>> {
    let IpAddr::V4(v4) = address else { panic!("{address} is not asked for by ARP") };
    let is_reply =
        |bytes: &[u8]| bytes[12..14] == [0x08, 0x06] && bytes[20..22] == [0, 2] && bytes[28..32] == v4.octets();
    let frames = segment.tap.frames().into_iter().filter(|frame| frame.at >= since && is_reply(&frame.bytes));
    frames.map(|frame| frame.bytes[22..28].to_vec()).collect()
}

fn requests(segment: &Segment, since: u64, client: &Host, address: IpAddr) -> usize {
    let IpAddr::V4(v4) = address else { panic!("{address} is not asked for by ARP") };
    let is_request =
        |bytes: &[u8]| bytes[12..14] == [0x08, 0x06] && bytes[20..22] == [0, 1] && bytes[38..42] == v4.octets();
    segment.frames_of(client, since).iter().filter(|frame| is_request(&frame.bytes)).count()
}

#[test]
fn each_question_for_the_address_and_for_the_hosts_own_gets_one_answer() {
    in_parallel(["virtual", "interface"], |mac| {
        let segment = Segment::new();
        let (mut master, mut backup) = segment.pair();
        let client = segment.host(204);
        master.start(&web(&[V4], &format!("{EAGER}\nmac = \"{mac}\"")));
        segment.wait_for_announcement(&master.host, ip(V4), 0);
        backup.start(&web(&[V4], &format!("advskew = 50\nmac = \"{mac}\"")));
        segment.wait_for_advertisement(&master.host, 1, now());
        let of_address = if mac == "virtual" { VIRTUAL_MAC } else { master.host.mac() };
        for (address, expected) in [(V4, of_address), ("10.0.0.2", master.host.mac()), ("10.0.0.3", backup.host.mac())]
        {
            let since = now();
            for _ in 0..5 {
                node::run_on(&client, "ip", &["neigh", "flush", "dev", "eth0"]);
                let prober = Prober::start(&client, ip(address), Duration::from_millis(50)).expect("it can be asked");
                assert!(prober.wait_for_answer(now(), SOON).is_some(), "{address} does not answer");
            }
            // A second answer would come within milliseconds.
            wait_until_time(later(now(), Duration::from_millis(200)));
            segment.catch_up();
            let asked = requests(&segment, since, &client, ip(address));
            assert!(asked >= 5, "it was asked {asked} times");
            let answers = replies(&segment, since, ip(address));
            assert_eq!(answers, vec![expected.to_vec(); asked], "{address} with mac = {mac:?}");
        }
    });
}

#[test]
fn settings_of_the_parent_are_put_back_at_the_end() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.host.set_sysctl("ipv4/conf/eth0/arp_announce", "1").expect("it can be set");
    let before = settings(&node.host);
    assert_eq!(before, [("arp_ignore", "0".into()), ("arp_announce", "1".into()), ("rp_filter", "1".into())]);
    let both = |first: &str| {
        let more = format!("{EAGER}\nmac = \"virtual\"");
        let second = virtual_host("mail", 2, &["10.0.0.101"], &more);
        format!("{DEFAULTS}{first}{second}")
    };
    let first = virtual_host("web", 1, &[V4, V6], &format!("{EAGER}\nmac = \"virtual\"\nvirtual-interface = \"vip1\""));
    node.start(&both(&first));
    node.wait_for(ip(V4));
    node.wait_for(ip("10.0.0.101"));
    let needed = [("arp_ignore", "1".to_owned()), ("arp_announce", "2".to_owned()), ("rp_filter", "1".to_owned())];
    assert_eq!(settings(&node.host), needed);
    let link = node.link("vip1").expect("it is there");
    assert_eq!((link.up, link.mac), (true, Some(VIRTUAL_MAC)));
    node.reload(&both(""));
    node.wait_without(ip(V4));
    node.wait_for_line("web: Said goodbye", 0);
    assert!(netlab::wait_until(SOON, || node.link("vip1").is_none()), "{}", node.said());
    assert_eq!(settings(&node.host), needed, "the other one still needs them");
    node.end();
    assert_eq!(settings(&node.host), before);
    assert!(node.link("carp2").is_none() && !node.holds(ip("10.0.0.101")));
}

#[test]
fn an_interface_that_somebody_removes_is_made_again() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4, V6], &format!("{EAGER}\nmac = \"virtual\"")));
    for round in 1..=2 {
        node.wait_for(ip(V4));
        node.wait_for(ip(V6));
        let before = node.link("carp1").expect("it is there").index;
        let removed = node.moment();
        node.run("ip", &["link", "del", "carp1"]);
        let again = || node.link("carp1").is_some_and(|link| link.index != before && link.up);
        assert!(netlab::wait_until(SOON, again), "round {round}:\n{}", node.said());
        segment.wait_for_announcement(&node.host, ip(V4), removed);
        segment.wait_for_announcement(&node.host, ip(V6), removed);
        assert_eq!(node.changes("web", removed), [], "{}", node.said());
    }
}
