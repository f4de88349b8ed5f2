use core::net::IpAddr;

use super::*;
use crate::auth::{AddressList, Key};

const GRACE: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn credentials(password: &str, addresses: &[&str]) -> Credentials {
    let addresses = addresses.iter().map(|address| address.parse::<IpAddr>().unwrap());
    Credentials::new(Key::from_password(password.as_bytes()).unwrap(), AddressList::new(addresses))
}

fn accepts(host: &mut Trust, now: Instant, sender: &Trust) -> bool {
    let digest = sender.signer(now).sign(7);
    let verified = host.verify(now, 7, &digest).is_some();
    if verified {
        host.believe(now, 7, &digest);
    }
    verified
}

#[test]
fn hosts_that_are_reconfigured_one_after_the_other_always_understand_each_other() {
    for (old, new) in [
        (credentials("old", &["10.0.0.1"]), credentials("new", &["10.0.0.1"])),
        (credentials("same", &["10.0.0.1"]), credentials("same", &["10.0.0.1", "10.0.0.2"])),
    ] {
        let mut hosts = [Trust::new(&old, 1), Trust::new(&old, 1), Trust::new(&old, 1)];
        for second in 0..300 {
            // Reconfigured at 10, 40 and 65 s: each within the grace time of the first.
            for (host, when) in [(0, 10), (1, 40), (2, 65)] {
                if second == when {
                    hosts[host].change(at(second), &new, 1, GRACE);
                }
            }
            for (sender, receiver) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
                let sender = hosts[sender].clone();
                assert!(accepts(&mut hosts[receiver], at(second), &sender), "{second} s");
            }
        }
        let (mut stranger, host) = (Trust::new(&old, 1), &mut hosts[0]);
        assert!(!accepts(&mut stranger, at(300), host), "the new form is sent in the end");
        assert!(!accepts(host, at(300), &stranger), "and the old one refused");
    }
}

#[test]
fn who_hears_the_new_form_sends_it_too() {
    let (old, new) = (credentials("old", &["10.0.0.1"]), credentials("new", &["10.0.0.1"]));
    let (mut host, mut peer) = (Trust::new(&old, 1), Trust::new(&old, 1));
    host.change(at(0), &new, 1, GRACE);
    peer.change(at(1), &new, 1, Duration::ZERO);
    assert!(host.is_changing(at(2)));
    assert!(!accepts(&mut peer, at(2), &host), "without a grace time the old form is refused at once");
    assert!(accepts(&mut host, at(2), &peer));
    assert!(!host.is_changing(at(2)));
    assert!(accepts(&mut peer, at(2), &host));
    assert!(accepts(&mut host, at(119), &Trust::new(&old, 1)), "the old one is still heard");
    assert!(!accepts(&mut host, at(120), &Trust::new(&old, 1)));
}

#[test]
fn a_second_change_does_not_forget_what_the_others_still_need() {
    let [first, second, third] = ["first", "second", "third"].map(|password| credentials(password, &["10.0.0.1"]));
    let mut host = Trust::new(&first, 1);
    host.change(at(0), &second, 1, GRACE);
    host.change(at(10), &third, 1, GRACE);
    let [mut slow, middle] = [Trust::new(&first, 1), Trust::new(&second, 1)];
    assert!(accepts(&mut slow, at(20), &host), "the others still have the first credentials");
    assert!(accepts(&mut host, at(20), &slow) && accepts(&mut host, at(20), &middle));
    for change in 0..100 {
        host.change(at(30), &credentials(&std::format!("{change}"), &["10.0.0.1"]), 1, GRACE);
    }
    assert_eq!(host.change.unwrap().old.len(), MOST_OLD_FORMS);
}

#[test]
fn after_the_grace_time_a_change_starts_from_the_present_credentials() {
    let [first, second, third] = ["first", "second", "third"].map(|password| credentials(password, &["10.0.0.1"]));
    let mut host = Trust::new(&first, 1);
    host.change(at(0), &second, 1, GRACE);
    host.change(at(70), &third, 1, GRACE);
    assert!(accepts(&mut Trust::new(&second, 1), at(71), &host));
    assert!(accepts(&mut host, at(71), &Trust::new(&first, 1)), "somebody may still send the first");
}

#[test]
fn link_local_addresses_are_accepted_in_either_form() {
    let plain = credentials("secret", &["10.0.0.1", "fe80::1", "2001:db8::1"]);
    let whole = Credentials { link_local_in_digest: true, ..plain.clone() };
    let (mut openbsd, mut freebsd) = (Trust::new(&plain, 1), Trust::new(&whole, 1));
    assert_ne!(openbsd.signer(at(0)).sign(7), freebsd.signer(at(0)).sign(7));
    assert!(accepts(&mut openbsd.clone(), at(0), &freebsd));
    assert!(accepts(&mut freebsd, at(0), &openbsd));
    let without = credentials("secret", &["10.0.0.1", "2001:db8::1"]);
    assert!(accepts(&mut openbsd, at(0), &Trust::new(&without, 1)), "which is what OpenBSD sends");
}

#[test]
fn a_form_that_old_and_new_credentials_share_does_not_end_the_grace_time() {
    for (old, new) in [(&["2001:db8::1"][..], &["2001:db8::1", "fe80::1"][..]), (&["fe80::2"], &["fe80::1"])] {
        let [old, new] = [old, new].map(|addresses| credentials("secret", addresses));
        let whole = |credentials: &Credentials| Credentials { link_local_in_digest: true, ..credentials.clone() };
        let (mut reloaded, mut slow) = (Trust::new(&whole(&old), 1), Trust::new(&old, 1));
        reloaded.change(at(0), &whole(&new), 1, GRACE);
        assert!(accepts(&mut reloaded, at(1), &slow));
        assert!(reloaded.is_changing(at(1)) && accepts(&mut slow, at(1), &reloaded));
        let gone_ahead = Trust::new(&whole(&new), 1);
        assert!(accepts(&mut reloaded, at(2), &gone_ahead));
        assert!(!reloaded.is_changing(at(2)));
    }
}

#[test]
fn who_takes_a_change_back_is_understood_as_soon_as_the_others_are_heard() {
    let [first, second] = ["first", "second"].map(|password| credentials(password, &["10.0.0.1"]));
    let (mut host, mut others) = (Trust::new(&first, 1), Trust::new(&first, 1));
    host.change(at(0), &second, 1, GRACE);
    assert!(!accepts(&mut others, at(70), &host), "nobody followed");
    host.change(at(80), &first, 1, GRACE);
    assert!(accepts(&mut host, at(81), &others) && accepts(&mut others, at(81), &host));
}

#[test]
fn an_administrators_ethernet_address_is_part_of_the_digest() {
    let plain = credentials("secret", &["10.0.0.1"]);
    let set = Credentials { lladdr: Some(crate::wire::MacAddr([2, 0, 0, 0, 0, 1])), ..plain.clone() };
    let mut host = Trust::new(&set, 1);
    assert!(!accepts(&mut host, at(0), &Trust::new(&plain, 1)));
    let same = host.clone();
    assert!(accepts(&mut host, at(0), &same));
}
