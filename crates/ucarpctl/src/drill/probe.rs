//! Asks the virtual addresses all the time whether they answer.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::neighbours;
use super::wire::{self, Wire};

/// Probes of all addresses together: an hour of one address, at the usual interval. Then it stops.
const MOST_PROBES: usize = 1_000_000;

/// An answer that comes later than this, or than ten intervals, is to a probe that had to wait for the address to be found.
const LATE: Duration = Duration::from_millis(20);

/// How soon the prober notices that it is to stop.
const MOST_SLEEP: Duration = Duration::from_millis(20);

/// One echo request. Times are since the beginning.
#[derive(Clone, Copy, Debug)]
struct Probe {
    target: usize,
    sent: Duration,
    answered: Option<Duration>,
}

/// The prober while it asks.
pub(super) struct Prober {
    began: Instant,
    interval: Duration,
    probes: Arc<Mutex<Vec<Probe>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    /// Begins.
    ///
    /// # Errors
    /// No socket of ICMP may be opened.
    pub(super) fn start(addresses: &[IpAddr], interface: &str, interval: Duration) -> io::Result<Self> {
        let index = neighbours::index(interface);
        let wires: Vec<Wire> =
            addresses.iter().map(|address| Wire::open(*address, index)).collect::<io::Result<_>>()?;
        let began = Instant::now();
        let (probes, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (record, stopped) = (Arc::clone(&probes), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("prober".to_owned())
            .spawn(move || ask(&wires, began, interval, &record, &stopped))?;
        Ok(Prober { began, interval, probes, stop, thread: Some(thread) })
    }

    /// The time since it began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether an address has answered a probe that was sent at `since` or later.
    pub(super) fn has_answered(&self, target: usize, since: Duration) -> bool {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let first = probes.partition_point(|probe| probe.sent < since);
        probes[first..].iter().any(|probe| probe.target == target && is_good(probe, self.late()))
    }

    /// For how long an address did not answer at most, of what was sent from `since` to `until`.
    pub(super) fn outage(&self, target: usize, since: Duration, until: Duration) -> Duration {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let first = probes.partition_point(|probe| probe.sent < since);
        let own = probes[first..].iter().filter(|probe| probe.target == target).copied();
        outage(own, since, until, self.late())
    }

    /// When an answer is too late.
    pub(super) fn late(&self) -> Duration {
        LATE.max(self.interval * 10)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its message has been printed.
            let _ = thread.join();
        }
    }
}

fn is_good(probe: &Probe, late: Duration) -> bool {
    probe.answered.is_some_and(|at| at.saturating_sub(probe.sent) <= late)
}

/// The longest time between two probes that were answered, with unanswered ones between them. The ends count as answered,
/// and so the time without an answer at the end counts, too.
fn outage(probes: impl Iterator<Item = Probe>, since: Duration, until: Duration, late: Duration) -> Duration {
    let (mut longest, mut good, mut is_missing) = (Duration::ZERO, since, false);
    // What is younger than an answer may take is not judged.
    for probe in probes.take_while(|probe| probe.sent + late <= until) {
        if is_good(&probe, late) {
            if is_missing {
                longest = longest.max(probe.sent - good);
            }
            (good, is_missing) = (probe.sent, false);
        } else {
            is_missing = true;
        }
    }
    if is_missing { longest.max(until.saturating_sub(good)) } else { longest }
}

/// The prober's life.
fn ask(wires: &[Wire], began: Instant, interval: Duration, record: &Mutex<Vec<Probe>>, stop: &AtomicBool) {
    let mut next = Duration::ZERO;
    let all: Vec<&Wire> = wires.iter().collect();
    let mut number = 0_usize;
    while !stop.load(Ordering::Relaxed) && number + wires.len() <= MOST_PROBES {
        let now = began.elapsed();
        if now >= next {
            for (target, wire) in wires.iter().enumerate() {
                // In the record before it is on the wire, so that its answer finds it.
                let probe = Probe { target, sent: began.elapsed(), answered: None };
                record.lock().unwrap_or_else(PoisonError::into_inner).push(probe);
                wire.send(u64::try_from(number).unwrap_or(u64::MAX));
                number += 1;
            }
            // After a stall it goes on from here: a burst would measure nothing.
            next = (next + interval).max(now);
        }
        let sleep = next.saturating_sub(began.elapsed()).min(MOST_SLEEP);
        if !wire::wait(&all, sleep) {
            continue;
        }
        for wire in wires {
            while let Some(number) = wire.receive() {
                let answered = began.elapsed();
                let mut probes = record.lock().unwrap_or_else(PoisonError::into_inner);
                let probe = usize::try_from(number).ok().and_then(|number| probes.get_mut(number));
                if let Some(probe) = probe {
                    // The first of several answers counts.
                    probe.answered.get_or_insert(answered);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Probes each 5 ms, answered after 1 ms but for those that are sent within the gap.
    fn probes(gap: std::ops::Range<u32>) -> Vec<Probe> {
        let probe = |sent: u32| Probe {
            target: 0,
            sent: MS * sent,
            answered: (!gap.contains(&sent)).then_some(MS * (sent + 1)),
        };
        (0..1000).step_by(5).map(probe).collect()
    }

    #[test]
    fn an_outage_lasts_from_the_last_good_probe_to_the_next_good_one() {
        let measure = |gap, since, until| outage(probes(gap).into_iter(), MS * since, MS * until, 20 * MS);
        assert_eq!(measure(2000..2000, 0, 1000), Duration::ZERO);
        assert_eq!(measure(101..300, 0, 1000), 200 * MS);
        assert_eq!(measure(0..50, 0, 1000), 50 * MS);
        assert_eq!(measure(900..2000, 0, 1000), 105 * MS, "not over yet");
    }

    #[test]
    fn an_answer_that_is_late_is_none() {
        let mut probes = probes(100..200);
        for probe in &mut probes[20..40] {
            probe.answered = Some(200 * MS);
        }
        // Those sent at 180 ms and later were answered within 20 ms.
        assert_eq!(outage(probes.into_iter(), Duration::ZERO, MS * 1000, 20 * MS), 85 * MS);
    }
}
