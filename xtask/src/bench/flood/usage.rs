//! What the processes of a host use.

use std::fs;
use std::time::Duration;

use netlab::{Host, now};

use super::Error;

/// What all processes of a host have used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    at: u64,
    /// Nanoseconds on a processor.
    busy: u64,
    /// How often one of them went to sleep of its own accord: as often as it was woken.
    waits: u64,
}

/// What they use while something goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Processor time in a second.
    pub(super) cpu: Duration,
    pub(super) wakeups_per_second: f64,
}

/// What the processes of a host have used so far; those that end are forgotten.
pub(super) fn usage(host: &Host) -> Result<Usage, Error> {
    let mut usage = Usage { at: now(), busy: 0, waits: 0 };
    for pid in host.processes()? {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            usage.busy += busy(&read("schedstat")).unwrap_or(0);
            usage.waits += waits(&read("status")).unwrap_or(0);
        }
    }
    Ok(usage)
}

fn busy(schedstat: &str) -> Option<u64> {
    schedstat.split(' ').next()?.parse().ok()
}

fn waits(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

impl Usage {
    /// The rates since an earlier moment.
    pub(super) fn since(&self, before: &Usage) -> Rate {
        let span = Duration::from_nanos(self.at.saturating_sub(before.at)).as_secs_f64();
        let busy = Duration::from_nanos(self.busy.saturating_sub(before.busy));
        // Whole numbers below 2^53.
        #[expect(clippy::cast_precision_loss)]
        let waits = self.waits.saturating_sub(before.waits) as f64;
        Rate { cpu: busy.div_f64(span), wakeups_per_second: waits / span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_figures_of_proc() {
        assert_eq!(busy("150000500 20 30\n"), Some(150_000_500));
        let status = "Name:\tucarp\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!((waits(status), waits("Name:\tucarp\n")), (Some(150), None));
    }

    #[test]
    fn rates_are_per_second() {
        let before = Usage { at: 1_000_000_000, busy: 500, waits: 10 };
        let after = Usage { at: 31_000_000_000, busy: 150_000_500, waits: 70 };
        let rate = after.since(&before);
        assert_eq!(rate.cpu, Duration::from_millis(5));
        assert!((rate.wakeups_per_second - 2.0).abs() < 1e-9);
    }
}
