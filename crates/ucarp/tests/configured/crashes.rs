//! Masters that die or hang: the kernel removes their addresses, and another host takes them.
//!
//! Each fault is done twenty times, to daemons at different moments of their second.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{DEFAULTS, Node, SOON, Segment, between, in_parallel, later, virtual_host, wait_until_time};

/// How often each fault is done.
const TIMES: u8 = 20;

/// The fault is done to one daemon after the other, at moments that are this far apart.
const APART: Duration = Duration::from_millis(53);

/// A dead host has no virtual address any more after this.
const GONE: Duration = Duration::from_millis(3500);

/// The kernel ends leases of IPv4 at most once a second: where several end within one, the later ones wait for it.
const ALL_GONE: Duration = Duration::from_millis(4400);

/// Enough for the lines of a dead daemon to be read.
const LATE: Duration = Duration::from_millis(100);

fn address(vhid: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 1, vhid).into()
}

fn host_of(vhid: u8, more: &str) -> String {
    virtual_host(&format!("v{vhid}"), vhid, &[&address(vhid).to_string()], more)
}

/// Twenty daemons, and another host that has all their virtual hosts in one.
struct Casualties {
    segment: Segment,
    daemons: Vec<Node>,
    peer: Node,
    /// When the fault was done to which virtual host.
    faults: BTreeMap<u8, u64>,
}

impl Casualties {
    /// Each daemon is on a host of its own, and MASTER, and the other host has heard it.
    fn apart() -> Self {
        let segment = Segment::new();
        let daemons = (1..=TIMES).map(|vhid| segment.node(10 + vhid)).collect();
        Self::new(segment, daemons)
    }

    /// As [`Casualties::apart`], but all daemons are on one host.
    fn together() -> Self {
        let segment = Segment::new();
        let host = segment.host(2);
        let daemons = (1..=TIMES).map(|vhid| segment.daemon(&host, &format!("v{vhid}"))).collect();
        Self::new(segment, daemons)
    }

    fn new(segment: Segment, mut daemons: Vec<Node>) -> Self {
        for (daemon, vhid) in daemons.iter_mut().zip(1..) {
            daemon.start(&format!("{DEFAULTS}{}", host_of(vhid, "")));
        }
        for (daemon, vhid) in daemons.iter().zip(1..) {
            daemon.wait_for(address(vhid));
        }
        let mut peer = segment.node(3);
        let hosts: String = (1..=TIMES).map(|vhid| host_of(vhid, "advskew = 100")).collect();
        peer.start(&format!("{DEFAULTS}{hosts}"));
        let since = now();
        for (daemon, vhid) in daemons.iter().zip(1..) {
            segment.wait_for_advertisement(&daemon.host, vhid, since);
        }
        Self { segment, daemons, peer, faults: BTreeMap::new() }
    }

    fn holds(&self, vhid: u8) -> bool {
        self.daemons[usize::from(vhid) - 1].holds(address(vhid))
    }

    /// Does something to each daemon, and asserts that its address goes in time and comes on the other host.
    fn suffer(&mut self, fault: impl Fn(&Node), within: Duration) {
        let mut gone = BTreeMap::new();
        let start = now();
        let over = netlab::wait_until(SOON, || {
            let next = u8::try_from(self.faults.len()).expect("there are few") + 1;
            if next <= TIMES && now() >= later(start, APART * u32::from(next)) {
                let at = now();
                fault(&self.daemons[usize::from(next) - 1]);
                self.faults.insert(next, at);
            }
            for (vhid, at) in &self.faults {
                if !gone.contains_key(vhid) {
                    let looked = now();
                    if !self.holds(*vhid) {
                        gone.insert(*vhid, between(*at, looked));
                    }
                }
            }
            gone.len() == usize::from(TIMES)
        });
        assert!(over, "only these are gone: {gone:?}");
        let longest = gone.values().max().expect("there are some");
        println!("the addresses were gone after {:?} to {longest:?}", gone.values().min().expect("there are some"));
        assert!(*longest <= within, "{gone:?}");
        let taken: Vec<_> = self.faults.iter().map(|(vhid, at)| between(*at, self.taken(*vhid, *at))).collect();
        println!("the other host announced them after {:?} to {:?}", taken.iter().min(), taken.iter().max());
    }

