//! Which digests a virtual host sends and accepts, also while the group changes its password or its addresses.

#[cfg(test)]
mod tests;

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
/// sending: somebody has gone ahead, and all who know the new credentials follow. A form that both credentials have in
/// common, as when only a link-local address differs, says nothing.
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
    /// So many of them, the first ones, are of the credentials that are being sent.
    in_use: usize,
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
        let (in_use, older, newer) = match before {
            Some(change) if now < change.send_until => (change.in_use, change.old, former),
            Some(change) => (former.len(), former, change.old),
            None => (former.len(), former, Vec::new()),
        };
        let old = older.into_iter().chain(newer).take(MOST_OLD_FORMS).collect();
        self.change = Some(Change { old, in_use, send_until: now + grace, accept_until: now + grace * 2 });
    }

    /// Whether an older form is still being sent.
    pub(super) fn is_changing(&self, now: Instant) -> bool {
        self.change.as_ref().is_some_and(|change| now < change.send_until)
    }

    /// What own advertisements are signed and sealed with.
    pub(super) fn signer(&self, now: Instant) -> &Authenticator {
        let old = self.change.as_ref().filter(|change| now < change.send_until);
        &old.map_or(&self.present, |change| &change.old)[0]
    }

    /// The digest that the present credentials give, for a complaint.
    pub(super) fn expected(&self, counter: u64) -> [u8; DIGEST_LEN] {
        self.present[0].sign(counter)
    }

    /// The form that the digest is of, if it is of any.
    pub(super) fn verify(&self, now: Instant, counter: u64, digest: &[u8; DIGEST_LEN]) -> Option<&Authenticator> {
        let old = self.change.as_ref().filter(|change| now < change.accept_until);
        let forms = self.present.iter().chain(old.into_iter().flat_map(|change| &change.old));
        forms.into_iter().find(|form| form.verify(counter, digest))
    }

    /// An advertisement that was verified is believed: it tells whether others have gone ahead.
    pub(super) fn believe(&mut self, now: Instant, counter: u64, digest: &[u8; DIGEST_LEN]) {
        self.change = self.change.take().filter(|change| now < change.accept_until);
        let Some(change) = &mut self.change else { return };
        let fits = |form: &Authenticator| form.verify(counter, digest);
        if self.present.iter().any(fits) && !change.old[..change.in_use].iter().any(fits) {
            change.send_until = change.send_until.min(now);
        }
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
