use super::*;

const MS: u64 = 1_000_000;

/// A probe each 10 ms from 0 on; `.` is answered at once, `x` not at all, `l` late.
fn probes(pattern: &str) -> Vec<Probe> {
    pattern
        .chars()
        .zip((0_u64..).step_by(10))
        .map(|(kind, at)| {
            let answered = match kind {
                '.' => Some(at * MS + 1),
                'l' => Some((at + 500) * MS),
                _ => None,
            };
            Probe { sent: at * MS, answered }
        })
        .collect()
}

fn outage_of(pattern: &str, since: u64, until: u64) -> u128 {
    outage(&probes(pattern), since * MS, until * MS, 20 * MS).as_millis()
}

#[test]
fn an_outage_is_the_longest_gap_between_answered_probes() {
    assert_eq!(outage_of(".....", 0, 40), 0);
    assert_eq!(outage_of("..x..", 0, 40), 20);
    assert_eq!(outage_of(".x.xxx.", 0, 60), 40);
    assert_eq!(outage_of(".l.", 0, 20), 20, "a late answer is none");
}

#[test]
fn the_ends_of_the_window_bound_an_outage() {
    assert_eq!(outage_of("xxx...", 0, 50), 30);
    assert_eq!(outage_of("...xxx", 0, 50), 30);
    assert_eq!(outage_of("xxxxxx", 5, 45), 40);
    assert_eq!(outage_of(".xx...", 25, 50), 0, "it was over before");
    assert_eq!(outage_of("...", 100, 200), 100, "nothing was asked");
}

#[test]
fn a_stall_of_the_prober_is_no_outage() {
    let mut probes = probes("..");
    probes.extend(
        self::probes("..")
            .iter()
            .map(|probe| Probe { sent: probe.sent + 900 * MS, answered: probe.answered.map(|at| at + 900 * MS) }),
    );
    assert_eq!(outage(&probes, 0, 910 * MS, 20 * MS), Duration::ZERO);
}

#[test]
fn replies_to_others_and_scraps_are_no_answers() {
    let Some(socket) = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).ok() else { return };
    let wire = |target: &str| Wire {
        socket: socket.try_clone().unwrap(),
        target: SocketAddr::new(target.parse().unwrap(), 0),
        identifier: [1, 2],
    };
    let mut reply = vec![0, 0, 0, 0, 1, 2, 0, 7, 0, 0, 0, 0, 0, 0, 1, 7];
    let with_header = |reply: &[u8]| [&[0x45; 20], reply].concat();
    let v4 = wire("10.0.0.1");
    assert_eq!(v4.parse(&with_header(&reply)), Some(0x107));
    for length in 0..36 {
        assert_eq!(v4.parse(&with_header(&reply)[..length]), None);
    }
    reply[5] = 3;
    assert_eq!(v4.parse(&with_header(&reply)), None, "another identifier");
    reply[5] = 2;
    reply[0] = 8;
    assert_eq!(v4.parse(&with_header(&reply)), None, "a request");
    reply[0] = 129;
    assert_eq!(wire("fe80::1").parse(&reply), Some(0x107));
}

#[test]
fn the_checksum_is_that_of_rfc_1071() {
    // Section 3's example.
    assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    assert_eq!(checksum(&[0xff; 16]), 0);
}