    /// When the other host announced the address, which it has.
    fn taken(&self, vhid: u8, since: u64) -> u64 {
        let at = self.segment.wait_for_announcement(&self.peer.host, address(vhid), since);
        self.peer.wait_for(address(vhid));
        at
    }

    /// Asserts that from `since` until now none of those with a fault said or announced anything.
    fn assert_silent(&self, since: u64) {
        self.segment.catch_up();
        for (daemon, vhid) in self.daemons.iter().zip(1..) {
            let heard = self.segment.heard(&daemon.host, vhid, since);
            assert!(heard.is_empty(), "{vhid} advertised {heard:?}:\n{}", daemon.said());
            assert_eq!(self.segment.announcements(&daemon.host, address(vhid), since), []);
        }
    }

    /// Asserts that those that were woken have no address and say nothing, for this long.
    fn assert_does_not_come_back(&self, woken: u64, watch: Duration) {
        // They are looked at all the time: an address that comes for a moment only is one too many.
        let mut seen = Vec::new();
        netlab::wait_until(watch, || {
            seen.extend((1..=TIMES).filter(|vhid| self.holds(*vhid)));
            !seen.is_empty()
        });
        let said: String = seen.iter().map(|vhid| self.daemons[usize::from(*vhid) - 1].said()).collect();
        assert_eq!(seen, [] as [u8; 0], "addresses were put back:\n{said}");
        self.assert_silent(woken);
    }

    fn last_fault(&self) -> u64 {
        *self.faults.values().max().expect("there are some")
    }
}

#[test]
fn a_killed_master_loses_its_addresses_in_time() {
    let mut casualties = Casualties::apart();
    casualties.suffer(|daemon| daemon.signal(Signal::KILL), GONE);
    casualties.assert_silent(later(casualties.last_fault(), LATE));
}

#[test]
fn masters_of_one_host_that_are_killed_at_different_moments_lose_their_addresses() {
    let mut casualties = Casualties::together();
    casualties.suffer(|daemon| daemon.signal(Signal::KILL), ALL_GONE);
    casualties.assert_silent(later(casualties.last_fault(), LATE));
}

/// The kernel looks for leases that are over once a second: it must find all of one process then, also of virtual hosts
/// that became MASTER at other moments of the second.
#[test]
fn the_leases_of_one_process_end_together() {
    const EACH: u8 = 4;
    const BETWEEN: Duration = Duration::from_millis(280);
    let segment = Segment::new();
    let nodes: Vec<_> = (1..=TIMES).map(|number| (number, segment.node(10 + number))).collect();
    let start = now();
    let gone_after = Mutex::new(Vec::new());
    in_parallel(nodes, |(number, mut daemon)| {
        let own = |count| (1..=count).map(move |which| number * EACH + which);
        let config = |count| DEFAULTS.to_owned() + &own(count).map(|vhid| host_of(vhid, "")).collect::<String>();
        daemon.start(&config(1));
        for count in 2..=EACH {
            wait_until_time(later(start, BETWEEN * u32::from(count)));
            daemon.reload(&config(count));
        }
        let all = || own(EACH).map(address);
        all().for_each(|address| _ = daemon.wait_for(address));
        // The last one has renewed its lease, too.
        let since = now();
        for vhid in own(EACH) {
            segment.wait_for_advertisement(&daemon.host, vhid, since);
        }
        wait_until_time(later(since, APART * u32::from(number)));
        let killed = now();
        daemon.signal(Signal::KILL);
        let gone = netlab::wait_until(SOON, || !all().any(|address| daemon.holds(address)));
        assert!(gone, "some are left");
        gone_after.lock().expect("nobody panics").push(between(killed, now()));
    });
    let gone_after = gone_after.into_inner().expect("nobody panicked");
    println!("the last addresses were gone after {:?} to {:?}", gone_after.iter().min(), gone_after.iter().max());
    assert!(gone_after.iter().all(|after| *after <= GONE), "{gone_after:?}");
}

