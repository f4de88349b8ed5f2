//! The process that reads the network: hands what arrives to the protocol core and sends what the core wants sent. For
//! everything else, addresses and scripts above all, it asks the guardian.

mod calendar;
mod checks;
mod control;
mod ears;
mod guardian;
mod ids;
mod orders;
mod outputs;
mod port;
mod pulse;
mod renewal;
mod standing;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use carp_core::election::State;
use carp_core::node::{HostId, LinkId, LinkState, Node};
use carp_core::time::Instant;
use log::{debug, error};
use ucarp_sys::clock;
use ucarp_sys::packet::Batch;
use ucarp_sys::poll::Poller;

use crate::complaints::{Complaints, Subject};
use crate::journal::Journal;
use crate::protocol::{HostNumber, Profile};
use crate::ration::Ration;
use crate::report;
use calendar::Calendar;
use checks::Checks;
use control::{Control, Record};
use ears::Ears;
use guardian::Guardian;
pub use guardian::Line;
use ids::Ids;
use outputs::Outbox;
use port::Port;
use pulse::Pulse;
use standing::Standing;

/// Batches of frames that are read from a socket in one turn of the loop before timers get their chance: 4,096 frames,
/// more than a socket's queue holds, so that after a stall everything is heard before anything is decided.
const MOST_BATCHES: usize = 4096 / Batch::MOST;

/// Reading that took this long was interrupted by a stop of the process, or by a flood.
const STALL: Duration = Duration::from_millis(20);

/// How often reading is repeated when it took long; a flood must not keep timers from firing for ever.
const MOST_READS: usize = 4;

/// The rest after a wait that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Frames that follow each other within this time belong to one burst: a master of many virtual hosts advertises them
/// all in one go.
const BURST: Duration = Duration::from_millis(1);

/// How long the frames of a burst are let collect, so that they cost one wake-up and not one each.
const COLLECT: Duration = Duration::from_micros(500);

/// Longer than any frame that the filter lets pass matters: the header of IPv4 with all options, the advertisement, and
/// some trailing bytes.
const LONGEST_FRAME: usize = 2048;

/// One virtual host.
struct Hosted {
    id: HostId,
    profile: Profile,
    /// Its addresses are there, as far as the guardian has told. Scripts tell nothing until they have ended.
    complete: bool,
    voice: Voice,
    /// What counts against it.
    standing: Standing,
    /// Lines about its link.
    link_lines: Ration,
    /// For those who ask.
    record: Record,
    /// Which of its addresses have gone after the guardian.
    gone: BTreeSet<IpAddr>,
    /// The log says that nobody else of the group was ever heard.
    told_alone: bool,
    /// It has given up because the guardian is silent, and is silent itself until the guardian is not.
    lapsed: bool,
}

/// What each advertisement of a virtual host changes, side by side: between two of them it leaves the caches of the
/// processor.
#[derive(Default)]
struct Voice {
    /// When its leases were last renewed.
    renewed: Instant,
    /// Since when none of its advertisements could be sent.
    unheard: Option<Instant>,
    /// The guardian has a goodbye of it that holds.
    has_will: bool,
}

/// One link.
struct Link {
    name: String,
    state: LinkState,
    port: Option<Port>,
    ears: Ears,
    /// Virtual host ids that are in use there.
    ids: Ids,
}

impl Link {
    fn new(state: LinkState) -> Self {
        Self { name: String::new(), state, port: None, ears: Ears::default(), ids: Ids::default() }
    }
}

/// All virtual hosts at work.
pub struct Engine {
    node: Node,
    /// In boxes: nodes of a tree have room for nearly twice as many.
    hosts: BTreeMap<HostNumber, Box<Hosted>>,
    /// The numbers of the core's virtual hosts, by [`HostId::index`].
    numbers: Vec<HostNumber>,
    links: BTreeMap<LinkId, Link>,
    checks: Checks,
    guardian: Guardian,
    /// Empty when it has to be made anew.
    calendar: OnceCell<Calendar>,
    control: Control,
    journal: Option<Journal>,
    poller: Poller,
    complaints: Complaints,
    pulse: Pulse,
    frames: Batch,
    /// Frames that are about to be sent.
    outbox: Outbox,
    /// When frames last arrived.
    last_arrival: Instant,
    /// Whether more frames can be expected at once.
    in_burst: bool,
}

fn now() -> Instant {
    Instant::from_nanos(clock::boottime())
}

fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

/// What has something to read.
struct Arrivals {
    orders: bool,
    frames: bool,
    ears: bool,
}

impl Engine {
    /// An engine without virtual hosts, at the other end of a guardian's line.
    #[must_use]
    pub fn new(mut line: Line) -> Self {
        Self {
            node: Node::new(clock::random_seed()),
            hosts: BTreeMap::new(),
            numbers: Vec::new(),
            links: BTreeMap::new(),
            checks: Checks::new(),
            journal: line.journal.take(),
            guardian: Guardian::new(line, now()),
            calendar: OnceCell::new(),
            control: Control::default(),
            poller: Poller::new(),
            complaints: Complaints::default(),
            pulse: Pulse::default(),
            frames: Batch::new(LONGEST_FRAME),
            outbox: Outbox::default(),
            last_arrival: Instant::default(),
            in_burst: false,
        }
    }

    /// Runs until the guardian is gone and no virtual host needs this process any more. Returns an exit status.
    pub fn run(mut self) -> u8 {
        while !self.is_over() {
            let arrivals = self.wait().unwrap_or_else(|error| {
                self.complain("Unable to wait for events", "", &error);
                // Not in a circle at full speed: whatever the kernel lacks, it may have soon.
                thread::sleep(PAUSE);
                Arrivals { orders: true, frames: true, ears: true }
            });
            self.turn(&arrivals);
        }
        0
    }

