//! What surrounds a node: its host.

use std::rc::Rc;

use carp_core::node::Command;
use carp_core::time::Instant;
use carp_core::wire::MacAddr;

use super::Packet;
use super::book::Book;
use crate::fault::Fault;
use crate::machine::Machine;
use crate::moment::{Clock, Moment, Wall};
use crate::scripts::Scripts;
use crate::spec::{Credentials, Kind, Spec};

/// Something that a stopped process learns of when it goes on.
#[derive(Debug)]
pub(super) enum Missed {
    Frame(Rc<Packet>),
    ScriptEnd,
    Command(Command),
    /// A change of its configuration.
    Reload(Fault),
}

/// A process that is stopped.
#[derive(Debug)]
pub(super) struct Stall {
    /// Frames that its socket can still take.
    pub(super) room: usize,
    pub(super) missed: Vec<Missed>,
}

impl Stall {
    /// A frame is queued, or lost when the queue is full.
    pub(super) fn frame(&mut self, packet: &Rc<Packet>) {
        if self.room > 0 {
            self.room -= 1;
            self.missed.push(Missed::Frame(Rc::clone(packet)));
        }
    }
}

/// One advertisement, as far as it has been sent: a frame for each family or peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saying {
    pub(super) at: Moment,
    pub(super) stamp: u64,
    pub(super) copies: usize,
}

/// When a node is to be woken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    /// What it asked for, by its own clock.
    pub(super) deadline: Instant,
    /// When it is woken, in true time: never earlier, and a little late.
    pub(super) at: Moment,
}

/// A host of the group.
pub(super) struct Host {
    pub(super) spec: Spec,
    pub(super) credentials: Credentials,
    /// What ours still understands after a reload, and until when by its own clock.
    pub(super) former: Option<(Credentials, Instant)>,
    /// The advertisement or goodbye that it says at this moment.
    pub(super) saying: Option<Saying>,
    /// `None` while it does not run.
    pub(super) machine: Option<Machine>,
    /// Counts its starts.
    pub(super) life: u32,
    pub(super) clock: Clock,
    /// What the next life begins with.
    pub(super) wall: Wall,
    /// Strict nodes: whom it has to believe.
    pub(super) book: Book,
    pub(super) scripts: Scripts,
    pub(super) stall: Option<Stall>,
    pub(super) carrier: bool,
    /// By how much it is demoted.
    pub(super) demotion: i32,
    /// It is kept out.
    pub(super) held: bool,
    /// The timer event that counts; earlier plans are void.
    pub(super) timer: Option<Timer>,
}

impl Host {
    pub(super) fn new(spec: Spec, clock: Clock, wall: Wall) -> Self {
        Self {
            spec,
            credentials: Credentials::default(),
            former: None,
            saying: None,
            machine: None,
            life: 0,
            clock,
            wall,
            book: Book::default(),
            scripts: Scripts::default(),
            stall: None,
            carrier: true,
            demotion: 0,
            held: false,
            timer: None,
        }
    }

    /// Whether it has to understand what was signed with these: the present ones always, and the former ones for twice the
    /// grace time.
    pub(super) fn understands(&self, credentials: Credentials, now: Moment) -> bool {
        let former = self.former.filter(|(_, until)| self.clock.at(now) < *until);
        credentials == self.credentials || former.is_some_and(|(former, _)| credentials == former)
    }

    /// What it is as long as it is demoted: ours with a raised advskew, up to 240. How a kernel shows it is its own affair.
    pub(super) fn effective(&self) -> Spec {
        let mut spec = self.spec;
        if spec.kind == Kind::Ours && self.demotion > 0 {
            let skew = &mut spec.interval.advskew;
            let raised = (i32::from(*skew) + self.demotion).min(240);
            *skew = u8::try_from(raised).unwrap_or(u8::MAX).max(*skew);
        }
        spec
    }

    /// Whether it takes part: it runs and hears.
    pub(super) fn is_well(&self) -> bool {
        self.machine.is_some() && self.stall.is_none() && self.carrier
    }
}

/// The hardware address of a node's interface.
pub(super) fn mac(node: usize) -> MacAddr {
    MacAddr([0x02, 0, 0, 0, 0, u8::try_from(node).unwrap_or(u8::MAX)])
}
