//! Holds virtual addresses for the virtual hosts that ask for it: adds, renews and removes many at once.
//!
//! An address is held by a lease that each advertisement renews. Whatever becomes of this process, the kernel removes
//! the address when the lease is over.

mod arrival;
mod holdings;
mod place;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use carp_core::time::Instant;
use log::error;
use ucarp_sys::address::{self, Assignment, Found, Lease, Renewal, Scope};
use ucarp_sys::kernel::{Connection, Failure, KernelError};

use crate::protocol::HostNumber;
use crate::settings::{self, HostSettings, Mac, Native, VirtualAddress};
use crate::wishes::Wishes;
use holdings::Holdings;
use place::{Parents, Place, Virtual};

/// An address that could not be removed is tried again after this time.
const RETRY: Duration = Duration::from_millis(100);

/// After so many advertisements without its addresses a MASTER leaves the address to another host.
const MOST_FAILURES: u32 = 3;

/// Addresses that others remove more often than this within [`FIGHT`] are left to another host.
const MOST_REMOVALS: usize = 5;

/// Removals that follow each other faster count as one: `ip addr flush` takes away what comes back, up to ten times.
const EPISODE: Duration = Duration::from_millis(500);

/// How long a removal counts.
const FIGHT: Duration = Duration::from_secs(60);

/// What a virtual host wants of its addresses; only the last wish counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// To have them, anew or for longer.
    Have,
    /// To be without them.
    Lack,
}

/// What has come of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The addresses are there, after they were not: they can be announced.
    Claimed(HostNumber),
    /// The addresses are gone.
    Released(HostNumber),
    /// The addresses cannot be held on this host: another one should.
    Hopeless(HostNumber),
}

/// The addresses of one virtual host.
struct Holding {
    /// What begins its lines in the log.
    who: String,
    native: Native,
    addresses: Vec<VirtualAddress>,
    place: Place,
    /// What the kernel is asked for, on the interface of this index.
    renewals: Option<(u32, Vec<Renewal>)>,
    /// What has been added and not removed.
    held: Vec<Assignment>,
    /// All of them have been there since the last claim.
    complete: bool,
    failures: u32,
    removals: VecDeque<Instant>,
}

/// Holds the addresses of all virtual hosts whose addresses are not a matter of scripts.
#[derive(Default)]
pub struct Keeper {
    connection: Option<Connection>,
    holdings: Holdings,
    wishes: Wishes<Wish>,
    owners: BTreeMap<(u32, IpAddr), HostNumber>,
    retry: Option<Instant>,
    parents: Parents,
}

impl Keeper {
    /// Takes care of a virtual host's addresses from now on. None is there yet.
    pub fn add(&mut self, host: HostNumber, who: &str, settings: &HostSettings, native: &Native) {
        let holding = Holding {
            who: who.to_owned(),
            native: native.clone(),
            addresses: settings.addresses.clone(),
            place: Place::new(settings),
            renewals: None,
            held: Vec::new(),
            complete: false,
            failures: 0,
            removals: VecDeque::new(),
        };
        self.holdings.insert(host, holding);
    }

    /// Whether the addresses of this virtual host are held here.
    #[must_use]
    pub fn keeps(&self, host: HostNumber) -> bool {
        self.holdings.get(host).is_some()
    }

    /// Whether some of the addresses that are held here for this virtual host are not there.
    #[must_use]
    pub fn lacks_some(&self, host: HostNumber) -> bool {
        self.holdings.get(host).is_some_and(|holding| !holding.complete)
    }

    /// Whether an address of a virtual host is there, as far as is known; `None` if it is not held here.
    #[must_use]
    pub fn has(&self, host: HostNumber, address: IpAddr) -> Option<bool> {
        self.holdings.get(host).map(|holding| holding.held.iter().any(|place| place.address == address))
    }