    /// One turn, with what has arrived and without waiting for more, for those who drive it step by step instead of letting
    /// it [run](Self::run).
    pub fn one_turn(&mut self) {
        self.turn(&Arrivals { orders: !self.guardian.is_gone(), frames: true, ears: true });
    }

    /// Without a guardian there is nothing left to do but to keep what scripts hold.
    fn is_over(&self) -> bool {
        self.guardian.is_to_end()
            || self.guardian.is_gone() && self.hosts.values().all(|hosted| self.node.state(hosted.id) != State::Master)
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self) -> io::Result<Arrivals> {
        let deadline = earliest([self.node.next_deadline(), self.complaints.next_deadline(), self.guardian_deadline()]);
        let now = now();
        let deadline = earliest([deadline, self.calendar().chores, self.control.next_deadline(now)]);
        let deadline = earliest([deadline, self.next_renewal()]);
        let deadline = earliest(self.links.values().map(|link| link.ears.next_deadline(now)).chain([deadline]));
        if self.in_burst {
            thread::sleep(deadline.map_or(COLLECT, |deadline| COLLECT.min(deadline - now)));
        }
        let ports = || self.links.values().filter_map(|link| link.port.as_ref()).flat_map(Port::sockets);
        let ears = || self.links.values().flat_map(|link| link.ears.sockets(now));
        let first_port = self.guardian.descriptors().count();
        let first_ear = first_port + ports().count();
        let first_client = first_ear + ears().count();
        let sockets = ports().chain(ears()).map(AsFd::as_fd);
        let fds = self.guardian.descriptors().chain(sockets).chain(self.control.descriptors());
        self.poller.wait(fds, deadline.map(|deadline| deadline - self::now()))?;
        let is_ready = |mut indices: Range<usize>| indices.any(|index| self.poller.ready(index));
        let orders = !self.guardian.is_gone() && self.poller.ready(0);
        let (frames, ears) = (is_ready(first_port..first_ear), is_ready(first_ear..first_client));
        self.control.note(|index| self.poller.ready(first_client + index));
        Ok(Arrivals { orders, frames, ears })
    }

    /// One turn: first everything that came in, orders before frames, then what is due, and in the end what the guardian
    /// has to do about it.
    fn turn(&mut self, arrivals: &Arrivals) {
        self.pulse.begin(now());
        if arrivals.orders {
            self.read_orders();
        }
        let now = self.hear_everything(arrivals.frames);
        if arrivals.ears {
            self.use_ears(now);
        }
        self.pulse.begin(now);
        self.node.handle_timeout(now);
        self.carry_out(now);
        self.do_chores(now);
        self.renew_leases(now);
        self.links.values_mut().for_each(|link| link.ears.close_ids(now));
        self.watch_guardian(now);
        self.report(now);
        while let Some(summary) = self.complaints.due(now) {
            report::summary(&summary, |host| self.who(host));
        }
        self.serve();
    }

    /// Reads the frames that have arrived, before anything that is due is decided, and returns the time to decide at.
    /// A process that was stopped on the way reads again: what arrived meanwhile matters.
    fn hear_everything(&mut self, arrived: bool) -> Instant {
        let mut before = now();
        let due = self.node.next_deadline().is_some_and(|deadline| deadline <= before);
        self.in_burst = arrived && before - self.last_arrival < BURST;
        if arrived {
            self.last_arrival = before;
        }
        if arrived || due {
            let links: Vec<LinkId> = self.links.keys().copied().collect();
            for _ in 0..MOST_READS {
                for link in &links {
                    self.read_frames(*link);
                }
                let after = now();
                if after - before < STALL {
                    return after;
                }
                before = after;
            }
        }
        before
    }

    fn read_frames(&mut self, id: LinkId) {
        let mut broken = false;
        if let Some(port) = self.links.get(&id).and_then(|link| link.port.as_ref()) {
            for socket in port.sockets() {
                for _ in 0..MOST_BATCHES {
                    match socket.recv_many(&mut self.frames) {
                        Ok(count) => {
                            let now = now();
                            self.frames.frames().for_each(|frame| self.node.handle_frame(now, id, frame));
                            if count < Batch::MOST {
                                break;
                            }
                        }
                        // The link went down or away; the guardian knows more.
                        Err(error) => {
                            debug!("Unable to receive: {error}");
                            broken = true;
                            break;
                        }
                    }
                }
            }
        }
        self.carry_out(now());
        if broken {
            self.break_link(id);
        }
    }

    /// Hears what is said beside advertisements. Those come first: who takes over by them may claim the addresses.
    fn use_ears(&mut self, now: Instant) {
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let (Some(link), node) = (self.links.get_mut(&id), &mut self.node) else { continue };
            link.ears.read(now, &mut self.frames, |frame| node.handle_frame(now, id, frame));
            let heard = link.ears.read_ids(&mut self.frames);
            self.ids_are_used(now, id, &heard);
        }
    }

    /// Has the guardian look at a link whose sockets fail.
    fn break_link(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.port = None;
        }
        self.guardian.link_is_broken(id);
    }

    /// What begins the lines about a virtual host.
    fn who(&self, host: HostNumber) -> String {
        self.hosts.get(&host).map(|hosted| hosted.profile.who.clone()).unwrap_or_default()
    }

    /// Tells what went wrong on this host, unless it did a moment ago.
    fn complain(&mut self, kind: &'static str, name: &str, error: &dyn Error) {
        if self.complaints.is_news(now(), Subject { host: None, kind, sender: None }) {
            error!("{kind} [{name}]: {error}");
        }
    }
}