#[test]
fn a_stopped_master_loses_its_addresses_in_time_and_gives_up_silently_when_it_is_woken() {
    const STALL: Duration = Duration::from_secs(20);
    const WATCH: Duration = Duration::from_secs(5);
    let mut casualties = Casualties::apart();
    casualties.suffer(|daemon| daemon.signal(Signal::STOP), GONE);
    wait_until_time(later(casualties.last_fault(), STALL));
    casualties.assert_silent(later(casualties.last_fault(), LATE));
    let woken = now();
    for daemon in &casualties.daemons {
        daemon.signal(Signal::CONT);
    }
    casualties.assert_does_not_come_back(woken, WATCH);
    for (daemon, vhid) in casualties.daemons.iter().zip(1..) {
        daemon.wait_for_line("this host was silent for", woken);
        let changes: Vec<_> = daemon.changes(&format!("v{vhid}"), woken).iter().map(|(_, master)| *master).collect();
        assert_eq!(changes, [false], "{}", daemon.said());
        assert!(casualties.peer.holds(address(vhid)));
    }
}

#[test]
fn a_master_that_is_stopped_just_after_it_has_decided_to_advertise_does_not_take_up_where_it_was() {
    const STALL: Duration = Duration::from_secs(8);
    const WATCH: Duration = Duration::from_secs(3);
    const INSTANT: Duration = Duration::from_millis(300);
    let casualties = Casualties::apart();
    let start = now();
    let daemons: Vec<_> = casualties.daemons.iter().zip(1_u8..).collect();
    in_parallel(daemons, |(daemon, vhid)| {
        casualties.segment.wait_for_advertisement(&daemon.host, vhid, start);
        daemon.signal(Signal::STOP);
        daemon.wait_without(address(vhid));
    });
    wait_until_time(later(start, STALL));
    casualties.segment.catch_up();
    let woken = now();
    for daemon in &casualties.daemons {
        daemon.signal(Signal::CONT);
    }
    // One that was stopped within the microseconds between its last look at the clock and the kernel has its address
    // for an instant, and takes it off again without a word.
    wait_until_time(later(woken, INSTANT));
    casualties.assert_does_not_come_back(woken, WATCH);
}

/// Takes the memory away that the daemon does not have yet, and gives it something to do for which it needs some.
fn starve(daemon: &Node) {
    let statm = fs::read_to_string(Path::new("/proc").join(daemon.process().pid().to_string()).join("statm"));
    let pages: u64 = statm.expect("the program runs").split(' ').next().unwrap_or_default().parse().expect("a number");
    // Enough to read the file, not to understand it.
    let limit = pages * 4096 + 200 * 1024;
    let mut command = Command::new("prlimit");
    command.args(["--pid", &daemon.process().pid().to_string(), &format!("--as={limit}")]);
    assert!(command.status().expect("prlimit can be run").success());
    let hosts: String = (1..=255).map(|vhid| host_of(vhid, "")).collect();
    daemon.configure(&format!("{DEFAULTS}{hosts}"));
    daemon.signal(Signal::HUP);
}

#[test]
fn a_master_without_memory_ends_and_loses_its_addresses_in_time() {
    let mut casualties = Casualties::apart();
    casualties.suffer(starve, GONE);
    for daemon in &casualties.daemons {
        assert!(!daemon.wait_for_exit().success(), "{}", daemon.said());
        daemon.wait_for_line("memory allocation of", 0);
    }
}
