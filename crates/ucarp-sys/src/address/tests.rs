use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Instant;

use super::*;
use crate::packet::PacketSocket;
use crate::packet::tests::{cable, in_new_network, ip, until};
use crate::sysctl;
use crate::tap::TapSocket;
use crate::testing::{frames, host_and_client};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));

fn at(index: u32, address: IpAddr) -> Assignment {
    Assignment { index, address, prefix_len: if address.is_ipv4() { 32 } else { 128 } }
}

fn seconds(number: u64) -> Option<Duration> {
    Some(Duration::from_secs(number))
}

fn put_all(connection: &mut Connection, leases: &[Lease]) {
    let refused = put_each(connection, leases);
    assert!(refused.is_empty(), "{refused:?}");
}

fn put_each(connection: &mut Connection, leases: &[Lease]) -> Vec<(usize, Failure)> {
    let renewals: Vec<_> = leases.iter().map(Lease::prepare).collect();
    put(connection, &renewals.iter().collect::<Vec<_>>())
}

fn get(connection: &mut Connection, at: Assignment) -> Option<Found> {
    list(connection).unwrap().into_iter().find(|found| found.at == at)
}

/// The mark of an address, which a kernel before 5.18 does not keep.
fn mark() -> Option<u8> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    (version >= (5, 18)).then_some(PROTOCOL)
}

#[test]
fn what_was_put_is_what_the_kernel_has() {
    in_new_network(|| {
        let (left, _) = cable();
        let mut connection = Connection::open().unwrap();
        let plain = [Lease::new(at(left, V4), seconds(60)), Lease::new(at(left, V6), seconds(60))];
        let mut special =
            Lease::new(Assignment { prefix_len: 24, ..at(left, Ipv4Addr::new(10, 0, 1, 1).into()) }, None);
        special.label = Some("left:carp7".into());
        special.scope = Scope::Link;
        special.noprefixroute = true;
        let mut preferred = Lease::new(at(left, Ipv6Addr::LOCALHOST.into()), seconds(3));
        preferred.at.address = "2001:db8::101".parse().unwrap();
        preferred.preferred = true;
        put_all(&mut connection, &[&plain[..], &[special.clone(), preferred.clone()]].concat());

        let v4 = get(&mut connection, at(left, V4)).unwrap();
        assert!(v4.valid.is_some_and(|valid| (58..=60).contains(&valid.as_secs())), "{v4:?}");
        let expected = Found {
            at: at(left, V4),
            label: Some("left".into()),
            protocol: mark(),
            valid: v4.valid,
            secondary: false,
            tentative: false,
            deprecated: false,
        };
        assert_eq!(v4, expected);
        let v6 = get(&mut connection, at(left, V6)).unwrap();
        assert!(v6.valid.is_some_and(|valid| (58..=60).contains(&valid.as_secs())), "{v6:?}");
        assert_eq!(v6, Found { at: at(left, V6), label: None, valid: v6.valid, deprecated: true, ..expected.clone() });
        let found = get(&mut connection, special.at).unwrap();
        assert_eq!(found, Found { at: special.at, label: special.label, valid: None, ..expected });
        assert!(!get(&mut connection, preferred.at).unwrap().deprecated);
        let output = std::process::Command::new("ip").args(["route", "show", "10.0.1.0/24"]).output().unwrap();
        assert!(output.stdout.is_empty(), "noprefixroute: {output:?}");
        let output =
            std::process::Command::new("ip").args(["-o", "addr", "show", "label", "left:carp7"]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("scope link"), "{output:?}");
    });
}

