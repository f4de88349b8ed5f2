use std::net::Ipv6Addr;

use carp_core::auth::{AddressList, Key};
use carp_core::election::TieRule;
use carp_core::host::{
    Authentication, ConflictAnswer, ConflictPolicy, Credentials, GroupId, HoldDown, MacMode, Policy, Transport,
};
use carp_core::timing::Interval;
use carp_core::wire::MacAddr;

use super::control::{AddressFacts, Asked, Facts, Kind, MOST_DEMOTIONS, ScriptFacts, Terms, Told, Wish};
use super::*;

const HOST: HostNumber = HostNumber(0x0102_0304);
const LINK: LinkId = LinkId(7);
const V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config(transport: Transport) -> Box<VirtualHostConfig> {
    let addresses = AddressList::new(["10.0.0.1", "10.0.0.2", "fd00::1"].map(ip));
    let credentials = Credentials {
        link_local_in_digest: true,
        lladdr: Some(MacAddr([1, 2, 3, 4, 5, 6])),
        ..Credentials::new(Key::from_password(b"secret").unwrap(), addresses)
    };
    Box::new(VirtualHostConfig {
        link: LINK,
        vhid: 255,
        credentials,
        local: Local { v4: [10, 0, 0, 9].into(), v6: Some(V6), router: true },
        transport,
        mac: MacMode::Virtual,
        interval: Interval { advbase: 1, advskew: 200 },
        dead_ratio: 3,
        preempt: true,
        tie: TieRule::Kernel,
        pseudo_header_checksum: true,
        authentication: Authentication::Strict,
        policy: Policy {
            ranked_demotion: true,
            demotion_byte: false,
            preempt_delay: Duration::from_secs(30),
            start_delay: Duration::from_secs(7),
            hold_down: Some(HoldDown {
                takeovers: 5,
                window: Duration::from_secs(60),
                length: Duration::from_secs(300),
            }),
            refresh: Some(Duration::from_secs(60)),
            conflict: Some(ConflictPolicy { answer: ConflictAnswer::Yield, probes: true }),
            group: Some(GroupId(3)),
        },
    })
}

fn profile(lease: Option<Duration>) -> Profile {
    Profile {
        who: "web: ".into(),
        title: "eth0 id 255".into(),
        native: lease.is_some(),
        lease,
        penalty: Duration::from_secs(30),
    }
}

fn checks() -> Vec<Order> {
    let status = |state, ran, demotion, hosts: &[u32]| CheckStatus {
        name: "gateway".into(),
        kind: "ping".into(),
        state,
        in_force: state == CheckState::Down,
        since: Instant::from_nanos(7),
        ran,
        result: "192.0.2.1 does not answer".into(),
        demotion,
        hosts: hosts.iter().copied().map(HostNumber).collect(),
    };
    let ran = (Instant::from_nanos(9), Duration::from_millis(3));
    vec![
        Order::Check(status(CheckState::Unknown, None, None, &[])),
        Order::Check(status(CheckState::Up, Some(ran), Some(50), &[1, 4_000_000_000])),
        Order::Check(status(CheckState::Down, Some(ran), None, &[7])),
        Order::ForgetCheck { name: "gateway".into() },
    ]
}

fn told() -> [Told; 7] {
    let terms = Terms {
        listens: true,
        owner: 7,
        group: Some(990),
        process: 4711,
        host_name: "alpha".into(),
        file: Some("/etc/ucarp/ucarp.toml".into()),
    };
    let address = |held| AddressFacts { ip: ip("2001:db8::fe"), prefix_len: 64, held, removed: 3 };
    let script = |outcome| ScriptFacts { is_up: true, started_ago: Duration::from_millis(1500), outcome };
    let facts = |held, outcome| Facts {
        group: Some("router".into()),
        addresses: vec![address(held), address(None)],
        script: Some(script(outcome)),
    };
    [
        Told::Listen(terms),
        Told::Listen(Terms::default()),
        Told::Facts { host: HOST, facts: facts(Some(true), None) },
        Told::Facts { host: HOST, facts: facts(Some(false), Some((Duration::from_secs(1), "exit status 1".into()))) },
        Told::Reloaded { is_applied: true, problems: vec!["ucarp.toml:1: \u{e4}".into(), String::new()] },
        Told::Configuration { text: "vhid = 1".into(), is_last: false },
        Told::Happened { host: Some(HOST), kind: Kind::Script, message: "up script".into() },
    ]
}

