//! One measurement: two hosts and a client, one event, one outage.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use netlab::{Direction, Host, Lab, Prober, Process, Signal, now, wait_until};

use super::{Contender, Error};

pub(super) const UP_SCRIPT: &str = "vip-up";
pub(super) const DOWN_SCRIPT: &str = "vip-down";
pub(super) const PASSWORD_FILE: &str = "password";

const SHARED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
/// The master of the beginning, its peer, the client.
const ADDRESSES: [Ipv4Addr; 3] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 9)];
const PREFIX: u8 = 24;

/// From the master's election to the event, at the least. The peer has listened for two seconds then, or longer.
const LEAD: Duration = Duration::from_secs(3);
/// How long a takeover may take; the default dead time is 3 s, rounded up to 4 s by UCARP.
const LIMIT: Duration = Duration::from_secs(20);
/// For how long the end is watched: an address that comes, goes and comes again has had an outage.
const AFTERMATH: Duration = Duration::from_millis(1500);
/// How often it is looked who holds the address.
const LOOK: Duration = Duration::from_millis(5);

/// What happens to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The daemon is killed, and nothing comes from its host any more; the switch still sees a carrier.
    Crash,
    /// Its cable is pulled out.
    Cable,
    /// Its interface is set down.
    InterfaceDown,
    /// SIGTERM with `-z`.
    PlannedStop,
    /// SIGUSR2.
    RoleSwap,
}

impl Event {
    pub(super) const ALL: [Event; 5] =
        [Event::Crash, Event::Cable, Event::InterfaceDown, Event::PlannedStop, Event::RoleSwap];
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Event::Crash => "host crashed",
            Event::Cable => "cable pulled",
            Event::InterfaceDown => "interface set down",
            Event::PlannedStop => "planned stop (TERM, -z)",
            Event::RoleSwap => "roles swapped (USR2)",
        })
    }
}

/// What a run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// For how long the client's address did not answer.
    pub(super) outage: Duration,
    /// For how long both hosts held the address; `None` if the first one was dead.
    pub(super) both: Option<Duration>,
}

/// When things happen within the second between two advertisements of the master. UCARP looks around once a second, so both
/// matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phases {
    /// The start of the peer.
    pub(super) peer: Duration,
    /// The event.
    pub(super) event: Duration,
}

/// What all runs have in common.
#[derive(Debug)]
pub(super) struct Setup {
    /// Where the scripts and the password are.
    directory: PathBuf,
}

/// A laboratory in which the address is shared and answers.
struct Scene<'a> {
    event: Event,
    contender: &'a Contender,
    master: (Host, Process),
    peer: (Host, Process),
    prober: Prober,
    /// When the master became it.
    since: u64,
    /// Last, so that processes are ended by their own guards first.
    _lab: Lab,
}

impl Setup {
    pub(super) fn new(directory: PathBuf) -> Setup {
        Setup { directory }
    }

    /// Lets `event` happen.
    pub(super) fn measure(&self, event: Event, contender: &Contender, phases: Phases) -> Result<Measured, Error> {
        let scene = self.open(event, contender, phases.peer)?;
        // Both daemons advertise in whole seconds from becoming MASTER on.
        sleep_until(scene.since + nanos(LEAD + phases.event));
        scene.run()
    }

    fn open<'a>(&self, event: Event, contender: &'a Contender, phase: Duration) -> Result<Scene<'a>, Error> {
        let lab = Lab::new()?;
        let hosts = ["master", "peer", "client"].into_iter().zip([1, 2, 9]).zip(ADDRESSES);
        let hosts: Result<Vec<Host>, _> =
            hosts.map(|((name, octet), address)| lab.host(name, octet, address, PREFIX)).collect();
        let [master, peer, client] = <[Host; 3]>::try_from(hosts?).expect("three were made");
        let daemon = self.start(contender, &master, ADDRESSES[0])?;
        let late = |what, output| Error::Late { event, program: contender.name, what, within: LIMIT, output };
        let line = daemon.wait_for_line("Switching to state: MASTER", LIMIT);
        let since = line.ok_or_else(|| late("the first master's election", daemon.output()))?.at;
        let master = (master, daemon);
        sleep_until(since + nanos(phase));
        let daemon = self.start(contender, &peer, ADDRESSES[1])?;
        let prober = Prober::start(&client, SHARED, Prober::INTERVAL)?;
        prober.wait_for_answer(since, LIMIT).ok_or_else(|| late("an answer of the address", master.1.output()))?;
        Ok(Scene { event, contender, master, peer: (peer, daemon), prober, since, _lab: lab })
    }

    /// The defaults, with `-z`, and without the machine's syslog.
    fn start(&self, contender: &Contender, host: &Host, address: Ipv4Addr) -> Result<Process, Error> {
        let mut command = Command::new(&contender.program);
        command.args([
            "-i",
            "eth0",
            "-v",
            "1",
            "-z",
            "-f",
            "none",
            "-s",
            &address.to_string(),
            "-a",
            &SHARED.to_string(),
        ]);
        command.arg("-o").arg(self.directory.join(PASSWORD_FILE));
        command.arg("-u").arg(self.directory.join(UP_SCRIPT));
        command.arg("-d").arg(self.directory.join(DOWN_SCRIPT));
        Ok(host.spawn(command)?)
    }
}

impl Scene<'_> {
    fn run(&self) -> Result<Measured, Error> {
        let before = now();
        self.happen()?;
        let (mut both, mut last, mut back) = (0, now(), None);
        let over = wait_until(LIMIT, || {
            let (held, took) = (self.holds(&self.peer), now() - last);
            last += took;
            if held && self.holds(&self.master) {
                both += took;
            }
            if held && back.is_none() {
                back = self.prober.wait_for_answer(last, LOOK);
            }
            thread::sleep(LOOK);
            back.is_some_and(|back| now() >= back + nanos(AFTERMATH))
        });
        if !over {
            let (event, program, output) = (self.event, self.contender.name, self.peer.1.output());
            return Err(Error::Late { event, program, what: "an answer by the peer", within: LIMIT, output });
        }
        let outage = self.prober.outage(before.saturating_sub(nanos(LOOK)), now());
        let both = (self.event != Event::Crash).then_some(Duration::from_nanos(both));
        Ok(Measured { outage, both })
    }

    fn happen(&self) -> Result<(), Error> {
        let (host, daemon) = &self.master;
        match self.event {
            Event::Crash => {
                host.silence(Direction::Both)?;
                daemon.signal_all(Signal::KILL)?;
            }
            Event::Cable => host.unplug()?,
            Event::InterfaceDown => host.link_down()?,
            Event::PlannedStop => daemon.signal(Signal::TERM)?,
            Event::RoleSwap => daemon.signal(Signal::USR2)?,
        }
        Ok(())
    }

    /// A host whose addresses cannot be read holds none that counts.
    fn holds(&self, (host, _): &(Host, Process)) -> bool {
        host.has_address(SHARED).unwrap_or(false)
    }
}

fn sleep_until(at: u64) {
    thread::sleep(Duration::from_nanos(at.saturating_sub(now())));
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
