//! Which digests a virtual host sends and accepts, also while the group changes its password or its addresses.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::Credentials;
use crate::auth::Authenticator;
use crate::time::Instant;
use crate::wire::advertisement::DIGEST_LEN;

/// Forms that are accepted beside the present ones; more reloads in a row than this are one too many.
const MOST_OLD_FORMS: usize = 8;

/// The digests of one virtual host.
///
/// Hosts are reconfigured one after the other. One that knows the new credentials goes on *sending* the old form for a
/// grace time, so that those that do not know them yet go on hearing it, and *accepts* the old form for twice that
/// time, because one that was reconfigured last sends it for so long. Hearing the new form from anybody ends the
/// sending: somebody has gone ahead, and all who know the new credentials follow.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// The present forms; the first is the one to send.
    present: Vec<Authenticator>,
    change: Option<Change>,
}

/// What is left of former credentials.
#[derive(Clone, Debug)]
struct Change {
    /// The former forms; the first is the one to send.
    old: Vec<Authenticator>,
    send_until: Instant,
    accept_until: Instant,
}

impl Trust {
    pub(super) fn new(credentials: &Credentials, vhid: u8) -> Self {
        Self { present: forms(credentials, vhid), change: None }
    }

    /// From now on `credentials` are the present ones.
    pub(super) fn change(&mut self, now: Instant, credentials: &Credentials, vhid: u8, grace: Duration) {
        let former = core::mem::replace(&mut self.present, forms(credentials, vhid));
        let before = self.change.take().filter(|change| now < change.accept_until);
        if grace.is_zero() {
            return;
        }
        // What was being sent goes on being sent, even if it was older than the former credentials.
        let (older, newer) = match before {
            Some(change) if now < change.send_until => (change.old, former),
            Some(change) => (former, change.old),
            None => (former, Vec::new()),
        };
        let old = older.into_iter().chain(newer).take(MOST_OLD_FORMS).collect();
        self.change = Some(Change { old, send_until: now + grace, accept_until: now + grace * 2 });
    }

    /// Whether an older form is still being sent.
    pub(super) fn is_changing(&self, now: Instant) -> bool {
        self.change.as_ref().is_some_and(|change| now < change.send_until)
    }

    pub(super) fn sign(&self, now: Instant, counter: u64) -> [u8; DIGEST_LEN] {
        let old = self.change.as_ref().filter(|change| now < change.send_until);
        old.map_or(&self.present, |change| &change.old)[0].sign(counter)
    }

    /// The digest that the present credentials give, for a complaint.
    pub(super) fn expected(&self, counter: u64) -> [u8; DIGEST_LEN] {
        self.present[0].sign(counter)
    }

    pub(super) fn verify(&mut self, now: Instant, counter: u64, digest: &[u8; DIGEST_LEN]) -> bool {
        let fits = |form: &Authenticator| form.verify(counter, digest);
        if self.present.iter().any(fits) {
            if let Some(change) = &mut self.change {
                change.send_until = change.send_until.min(now);
            }
            return true;
        }
        self.change = self.change.take().filter(|change| now < change.accept_until);
        self.change.as_ref().is_some_and(|change| change.old.iter().any(fits))
    }
}

/// The forms that peers with the same credentials send; the first is our own. There are two where IPv6 link-local
/// addresses are shared: with them and without.
fn forms(credentials: &Credentials, vhid: u8) -> Vec<Authenticator> {
    let whole = credentials.addresses.clone();
    let shortened = whole.without_link_local();
    let mut lists = Vec::from([shortened]);
    if whole != lists[0] {
        lists.push(whole);
    }
    if credentials.link_local_in_digest {
        lists.reverse();
    }
    let authenticator = |list| match credentials.lladdr {
        None => Authenticator::new(&credentials.key, vhid, list),
        Some(lladdr) => Authenticator::with_lladdr(&credentials.key, vhid, list, lladdr),
    };
    lists.iter().map(authenticator).collect()
}

#[cfg(test)]
mod tests {
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
        host.verify(now, 7, &sender.sign(now, 7))
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
        assert_ne!(openbsd.sign(at(0), 7), freebsd.sign(at(0), 7));
        assert!(accepts(&mut openbsd.clone(), at(0), &freebsd));
        assert!(accepts(&mut freebsd, at(0), &openbsd));
        let without = credentials("secret", &["10.0.0.1", "2001:db8::1"]);
        assert!(accepts(&mut openbsd, at(0), &Trust::new(&without, 1)), "which is what OpenBSD sends");
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
}