#[test]
fn putting_again_renews_the_time_and_nothing_else() {
    in_new_network(|| {
        let (left, _) = cable();
        let mut connection = Connection::open().unwrap();
        let mut lease = Lease::new(Assignment { prefix_len: 24, ..at(left, V4) }, seconds(100));
        put_all(&mut connection, &[lease.clone(), Lease::new(at(left, V6), None)]);
        ip("route del 10.0.0.0/24 dev left");
        let before = get(&mut connection, lease.at).unwrap();
        lease.valid = seconds(1_000);
        lease.label = Some("left:other".into());
        lease.scope = Scope::Link;
        put_all(&mut connection, &[lease.clone(), Lease::new(at(left, V6), seconds(1_000))]);
        let after = get(&mut connection, lease.at).unwrap();
        assert!(after.valid > seconds(900), "{after:?}");
        assert_eq!(Found { valid: before.valid, ..after }, before);
        assert!(get(&mut connection, at(left, V6)).unwrap().valid > seconds(900));
        let output = std::process::Command::new("ip").args(["route", "show", "10.0.0.0/24"]).output().unwrap();
        assert!(output.stdout.is_empty(), "a route comes back: {output:?}");
        // And for ever.
        lease.valid = None;
        put_all(&mut connection, std::slice::from_ref(&lease));
        assert_eq!(get(&mut connection, lease.at).unwrap().valid, None);
    });
}

#[test]
fn what_somebody_else_added_becomes_a_lease() {
    in_new_network(|| {
        let (left, _) = cable();
        let mut connection = Connection::open().unwrap();
        for (place, command) in [
            (at(left, V4), "addr add 10.0.0.100/32 dev left"),
            (at(left, V6), "addr add 2001:db8::100/128 dev left nodad"),
        ] {
            ip(command);
            let theirs = get(&mut connection, place).unwrap();
            assert_eq!((theirs.protocol, theirs.valid), (None, None));
            put_all(&mut connection, &[Lease::new(place, seconds(60))]);
            let leased = get(&mut connection, place).unwrap();
            assert_eq!((leased.protocol, leased.valid.is_some()), (mark(), true));
        }
    });
}

#[test]
fn refusals_name_the_address_and_the_interface() {
    in_new_network(|| {
        let (left, _) = cable();
        ip("addr add 10.0.0.2/24 dev left");
        sysctl::write(sysctl::Family::Ipv6, "left", "disable_ipv6", "1").unwrap();
        let mut connection = Connection::open().unwrap();
        let mut scope = Lease::new(Assignment { prefix_len: 24, ..at(left, V4) }, None);
        scope.scope = Scope::Host;
        let leases = [
            Lease::new(Assignment { prefix_len: 33, ..at(left, V4) }, None),
            Lease::new(at(left, V4), seconds(60)),
            Lease::new(at(4_000, V4), None),
            Lease::new(at(left, V6), None),
            scope,
        ];
        let refused = put_each(&mut connection, &leases);
        let errors: Vec<_> = refused.iter().map(|(number, failure)| (*number, failure.errno().unwrap())).collect();
        assert_eq!(errors, [(0, libc::EINVAL), (2, libc::ENODEV), (3, libc::EACCES), (4, libc::EINVAL)]);
        let text = |wanted: usize| refused.iter().find(|(number, _)| *number == wanted).unwrap().1.to_string();
        assert!(text(0).starts_with("adding 10.0.0.100/33 to left: RTM_NEWADDR refused: "), "{}", text(0));
        assert!(text(2).starts_with("adding 10.0.0.100/32 to interface 4000: "), "{}", text(2));
        assert!(text(3).starts_with("adding 2001:db8::100/128 to left: "), "{}", text(3));
    });
}

#[test]
fn removing_what_is_gone_is_no_error() {
    in_new_network(|| {
        let (left, right) = cable();
        sysctl::write(sysctl::Family::Ipv6, "right", "disable_ipv6", "1").unwrap();
        let mut connection = Connection::open().unwrap();
        let places = [at(left, V4), at(left, V6)];
        put_all(&mut connection, &places.map(|place| Lease::new(place, seconds(60))));
        // With another prefix it is another address.
        let other = Assignment { prefix_len: 24, ..places[0] };
        let elsewhere = [at(right, V4), at(right, V6), at(4_000, V4), at(4_000, V6)];
        for places in [&[other][..], &elsewhere, &places, &places] {
            let refused = remove(&mut connection, places);
            assert!(refused.is_empty(), "{refused:?}");
            let is_kept = get(&mut connection, at(left, V4)).is_some();
            assert_eq!(is_kept, places != [at(left, V4), at(left, V6)]);
        }
        assert_eq!(get(&mut connection, at(left, V6)), None);
        let error = remove(&mut connection, &[Assignment { prefix_len: 200, ..at(left, V4) }]).pop();
        let error = error.map(|(_, failure)| failure.to_string()).unwrap_or_default();
        assert!(error.is_empty() || error.starts_with("removing 10.0.0.100/200 from left: "), "{error}");
    });
}