/// One of each kind, and of each variant of what is in them.
fn orders() -> Vec<Order> {
    let unicast = Transport::Unicast { peers: vec![ip("10.0.0.8"), ip("fd00::8")], any_ttl: true };
    let mut all = vec![
        Order::Add { host: HOST, profile: profile(None), config: config(Transport::default()) },
        Order::Change {
            host: HOST,
            profile: profile(Some(Duration::from_secs(3))),
            config: config(unicast),
            grace: Duration::from_secs(300),
        },
        Order::Remove { host: HOST },
        Order::Local { host: HOST, local: Local::v4([10, 0, 0, 9].into()) },
        Order::Port {
            link: LINK,
            sockets: Sockets { index: 2, v4: true, v6: false, unicast_v4: true, unicast_v6: false },
        },
        Order::Own { macs: vec![MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])] },
        Order::Hear { link: LINK, index: 2, ear: Ear::Owners },
        Order::Hear { link: LINK, index: 2, ear: Ear::Ids },
        Order::Keep { link: LINK },
        Order::Missing { host: HOST },
        Order::TellStates,
        Order::Demote { host: HOST, name: "check gateway".into(), by: 240 },
        Order::Bar { host: HOST, name: "operator".into(), bar: None },
        Order::Beat { interval: Duration::from_secs(1) },
    ];
    all.extend(checks());
    let states = [LinkState::Gone, LinkState::Down, LinkState::NoCarrier, LinkState::Up(MacAddr([2, 0, 0, 0, 0, 1]))];
    all.extend(states.map(|state| Order::Link { link: LINK, name: "eth0".into(), state }));
    let bars = [Bar::Held, Bar::CheckFailed, Bar::Group, Bar::AddressConflict, Bar::Rehearsal];
    all.extend(bars.map(|bar| Order::Bar { host: HOST, name: "check".into(), bar: Some(bar) }));
    let commands = codec::COMMANDS;
    all.extend(commands.map(|command| Order::Command { host: HOST, command }));
    all.extend(told().map(Order::Control));
    all
}

fn reports() -> Vec<Report> {
    let will = |destination| Report::Will { host: HOST, link: LINK, destination, goodbye: vec![1; LONGEST_GOODBYE] };
    let mut all = vec![
        Report::Claim(HOST),
        Report::Renew(HOST),
        Report::Release(HOST),
        Report::Broken(LINK),
        Report::Followed(HOST),
    ];
    all.extend([State::Init, State::Backup, State::Master].map(|state| Report::State(HOST, state)));
    all.extend([None, Some(ip("10.0.0.8")), Some(ip("fd00::8"))].map(will));
    all.push(Report::Log(Level::Warn, "a line \u{e4}".into()));
    let wish = Wish { held: true, demotions: vec![("operator".into(), 7), ("operator: backup".into(), 240)] };
    let asked = [Asked::Facts(HOST), Asked::Reload, Asked::Configuration, Asked::LogLevel(Level::Debug)];
    all.extend(asked.map(Report::Control));
    all.extend([wish, Wish::default()].map(|wish| Report::Control(Asked::Remember(HOST, wish))));
    all
}

#[test]
fn orders_arrive_as_they_were_given() {
    let mut given = Orders::default();
    orders().iter().for_each(|order| given.push(order));
    let datagrams = given.take();
    assert_eq!(datagrams.len(), 1);
    assert_eq!(read_orders(&datagrams[0]).unwrap(), orders());
    assert_eq!(given.take(), Vec::<Vec<u8>>::new());
}

