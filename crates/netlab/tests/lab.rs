//! The laboratory itself: cables, losses, addresses, the tap.

// Allowed in tests, of which the functions beside them are part.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use netlab::{Direction, Error, Frame, Host, Lab, Prober, Tap, now, wait_until};

const SOON: Duration = Duration::from_secs(10);
/// Long enough for a frame that is not lost to come on a busy machine.
const QUIET: Duration = Duration::from_millis(200);
/// The experimental EtherType of IEEE 802, which nothing here answers.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

fn a() -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 1)
}

fn b() -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 2)
}

fn pair() -> (Lab, Host, Host) {
    let lab = Lab::new().unwrap();
    let alpha = lab.host("alpha", 1, a(), 24).unwrap();
    let beta = lab.host("beta", 2, b(), 24).unwrap();
    (lab, alpha, beta)
}

fn frame(destination: [u8; 6], source: [u8; 6], text: &[u8]) -> Vec<u8> {
    let mut frame = [&destination[..], &source, &EXPERIMENT, text].concat();
    frame.resize(60, 0);
    frame
}

/// Whether a datagram from `from` to a socket on `to` arrives within `within`.
fn passes(from: &Host, to: &Host, address: Ipv4Addr, within: Duration) -> bool {
    let receiver = to.run(|| UdpSocket::bind((address, 0)).unwrap()).unwrap();
    receiver.set_read_timeout(Some(within)).unwrap();
    let sender = from.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap()).unwrap();
    // Without a route it cannot even be sent.
    let sent = sender.send_to(b"hello", receiver.local_addr().unwrap()).is_ok();
    sent && receiver.recv(&mut [0; 16]).is_ok()
}

#[test]
fn hosts_hear_each_other_and_know_their_macs() {
    if !netlab::can_run() {
        return;
    }
    let (lab, alpha, beta) = pair();
    assert!(passes(&alpha, &beta, b(), SOON));
    assert!(passes(&beta, &alpha, a(), SOON));
    assert_eq!(alpha.neighbour(b()).unwrap(), Some([2, 0, 0, 0, 0, 2]));
    assert_eq!(beta.mac(), [2, 0, 0, 0, 0, 2]);
    for name in ["alpha", "outsider", "", "a/b", "sixteen-letters-"] {
        assert!(matches!(lab.host(name, 3, [10, 0, 0, 3], 24), Err(Error::Name { .. })), "{name:?}");
    }
}

#[test]
fn an_unplugged_host_has_no_carrier_until_it_is_plugged_in() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    let running = || alpha.run(|| ucarp_sys::link::by_name("eth0").unwrap().unwrap()).unwrap().running;
    assert!(running());
    alpha.unplug().unwrap();
    assert!(wait_until(SOON, || !running()));
    assert!(!passes(&beta, &alpha, a(), QUIET));
    assert!(alpha.has_address(a()).unwrap(), "the address does not care");
    alpha.plug().unwrap();
    alpha.wait_connected().unwrap();
    assert!(running());
    assert!(passes(&beta, &alpha, a(), SOON));

    alpha.link_down().unwrap();
    assert!(!passes(&beta, &alpha, a(), QUIET));
    alpha.link_up().unwrap();
    alpha.wait_connected().unwrap();
    assert!(passes(&beta, &alpha, a(), SOON));
}

#[test]
fn silence_loses_one_direction_or_both_and_leaves_the_carrier() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    // The neighbours know each other, so that one frame in one direction is a whole conversation.
    assert!(passes(&alpha, &beta, b(), SOON) && passes(&beta, &alpha, a(), SOON));
    for (direction, out, back) in
        [(Direction::FromHost, false, true), (Direction::ToHost, true, false), (Direction::Both, false, false)]
    {
        alpha.silence(direction).unwrap();
        assert_eq!(passes(&alpha, &beta, b(), if out { SOON } else { QUIET }), out, "{direction:?}, what it sends");
        assert_eq!(passes(&beta, &alpha, a(), if back { SOON } else { QUIET }), back, "{direction:?}, what it gets");
        alpha.wait_connected().unwrap();
        alpha.unsilence().unwrap();
        assert!(passes(&alpha, &beta, b(), SOON) && passes(&beta, &alpha, a(), SOON), "after {direction:?}");
    }
    alpha.unsilence().unwrap();
}