/// One and three seconds, both families, alone and beside others; nobody renews.
#[test]
fn the_kernel_ends_a_lease_in_time_and_takes_nothing_along() {
    in_new_network(|| {
        let (left, _) = cable();
        for interface in ["all", "left"] {
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries"), "0").unwrap();
        }
        let mut connection = Connection::open().unwrap();
        // One that is there before, and others of the same network that come later, one by the kernel's mercy for ever.
        ip("addr add 10.0.0.2/24 dev left");
        ip("addr add 2001:db8::2/64 dev left nodad");
        let short = [at(left, V4), at(left, V6)];
        let long = ["10.0.0.101", "2001:db8::101"].map(|address| at(left, address.parse().unwrap()));
        let begin = Instant::now();
        put_all(&mut connection, &short.map(|place| Lease::new(place, seconds(1))));
        put_all(&mut connection, &long.map(|place| Lease::new(place, seconds(3))));
        ip("addr add 10.0.0.3/24 dev left");
        for (places, lifetime) in [(short, 1.0), (long, 3.0)] {
            for place in places {
                until("end of a lease", || get(&mut connection, place).is_none().then_some(()));
                let lasted = begin.elapsed().as_secs_f64();
                assert!(lasted < lifetime + 0.5, "{place:?} lasted {lasted} s");
                // The kernel's clock for this is allowed to be a quarter of a second early.
                assert!(lasted > lifetime - 0.3, "{place:?} lasted {lasted} s");
            }
        }
        let left_over = list(&mut connection).unwrap();
        for (address, prefix_len) in [("10.0.0.2", 24), ("10.0.0.3", 24), ("2001:db8::2", 64)] {
            let place = Assignment { index: left, address: address.parse().unwrap(), prefix_len };
            assert!(left_over.iter().any(|found| found.at == place), "{address} is gone with it");
        }
    });
}