#[test]
fn reports_arrive_as_they_were_made() {
    let decided = Instant::from_nanos(123_456_789_012);
    let datagrams = write_reports(decided, reports());
    assert_eq!(datagrams.len(), 1);
    assert_eq!(read_reports(&datagrams[0]).unwrap(), (decided, reports()));
    assert_eq!(read_reports(&write_reports(decided, &[])[0]).unwrap(), (decided, vec![]), "a sign of life");
}

#[test]
fn many_messages_go_into_datagrams_of_bounded_size_in_their_order() {
    let mut given = Orders::default();
    let order = |number| Order::Remove { host: HostNumber(number) };
    (0..20_000).for_each(|number| given.push(&order(number)));
    let datagrams = given.take();
    assert!(datagrams.len() > 1 && datagrams.iter().all(|datagram| datagram.len() <= LONGEST_DATAGRAM));
    let read: Vec<Order> = datagrams.iter().flat_map(|datagram| read_orders(datagram).unwrap()).collect();
    assert!(read.into_iter().eq((0..20_000).map(order)));

    let made: Vec<Report> = (0..20_000).map(|number| Report::Renew(HostNumber(number))).collect();
    let datagrams = write_reports(Instant::default(), &made);
    assert!(datagrams.len() > 1 && datagrams.iter().all(|datagram| datagram.len() <= LONGEST_DATAGRAM));
    let read: Vec<Report> = datagrams.iter().flat_map(|datagram| read_reports(datagram).unwrap().1).collect();
    assert_eq!(read, made);
}

#[test]
fn a_message_that_ends_early_is_refused_wherever_it_ends() {
    for order in orders() {
        let mut given = Orders::default();
        given.push(&order);
        let datagram = given.take().remove(0);
        for length in 1..datagram.len() {
            read_orders(&datagram[..length]).unwrap_err();
        }
    }
    for report in reports() {
        let datagram = write_reports(Instant::default(), &[report]).remove(0);
        // The time alone is a sign of life.
        for length in (0..datagram.len()).filter(|length| *length != 8) {
            read_reports(&datagram[..length]).unwrap_err();
        }
    }
}

#[test]
fn what_is_out_of_range_is_refused_with_its_place() {
    let time = [0; 8];
    let refused = |report: &[u8]| read_reports(&[&time[..], report].concat()).unwrap_err().to_string();
    assert_eq!(refused(&[9]), "a message that is not understood: no report at octet 9");
    assert_eq!(refused(&[3, 1, 0, 0, 0, 3]), "a message that is not understood: no state at octet 13");
    assert_eq!(refused(&[4, 1, 0, 0, 0, 0, 0, 0, 0, 2]), "a message that is not understood: no flag at octet 17");
    let mut long = vec![4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 129, 0];
    long.extend([0; 129]);
    assert!(refused(&long).contains("no goodbye of a usual length"));
    let demotions = vec![("x".to_owned(), 1); MOST_DEMOTIONS + 1];
    let greedy = Report::Control(Asked::Remember(HOST, Wish { held: false, demotions }));
    read_reports(&write_reports(Instant::default(), &[greedy])[0]).unwrap_err();
    // A list that claims to be longer than its datagram takes no memory for it.
    let mut given = Orders::default();
    given.push(&orders()[0]);
    let mut datagram = given.take().remove(0);
    let list = datagram.windows(4).position(|octets| octets == [3, 0, 0, 0]).unwrap();
    datagram[list..list + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    read_orders(&datagram).unwrap_err();
}

#[test]
fn no_octets_are_too_odd_to_be_refused() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..100_000 {
        let length = next() % 64;
        let octets: Vec<u8> = (0..length).map(|_| (next() % 15) as u8).collect();
        let _ = read_orders(&octets);
        let _ = read_reports(&octets);
    }
}