#[test]
fn silence_survives_the_cable() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    assert!(passes(&alpha, &beta, b(), SOON) && passes(&beta, &alpha, a(), SOON));
    alpha.silence(Direction::Both).unwrap();
    alpha.unplug().unwrap();
    alpha.plug().unwrap();
    alpha.wait_connected().unwrap();
    assert!(!passes(&alpha, &beta, b(), QUIET) && !passes(&beta, &alpha, a(), QUIET));
    alpha.unsilence().unwrap();
    assert!(passes(&alpha, &beta, b(), SOON));
}

#[test]
fn an_interface_can_go_come_back_and_change_its_name() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    let before = alpha.index().unwrap();
    alpha.rename_interface("lan0").unwrap();
    assert_eq!(alpha.interface().unwrap(), "lan0");
    alpha.wait_connected().unwrap();
    assert!(passes(&beta, &alpha, a(), SOON));
    alpha.silence(Direction::Both).unwrap();
    alpha.delete_interface().unwrap();
    assert!(alpha.index().is_err() && !alpha.has_address(a()).unwrap());
    alpha.recreate_interface().unwrap();
    assert_eq!(alpha.interface().unwrap(), "eth0");
    assert_ne!(alpha.index().unwrap(), before);
    assert!(passes(&beta, &alpha, a(), SOON), "with a new cable");
    assert_eq!(beta.neighbour(a()).unwrap(), Some(alpha.mac()));
}

#[test]
fn addresses_are_added_and_removed() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    let virtual_address = Ipv4Addr::new(10, 0, 0, 100);
    alpha.add_address(virtual_address, 32).unwrap();
    assert!(alpha.has_address(virtual_address).unwrap());
    assert!(passes(&beta, &alpha, virtual_address, SOON));
    assert!(alpha.add_address(virtual_address, 32).unwrap_err().to_string().contains("File exists"));
    alpha.remove_address(virtual_address, 32).unwrap();
    assert!(!alpha.has_address(virtual_address).unwrap());
    let six: std::net::Ipv6Addr = "fd00::100".parse().unwrap();
    alpha.add_address(six, 64).unwrap();
    alpha.run(|| UdpSocket::bind((six, 0)).unwrap()).unwrap();
    alpha.set_sysctl("ipv4/conf/all/promote_secondaries", "1").unwrap();
    let read = || std::fs::read_to_string("/proc/sys/net/ipv4/conf/all/promote_secondaries").unwrap();
    assert_eq!(alpha.run(read).unwrap().trim(), "1");
}

#[test]
fn the_tap_sees_each_frame_once_in_order_and_with_its_sender() {
    if !netlab::can_run() {
        return;
    }
    let (lab, alpha, _beta) = pair();
    let tap = Tap::new(&lab).unwrap();
    let outsider = [2, 0, 0, 0, 0, 0xfe];
    let ours = |frame: &&Frame| frame.bytes[12..14] == EXPERIMENT;
    let before = now();
    for number in 0..100 {
        // To everyone, to one host, to nobody.
        for destination in [[0xff; 6], alpha.mac(), [2, 9, 9, 9, 9, 9]] {
            lab.inject(&frame(destination, outsider, &[number])).unwrap();
        }
    }
    let last =
        tap.wait_for(|frame| frame.bytes[12..15] == [EXPERIMENT[0], EXPERIMENT[1], 99] && frame.bytes[1] == 9, SOON);
    assert!(last.is_some(), "lost: {}", tap.lost());
    let after = now();
    let frames = tap.frames();
    let seen: Vec<&Frame> = frames.iter().filter(ours).collect();
    assert_eq!(seen.len(), 300);
    assert_eq!(tap.lost(), 0);
    for (index, frame) in seen.iter().enumerate() {
        assert_eq!(usize::from(frame.bytes[14]), index / 3);
        assert_eq!(&*frame.port, "outsider");
        assert_eq!(frame.bytes.len(), 60);
        assert!(frame.at + 1_000_000 > before && frame.at < after + 1_000_000);
    }
    let directory = tempfile::tempdir().unwrap();
    tap.write_pcap(directory.path().join("frames.pcap")).unwrap();
    let written = std::fs::metadata(directory.path().join("frames.pcap")).unwrap().len();
    assert!(written >= 24 + 300 * (16 + 60), "{written}");
}