#[test]
fn the_trap_is_predicted_and_real() {
    in_new_network(|| {
        let (left, _) = cable();
        let mut connection = Connection::open().unwrap();
        let other = Assignment { prefix_len: 24, ..at(left, Ipv4Addr::new(10, 0, 0, 2).into()) };
        let wide = Assignment { prefix_len: 24, ..at(left, V4) };
        for (promote, expected) in [("0", true), ("1", false)] {
            for interface in ["all", "left"] {
                std::fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries"), "0").unwrap();
            }
            sysctl::write(sysctl::Family::Ipv4, "left", "promote_secondaries", promote).unwrap();
            let mut trapped = |at| primary_trap(&mut connection, "left", at).unwrap();
            assert_eq!(trapped(wide), expected);
            assert!(!trapped(at(left, V4)) && !trapped(at(left, V6)), "they share their prefix with nobody");
            assert!(!trapped(Assignment { prefix_len: 64, ..at(left, V6) }));
            put_all(&mut connection, &[Lease::new(wide, seconds(60)), Lease::new(other, None)]);
            assert!(get(&mut connection, other).unwrap().secondary);
            assert_eq!(primary_trap(&mut connection, "left", wide).unwrap(), expected, "also when it is there");
            assert!(remove(&mut connection, &[wide]).is_empty());
            assert_eq!(get(&mut connection, other).is_none(), expected);
            // With the other one there first it is never the primary.
            put_all(&mut connection, &[Lease::new(other, None)]);
            assert!(!primary_trap(&mut connection, "left", wide).unwrap());
            assert!(remove(&mut connection, &[other]).is_empty());
        }
        std::fs::write("/proc/sys/net/ipv4/conf/all/promote_secondaries", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv4/conf/left/promote_secondaries", "0").unwrap();
        assert!(!primary_trap(&mut connection, "left", wide).unwrap());
        assert!(matches!(primary_trap(&mut connection, "gone", wide), Ok(false)), "all says 1 already");
        std::fs::write("/proc/sys/net/ipv4/conf/all/promote_secondaries", "0").unwrap();
        let error = primary_trap(&mut connection, "gone", wide).unwrap_err();
        assert!(error.to_string().contains("conf/gone/promote_secondaries"), "{error}");
    });
}

/// This host's own connections must not break when a virtual address moves on.
#[test]
fn an_ipv6_lease_is_not_chosen_as_source_unless_preferred() {
    in_new_network(|| {
        let (left, _) = cable();
        ip("addr add 2001:db8::2/64 dev left nodad");
        let mut connection = Connection::open().unwrap();
        let source = || {
            let socket = UdpSocket::bind("[::]:0").unwrap();
            socket.connect("[2001:db8::101]:9").unwrap();
            socket.local_addr().unwrap().ip()
        };
        let mut lease = Lease::new(at(left, V6), seconds(60));
        put_all(&mut connection, std::slice::from_ref(&lease));
        assert_eq!(source(), "2001:db8::2".parse::<IpAddr>().unwrap());
        UdpSocket::bind((V6, 0)).expect("it can be used by those who name it");
        lease.preferred = true;
        put_all(&mut connection, std::slice::from_ref(&lease));
        assert_eq!(source(), V6, "the longer prefix wins");
        ip("addr del 2001:db8::2/64 dev left");
        lease.preferred = false;
        put_all(&mut connection, std::slice::from_ref(&lease));
        ip("route add 2001:db8::/64 dev left");
        assert_eq!(source(), V6, "there is no other");
    });
}

/// A neighbour solicitation from 2001:db8::9 (MAC 02:00:00:00:00:0b) for 2001:db8::100.
fn solicitation() -> Vec<u8> {
    let mut frame = vec![0x33, 0x33, 0xff, 0, 1, 0, 2, 0, 0, 0, 0, 0x0b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255];
    let source: Ipv6Addr = "2001:db8::9".parse().unwrap();
    let destination: Ipv6Addr = "ff02::1:ff00:100".parse().unwrap();
    let IpAddr::V6(target) = V6 else { unreachable!() };
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    message.extend([1, 1, 2, 0, 0, 0, 0, 0x0b]);
    let words = [&source.octets()[..], &destination.octets(), &[0, 0, 0, 32, 0, 0, 0, 58], &message].concat();
    let sum: u32 = words.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    message[2..4].copy_from_slice(&(!folded).to_be_bytes());
    frame.extend(source.octets());
    frame.extend(destination.octets());
    frame.extend(message);
    frame
}

#[test]
fn an_ipv6_lease_answers_at_once() {
    let Some(pair) = host_and_client() else { return };
    let (tap, sender) = pair
        .client
        .run(|| {
            let right = link::by_name("right").unwrap().unwrap().index;
            (TapSocket::open().unwrap(), PacketSocket::open(right, &crate::filter::nothing()).unwrap())
        })
        .unwrap();
    let put_at = pair
        .host
        .run(|| {
            let left = link::by_name("left").unwrap().unwrap().index;
            let mut connection = Connection::open().unwrap();
            put_all(&mut connection, &[Lease::new(at(left, V6), seconds(60))]);
            let found = get(&mut connection, at(left, V6)).unwrap();
            assert!(!found.tentative, "{found:?}");
            Instant::now()
        })
        .unwrap();
    let IpAddr::V6(target) = V6 else { unreachable!() };
    let is_answer = |frame: &Vec<u8>| frame.get(54) == Some(&136) && frame.get(62..78) == Some(&target.octets()[..]);
    let answered = until("neighbour advertisement", || {
        sender.send(&solicitation()).unwrap();
        let seen = frames(&tap, Duration::from_millis(20), |seen| seen.iter().any(is_answer));
        seen.iter().any(is_answer).then(Instant::now)
    });
    // Duplicate detection would take a second or more.
    assert!(answered - put_at < Duration::from_millis(500), "after {:?}", answered - put_at);
}