    /// The virtual host's addresses and how they are held are these from now on. What is not wanted any more goes at
    /// once; what is new comes if the others are there.
    pub fn change(&mut self, host: HostNumber, who: &str, settings: &HostSettings, native: &Native) {
        let Some(holding) = self.holdings.get_mut(host) else { return };
        let was_held = !holding.held.is_empty();
        let same = |place: &Assignment| {
            settings
                .addresses
                .iter()
                .any(|address| address.ip == place.address && address.prefix_len == place.prefix_len)
        };
        // The kernel changes only the time of an address that is there.
        let remade = (&holding.native.label, holding.native.scope, holding.native.noprefixroute)
            != (&native.label, native.scope, native.noprefixroute);
        let (stay, go): (Vec<_>, Vec<_>) = holding.held.drain(..).partition(|place| same(place) && !remade);
        holding.held = stay;
        who.clone_into(&mut holding.who);
        holding.native = native.clone();
        holding.renewals = None;
        settings.addresses.clone_into(&mut holding.addresses);
        if was_held {
            holding.complete = false;
            self.wishes.replace(host, Wish::Have);
        }
        if !go.is_empty() {
            self.remove_now(&go);
        }
    }

    /// Forgets a virtual host that has given its addresses up.
    pub fn remove(&mut self, host: HostNumber) {
        self.wishes.remove(host);
        self.holdings.remove(host);
        let virtual_ones: Vec<_> =
            self.holdings.iter_mut().filter_map(|(_, holding)| holding.place.virtual_one()).collect();
        self.parents.restore_unless(|parent| virtual_ones.iter().any(|place| place.parent() == Some(parent)));
    }

    /// The virtual host wants its addresses, or to keep them for longer, unless it is about to give them up.
    pub fn want(&mut self, host: HostNumber) {
        self.wishes.add(host, Wish::Have);
    }

    /// As [`Keeper::want`], for a virtual host that has just become MASTER, whatever it wanted before.
    pub fn claim(&mut self, host: HostNumber) {
        if let Some(holding) = self.holdings.get_mut(host) {
            (holding.complete, holding.failures) = (false, 0);
            self.wishes.replace(host, Wish::Have);
        }
    }

    /// The virtual host wants to be without its addresses.
    pub fn release(&mut self, host: HostNumber) {
        if self.keeps(host) {
            self.wishes.replace(host, Wish::Lack);
        }
    }

    /// Whether a wish of this virtual host has not come true.
    #[must_use]
    pub fn is_wishing(&self, host: HostNumber) -> bool {
        self.wishes.get(host).is_some()
    }