#[test]
fn the_tap_sees_what_a_silenced_host_sends() {
    if !netlab::can_run() {
        return;
    }
    let (lab, alpha, beta) = pair();
    assert!(passes(&alpha, &beta, b(), SOON));
    let tap = Tap::new(&lab).unwrap();
    alpha.silence(Direction::FromHost).unwrap();
    assert!(!passes(&alpha, &beta, b(), QUIET));
    let from_alpha = |frame: &Frame| &*frame.port == "alpha" && frame.bytes.windows(5).any(|text| text == b"hello");
    assert!(tap.wait_for(from_alpha, SOON).is_some());
    let from_nobody_else =
        tap.frames().iter().filter(|frame| frame.bytes.windows(5).any(|text| text == b"hello")).count();
    assert_eq!(from_nobody_else, 1);
}

#[test]
fn an_injected_frame_reaches_the_host_it_is_for() {
    if !netlab::can_run() {
        return;
    }
    let (lab, alpha, _beta) = pair();
    let tap = Tap::new(&lab).unwrap();
    // An ARP request (RFC 826) from 10.0.0.77 for alpha's address: alpha answers it to the outsider's MAC.
    let mut request = vec![0xff; 6];
    request.extend([2, 0, 0, 0, 0, 0xfe, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    request.extend([2, 0, 0, 0, 0, 0xfe, 10, 0, 0, 77, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    lab.inject(&request).unwrap();
    let reply =
        tap.wait_for(|frame| &*frame.port == "alpha" && frame.bytes[12..22] == [8, 6, 0, 1, 8, 0, 6, 4, 0, 2], SOON);
    assert_eq!(reply.expect("an answer").bytes[22..28], alpha.mac());
    assert!(lab.inject(&[0; 5]).is_err(), "no Ethernet header");
}

#[test]
fn the_prober_measures_an_interruption() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    let prober = Prober::start(&beta, a(), Prober::INTERVAL).unwrap();
    let start = prober.wait_for_answer(0, SOON).expect("it answers");
    assert_eq!(prober.answering_mac().unwrap(), Some(alpha.mac()));
    assert!(wait_until(SOON, || prober.probes().len() > 100));
    alpha.silence(Direction::Both).unwrap();
    let silenced = now();
    // The length of the interruption is what this is about.
    std::thread::sleep(Duration::from_millis(300));
    alpha.unsilence().unwrap();
    let end = prober.wait_for_answer(now(), SOON).expect("it answers again");
    let real = Duration::from_nanos(end - silenced);
    assert!(wait_until(SOON, || prober.outage(start, now()) >= Duration::from_millis(280)));
    let measured = prober.outage(start, end);
    assert!(measured <= real + Duration::from_millis(100), "{measured:?} of {real:?}");
    assert!(measured >= Duration::from_millis(280), "{measured:?}");
}

#[test]
fn the_prober_speaks_ipv6() {
    if !netlab::can_run() {
        return;
    }
    let (_lab, alpha, beta) = pair();
    let [six, seven]: [std::net::Ipv6Addr; 2] = ["fd00::6", "fd00::7"].map(|address| address.parse().unwrap());
    alpha.add_address(six, 64).unwrap();
    beta.add_address(seven, 64).unwrap();
    let prober = Prober::start(&beta, six, Prober::INTERVAL).unwrap();
    assert!(prober.wait_for_answer(0, SOON).is_some());
    assert_eq!(prober.answering_mac().unwrap(), Some(alpha.mac()));
    assert_eq!(Prober::start(&alpha, [10, 0, 0, 99], Prober::INTERVAL).unwrap().wait_for_answer(0, QUIET), None);
}
