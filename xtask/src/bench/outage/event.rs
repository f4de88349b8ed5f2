//! What happens to the master.

use std::time::Duration;

use super::super::group::Timers;
use super::super::workshop::Program;

/// What happens to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Event {
    /// Its programs are killed, and nothing comes from its host any more; the switch still sees a carrier.
    HostCrash,
    /// Its cable is pulled out.
    Cable,
    /// The switch loses everything from and to it, and nobody is told.
    SilentLoss,
    /// Its interface is set down.
    InterfaceDown,
    /// SIGTERM.
    PlannedStop,
    /// SIGUSR2; keepalived, which has no such thing, is stopped and started again.
    RoleSwap,
    /// All its processes are killed.
    Killed,
    /// Of two processes the one that is on the network is killed: the engine, keepalived's VRRP process.
    WorkerKilled,
    /// Of two processes the one that was started first is killed: the guardian, keepalived's parent.
    ParentKilled,
    /// All its processes are stopped for 10 s.
    Frozen,
    /// The roles are swapped, and the new master's script takes 5 s longer.
    SlowScript,
    /// Its wall clock is set back by an hour.
    ClockStep,
}

impl Event {
    pub(in crate::bench) const ALL: [Event; 12] = [
        Event::HostCrash,
        Event::Cable,
        Event::SilentLoss,
        Event::InterfaceDown,
        Event::PlannedStop,
        Event::RoleSwap,
        Event::Killed,
        Event::WorkerKilled,
        Event::ParentKilled,
        Event::Frozen,
        Event::SlowScript,
        Event::ClockStep,
    ];

    /// Its name in tables.
    pub(in crate::bench) fn name(self) -> &'static str {
        match self {
            Event::HostCrash => "host crash",
            Event::Cable => "cable pulled",
            Event::SilentLoss => "silent loss in the switch",
            Event::InterfaceDown => "interface down",
            Event::PlannedStop => "planned stop",
            Event::RoleSwap => "role swap",
            Event::Killed => "all processes killed",
            Event::WorkerKilled => "network process killed",
            Event::ParentKilled => "parent process killed",
            Event::Frozen => "frozen for 10 s",
            Event::SlowScript => "role swap, script of 5 s",
            Event::ClockStep => "clock set back",
        }
    }

    /// For how long something goes on that is to be over before the end is watched.
    pub(super) fn length(self) -> Duration {
        match self {
            Event::Frozen => Duration::from_secs(10),
            Event::SlowScript => Duration::from_secs(5),
            _ => Duration::ZERO,
        }
    }

    /// Whether a program knows it. With scripts ours is measured where it depends on them.
    pub(super) fn concerns(self, program: Program) -> bool {
        match program {
            Program::Ours | Program::Keepalived => true,
            Program::Ucarp => !matches!(self, Event::WorkerKilled | Event::ParentKilled),
            Program::Scripts => matches!(
                self,
                Event::HostCrash | Event::PlannedStop | Event::RoleSwap | Event::Killed | Event::SlowScript
            ),
        }
    }

    /// Whether it means anything that both have the address: nobody hears a host that is dead or cut off.
    pub(super) fn leaves_both_on_the_network(self) -> bool {
        !matches!(self, Event::HostCrash | Event::SilentLoss | Event::Cable | Event::InterfaceDown)
    }
}

/// For how long it is watched what becomes of an event. UCARP takes over within 4 s, and a lease ends within 3.2 s.
pub(super) fn watch(timers: Timers, program: Program) -> Duration {
    match (timers, program) {
        (Timers::Fastest, Program::Ours | Program::Keepalived) => Duration::from_millis(2500),
        _ => Duration::from_millis(5500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_different_and_every_program_knows_some_events() {
        let mut names: Vec<_> = Event::ALL.iter().map(|event| event.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Event::ALL.len());
        let known = |program| Event::ALL.iter().filter(|event| event.concerns(program)).count();
        assert_eq!(known(Program::Ours), 12);
        assert_eq!(known(Program::Keepalived), 12);
        assert_eq!(known(Program::Ucarp), 10);
        assert_eq!(known(Program::Scripts), 5);
    }
}