    /// Whether nothing is wished that has not come true.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.wishes.is_empty()
    }

    /// Drops what is wanted and not there yet: what it was decided on may have changed meanwhile.
    pub fn forget_wants(&mut self) {
        self.wishes.retain(|wish| wish == Wish::Lack);
    }

    /// When a wish is tried again.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.retry
    }

    /// Whether an address is held on this interface.
    #[must_use]
    pub fn holds(&self, index: u32, address: IpAddr) -> bool {
        self.owners.contains_key(&(index, address))
    }

    /// Does what is wished, all in one go: first what has to go, then what has to come.
    pub fn settle(&mut self, now: Instant) -> Vec<Outcome> {
        if self.wishes.is_empty() || connection(&mut self.connection).is_none() {
            return Vec::new();
        }
        self.retry = None;
        let mut wishes = std::mem::take(&mut self.wishes);
        let of = |wanted| wishes.iter().filter(move |(_, wish)| *wish == wanted).map(|(host, _)| host);
        let (slow, quick): (Vec<_>, Vec<_>) = of(Wish::Lack).partition(|host| self.has_virtual_interface(*host));
        // Removing an interface takes its time; addresses that are gone at once need not wait for it.
        let mut outcomes = if quick.is_empty() || slow.is_empty() {
            self.remove_all(now, slow.into_iter().chain(quick).collect())
        } else {
            slow.into_iter().for_each(|host| self.wishes.replace(host, Wish::Lack));
            self.retry = Some(now);
            self.remove_all(now, quick)
        };
        let wanted: Vec<_> = of(Wish::Have).collect();
        outcomes.extend(self.put_all(&wanted));
        if self.wishes.is_empty() {
            // As a rule the next ones are as many.
            wishes.clear();
            self.wishes = wishes;
        }
        outcomes
    }

    fn has_virtual_interface(&self, host: HostNumber) -> bool {
        self.holdings.get(host).is_some_and(|holding| matches!(holding.place, Place::Virtual(_)))
    }

    fn remove_all(&mut self, now: Instant, hosts: Vec<HostNumber>) -> Vec<Outcome> {
        let Some(connection) = self.connection.as_mut().filter(|_| !hosts.is_empty()) else { return Vec::new() };
        let mut places = Vec::new();
        for host in &hosts {
            places.extend(self.holdings.get(*host).into_iter().flat_map(|holding| holding.held.iter().copied()));
        }
        let mut refused = address::remove(connection, &places).into_iter().peekable();
        let mut numbers = 0..places.len();
        for host in &hosts {
            let Some(holding) = self.holdings.get_mut(*host) else { continue };
            let who = &holding.who;
            holding.held.retain(|place| {
                let number = numbers.next();
                let Some((_, failure)) = refused.next_if(|(refused, _)| Some(*refused) == number) else {
                    let key = (place.index, place.address);
                    // A successor of this virtual host may have it by now.
                    if self.owners.get(&key) == Some(host) {
                        self.owners.remove(&key);
                    }
                    return false;
                };
                error!("{who}{failure}: trying again");
                true
            });
        }
        place::lower(connection, virtual_ones(&mut self.holdings.of(&hosts)));
        let mut outcomes = Vec::new();
        for host in hosts {
            let Some(holding) = self.holdings.get_mut(host) else { continue };
            let stays = holding.place.virtual_one().is_some_and(|place| place.exists());
            if holding.held.is_empty() && !stays {
                outcomes.push(Outcome::Released(host));
            } else {
                self.wishes.replace(host, Wish::Lack);
                self.retry = Some(now + RETRY);
            }
        }
        outcomes
    }

    fn put_all(&mut self, hosts: &[HostNumber]) -> Vec<Outcome> {
        let Some(connection) = &mut self.connection else { return Vec::new() };
        // Nearly always all are there and get more time.
        if self.holdings.on_roll(hosts).is_some_and(|renewals| address::put(connection, &renewals).is_empty()) {
            return Vec::new();
        }
        let mut wanted = self.holdings.of(hosts);
        place::raise(connection, virtual_ones(&mut wanted));
        wanted.iter_mut().for_each(|(_, holding)| holding.prepare());
        let all: Vec<&Renewal> = wanted.iter().flat_map(|(_, holding)| holding.renewals()).collect();
        let mut refused = address::put(connection, &all).into_iter().peekable();
        let mut outcomes = Vec::new();
        let mut first = 0;
        for (host, holding) in wanted {
            let next = first + holding.renewals().len();
            let failures: Vec<_> = std::iter::from_fn(|| refused.next_if(|(number, _)| *number < next)).collect();
            if holding.held.len() != next - first || !failures.is_empty() {
                let is_refused = |number| failures.iter().any(|(refused, _)| *refused == first + number);
                let added = holding.add(|number| !is_refused(number));
                self.owners.extend(added.into_iter().map(|at| ((at.index, at.address), host)));
            }
            let failures = failures.iter().map(|(_, failure)| failure);
            outcomes.extend(holding.judge(next > first, failures).map(|verdict| verdict(host)));
            first = next;
        }
        if outcomes.is_empty() {
            self.holdings.call_roll();
        }
        outcomes
    }

    /// Something may have removed addresses: looks which of those that are held are not there. Returns those that were not
    /// to go anyway, with the virtual host that has them.
    ///
    /// # Errors
    ///
    /// As [`Keeper::addresses`].
    pub fn verify(&mut self, now: Instant) -> Result<Vec<(HostNumber, IpAddr)>, KernelError> {
        if self.owners.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.addresses()?;
        let there: std::collections::BTreeSet<Assignment> = found.iter().map(|found| found.at).collect();
        let mut missing = Vec::new();
        for (host, holding) in self.holdings.iter_mut() {
            let lost: Vec<_> = holding.held.extract_if(.., |place| !there.contains(place)).collect();
            if lost.is_empty() {
                continue;
            }
            let wanted = self.wishes.get(host) != Some(Wish::Lack);
            for place in lost {
                self.owners.remove(&(place.index, place.address));
                if wanted {
                    missing.push((host, place.address));
                }
            }
            holding.complete = false;
            holding.place.doubt();
            if wanted {
                holding.removals.retain(|removal| now - *removal < FIGHT);
                if holding.removals.back().is_none_or(|last| now - *last >= EPISODE) {
                    holding.removals.push_back(now);
                }
            }
        }
        Ok(missing)
    }

    /// Every address of this host.
    ///
    /// # Errors
    ///
    /// The kernel does not tell, or the list changes so fast that it cannot be read.
    pub fn addresses(&mut self) -> Result<Vec<Found>, KernelError> {
        connection(&mut self.connection).map_or(Ok(Vec::new()), address::list)
    }

    fn remove_now(&mut self, places: &[Assignment]) {
        for place in places {
            self.owners.remove(&(place.index, place.address));
        }
        if let Some(connection) = connection(&mut self.connection) {
            for (_, failure) in address::remove(connection, places) {
                error!("{failure}: its lease will end");
            }
        }
    }
}

