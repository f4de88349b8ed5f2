//! The drill itself: away, a while there, and back.

use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use ucarp_control::Client;
use ucarp_control::calls::{HandOver, Promote, Silence};
use ucarp_control::types::{State, VirtualHost};

use super::neighbours::{Neighbour, Table};
use super::probe::Prober;
use super::report::{Leg, Measured, Report};
use super::{Plan, preflight};
use crate::context::{Context, virtual_hosts};
use crate::failure::{Failure, UNAVAILABLE};
use crate::look::{lasting, seconds};

/// Between two looks at the daemon: the times of the report are as exact as this.
const LOOK: Duration = Duration::from_millis(10);

/// Before this host is told once more to take over.
const AGAIN: Duration = Duration::from_secs(1);

/// Before anything is done: what does not answer now has nothing to lose.
const REHEARSAL: Duration = Duration::from_millis(300);

/// How long addresses may take to answer after somebody is MASTER.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// Rehearses.
pub(super) fn play(context: &Context, plan: &Plan) -> Result<Report, Failure> {
    let prober = Prober::start(&plan.addresses, &plan.host.interface, plan.interval)
        .map_err(|error| Failure::new(UNAVAILABLE, format!("cannot send echo requests: {error}; be root")))?;
    let mut drill = Drill {
        plan,
        client: context.connect()?,
        name: format!("{}/{}", plan.host.interface, plan.host.vhid),
        neighbours: Table::open(&plan.host.interface).ok(),
        prober,
        report: Report::new(plan),
    };
    thread::sleep(REHEARSAL);
    for (at, address) in plan.addresses.iter().enumerate() {
        if !drill.prober.has_answered(at, Duration::ZERO) {
            drill
                .report
                .problem(format!("{address} did not answer before the drill had begun: a filter, or no route to it"));
        }
    }
    let away = drill.away()?;
    drill.measure(&format!("to {}", away.who), away.since);
    if away.is_good {
        drill.stay()?;
        if plan.comes_back {
            drill.back()?;
        }
    } else {
        drill.recover()?;
    }
    drill.note("over".to_owned());
    Ok(drill.report)
}

/// How a takeover went.
struct Takeover {
    since: Duration,
    who: String,
    is_good: bool,
}

struct Drill<'a> {
    plan: &'a Plan,
    client: Client<UnixStream>,
    /// Not by its name: another one could have it after a reload.
    name: String,
    neighbours: Option<Table>,
    prober: Prober,
    report: Report,
}