impl Holding {
    /// Makes the renewals those of the present addresses and interface.
    fn prepare(&mut self) {
        let index = self.place.index();
        if self.renewals.as_ref().map(|(index, _)| *index) != index {
            self.renewals = index.map(|index| (index, self.leases(index).map(|lease| lease.prepare()).collect()));
        }
    }

    fn leases(&self, index: u32) -> impl Iterator<Item = Lease> {
        let valid = (self.native.lease > 0).then(|| Duration::from_secs(self.native.lease.into()));
        self.addresses.iter().map(move |address| {
            let at = Assignment { index, address: address.ip, prefix_len: address.prefix_len };
            Lease {
                label: self.native.label.clone().filter(|_| address.ip.is_ipv4()),
                scope: match self.native.scope {
                    settings::Scope::Global => Scope::Global,
                    settings::Scope::Link => Scope::Link,
                    settings::Scope::Host => Scope::Host,
                },
                noprefixroute: self.native.noprefixroute,
                ..Lease::new(at, valid)
            }
        })
    }

    /// One for each address, or none if there is no interface to carry them.
    fn renewals(&self) -> &[Renewal] {
        self.renewals.as_ref().map(|(_, renewals)| &renewals[..]).unwrap_or_default()
    }

    /// Whether it needs nothing but renewals.
    fn is_settled(&self) -> bool {
        self.complete && self.failures == 0 && self.held.len() == self.renewals().len()
    }

    /// The renewals of these numbers were carried out. Returns what was not held before.
    fn add(&mut self, is_done: impl Fn(usize) -> bool) -> Vec<Assignment> {
        let done = self.renewals().iter().enumerate().filter(|(number, _)| is_done(*number));
        let new: Vec<_> = done.map(|(_, renewal)| renewal.at()).filter(|at| !self.held.contains(at)).collect();
        self.held.extend(&new);
        new
    }

    /// What has to be told after the addresses were put.
    fn judge<'a>(
        &mut self,
        has_interface: bool,
        refused: impl Iterator<Item = &'a Failure>,
    ) -> Option<fn(HostNumber) -> Outcome> {
        let mut complete = has_interface;
        for failure in refused {
            complete = false;
            if self.failures == 0 {
                error!("{}{failure}", self.who);
            }
        }
        if complete {
            self.failures = 0;
            let first = !std::mem::replace(&mut self.complete, true);
            if self.removals.len() > MOST_REMOVALS {
                let seconds = FIGHT.as_secs();
                error!("{}Addresses were removed {} times in {seconds} s", self.who, self.removals.len());
                self.removals.clear();
                return Some(Outcome::Hopeless);
            }
            return first.then_some(Outcome::Claimed);
        }
        self.failures += 1;
        (self.failures == MOST_FAILURES).then_some(Outcome::Hopeless)
    }
}

/// Their interfaces with virtual Ethernet addresses, with what begins their lines in the log.
fn virtual_ones<'a>(
    holdings: &'a mut [(HostNumber, &mut Holding)],
) -> impl Iterator<Item = (&'a str, &'a mut Virtual)> {
    holdings.iter_mut().filter_map(|(_, holding)| {
        let Holding { who, place, .. } = &mut **holding;
        Some((who.as_str(), place.virtual_one()?))
    })
}

/// The connection to the kernel, opened when it is first needed.
fn connection(connection: &mut Option<Connection>) -> Option<&mut Connection> {
    if connection.is_none() {
        *connection =
            Connection::open().inspect_err(|error: &io::Error| error!("Unable to reach the kernel: {error}")).ok();
    }
    connection.as_mut()
}