impl Drill<'_> {
    fn note(&mut self, what: String) {
        self.report.note(self.prober.now(), what);
    }

    fn host(&mut self) -> Result<VirtualHost, Failure> {
        let found = virtual_hosts(&mut self.client, Some(&self.name))?;
        found.into_iter().next().ok_or_else(|| {
            Failure::new(UNAVAILABLE, format!("the daemon does not have {} any more: the drill has ended", self.name))
        })
    }

    /// Gives the addresses away, and waits until they answer from elsewhere.
    fn away(&mut self) -> Result<Takeover, Failure> {
        let since = self.prober.now();
        let patience = self.plan.patience();
        if let Some(kill) = self.plan.kill {
            let milliseconds = u64::try_from(kill.as_millis()).unwrap_or(u64::MAX);
            self.note(format!("this host plays dead for {}", seconds(milliseconds)));
            self.client.call(&Silence { virtual_host: self.name.clone(), milliseconds })?;
        } else {
            self.note("this host hands over".to_owned());
            self.client.call(&HandOver { virtual_host: Some(self.name.clone()) })?;
        }
        let left = self.wait_for_state(patience, |host| host.state != State::Master)?;
        let Some(left) = left else {
            self.report.problem(format!("this host was still MASTER after {}", lasting_of(patience)));
            return Ok(Takeover { since, who: "nobody".to_owned(), is_good: false });
        };
        self.note(format!("this host is {}: {}", left.state, left.reason));
        let since_left = self.prober.now();
        let deadline = since_left + patience;
        while self.prober.now() < deadline {
            let host = self.host()?;
            if host.state == State::Master {
                self.report.problem("this host is MASTER again: nobody else took over".to_owned());
                return Ok(Takeover { since, who: "nobody".to_owned(), is_good: false });
            }
            if host.master.is_some() || self.answers_from_elsewhere(&host, since_left) {
                let who = self.new_master(&host);
                self.note(format!("{who} has taken over"));
                self.settle(since_left, true);
                return Ok(Takeover { since, who, is_good: true });
            }
            thread::sleep(LOOK);
        }
        self.report.problem(format!("nobody took over within {}", lasting_of(patience)));
        Ok(Takeover { since, who: "nobody".to_owned(), is_good: false })
    }

    /// While this host plays dead it does not hear, but its clients do.
    fn answers_from_elsewhere(&self, host: &VirtualHost, since: Duration) -> bool {
        let is_gone = host.addresses.iter().all(|address| address.held == Some(false));
        // Whether scripts have removed it is not known here: then only a neighbour proves it.
        let is_elsewhere = is_gone || self.plan.addresses.iter().any(|address| self.neighbour(*address).is_some());
        is_elsewhere && self.prober.has_answered(0, since)
    }

    /// As its daemon calls itself, or else as its answers do.
    fn new_master(&self, host: &VirtualHost) -> String {
        if let Some(master) = &host.master {
            return master.clone();
        }
        let mac = self.plan.addresses.first().and_then(|address| self.neighbour(*address)).map(|found| found.mac);
        let known = host.peers.iter().find(|peer| peer.mac.is_some() && peer.mac == mac);
        known.map(|peer| peer.address.clone()).or(mac).unwrap_or_else(|| "another host".to_owned())
    }

    fn neighbour(&self, address: IpAddr) -> Option<Neighbour> {
        self.neighbours.as_ref()?.find(address).ok().flatten()
    }

    /// Waits until all addresses answer; from elsewhere, that is with an entry in the neighbour table.
    fn settle(&mut self, since: Duration, elsewhere: bool) {
        let deadline = self.prober.now() + SETTLED_WITHIN;
        for (at, address) in self.plan.addresses.iter().enumerate() {
            while !self.prober.has_answered(at, since) && self.prober.now() < deadline {
                thread::sleep(LOOK);
            }
            if !self.prober.has_answered(at, since) {
                let within = lasting_of(SETTLED_WITHIN);
                self.report.problem(format!("{address} did not answer within {within} of the takeover"));
                continue;
            }
            let found = if elsewhere { self.neighbour(*address) } else { None };
            let by = match (&found, elsewhere) {
                (Some(found), _) => format!(" from {}", found.mac),
                (None, true) => String::new(),
                (None, false) => " from this host".to_owned(),
            };
            self.note(format!("{address} answers{by}"));
            if let Some(found) = found {
                self.report.found(*address, found.mac);
            }
        }
        // The gap is over only when later probes are answered, too.
        thread::sleep(self.prober.late() * 2);
    }

    /// Leaves the addresses there for a while, and sees that they go on to answer.
    fn stay(&mut self) -> Result<(), Failure> {
        let since = self.prober.now();
        let mut until = since;
        while until < since + self.plan.stay {
            if self.host()?.state == State::Master {
                self.note("this host has taken over by itself: it preempts".to_owned());
                break;
            }
            until = self.prober.now();
            thread::sleep(LOOK);
        }
        for (at, address) in self.plan.addresses.iter().enumerate() {
            let outage = self.prober.outage(at, since, until);
            if outage > self.prober.late() * 5 {
                self.report.problem(format!("{address} did not answer for {} while it was there", exactly(outage)));
            }
        }
        Ok(())
    }

    /// Takes the addresses back, if the rank of this host allows it.
    fn back(&mut self) -> Result<(), Failure> {
        let since = self.prober.now();
        let patience = self.plan.patience() + self.plan.kill.unwrap_or_default();
        // A host that played dead has to live again, and to hear the other one: it can displace only whom it knows.
        let alive = self.wait_for_state(patience, |host| match host.state {
            State::Master => true,
            State::Backup => host.master.is_some(),
            State::Init | State::Fault => false,
        })?;
        let Some(host) = alive else {
            self.report.problem(format!("this host has heard no master within {}", lasting_of(patience)));
            return Ok(());
        };
        if host.state != State::Master {
            if let Some(better) = better_or_equal(&host) {
                let vhid = host.vhid;
                self.note(format!(
                    "left there: this host is of no better rank; `ucarpctl hand-over {vhid}` on {better} brings it back"
                ));
                return Ok(());
            }
            self.note("this host takes over".to_owned());
            self.promote(patience)?;
        }
        self.wait_for_return(since, patience)
    }

    /// Displaces the other host. One that has just come back may not have heard an advertisement yet that it could answer:
    /// then it is told again.
    fn promote(&mut self, patience: Duration) -> Result<(), Failure> {
        let deadline = self.prober.now() + patience;
        while self.prober.now() < deadline {
            self.client.call(&Promote { virtual_host: Some(self.name.clone()), name: None })?;
            if self.wait_for_state(AGAIN, |host| host.state == State::Master)?.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn wait_for_return(&mut self, since: Duration, patience: Duration) -> Result<(), Failure> {
        if self.wait_for_state(patience, |host| host.state == State::Master)?.is_none() {
            self.report.problem(format!("this host was not MASTER again within {}", lasting_of(patience)));
            return Ok(());
        }
        let back = self.prober.now();
        self.note("this host is MASTER".to_owned());
        self.settle(back, false);
        self.measure("back", since);
        Ok(())
    }

    /// Nobody took over: this host does, after its own dead time.
    fn recover(&mut self) -> Result<(), Failure> {
        let since = self.prober.now();
        let patience = self.plan.patience() + self.plan.kill.unwrap_or_default();
        self.wait_for_return(since, patience)
    }

    fn wait_for_state(
        &mut self,
        within: Duration,
        wanted: impl Fn(&VirtualHost) -> bool,
    ) -> Result<Option<VirtualHost>, Failure> {
        let deadline = self.prober.now() + within;
        loop {
            let host = self.host()?;
            if wanted(&host) {
                return Ok(Some(host));
            }
            if self.prober.now() >= deadline {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// Adds what clients saw since then to the report.
    fn measure(&mut self, direction: &str, since: Duration) {
        let until = self.prober.now();
        let measured = |(at, address): (usize, &IpAddr)| Measured {
            address: *address,
            outage_ms: u64::try_from(self.prober.outage(at, since, until).as_millis()).unwrap_or(u64::MAX),
        };
        let outages = self.plan.addresses.iter().enumerate().map(measured).collect();
        self.report.legs.push(Leg { direction: direction.to_owned(), outages });
    }
}

/// The master, if this host has no better rank than it: a shorter interval wins.
fn better_or_equal(host: &VirtualHost) -> Option<String> {
    let master = host.master.as_ref()?;
    let address = preflight::parse(master);
    let peer = host.peers.iter().find(|peer| preflight::parse(&peer.address) == address)?;
    ((peer.advbase, peer.advskew) <= (host.advbase, host.advertised_skew)).then(|| master.clone())
}

fn lasting_of(duration: Duration) -> String {
    lasting(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn exactly(duration: Duration) -> String {
    seconds(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
