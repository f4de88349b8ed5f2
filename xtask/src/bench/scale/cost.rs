//! What a host's processes use: memory, processor time, and how often they wake up.

use std::fs;
use std::io;
use std::time::Duration;

use netlab::{Host, now};

use super::Error;

/// What all processes of a host have used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    at: u64,
    /// Nanoseconds on a processor.
    busy: u64,
    /// How often one of them went to sleep of its own accord: as often as it was woken.
    waits: u64,
}

/// What they use in a steady state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Processor time in a minute.
    pub(super) cpu_per_minute: Duration,
    pub(super) wakeups_per_second: f64,
}

/// The memory of all processes of a host, what they share with others divided among them, in bytes.
pub(super) fn memory(host: &Host) -> Result<u64, Error> {
    sum(host, "smaps_rollup", |text| Some(kilobytes(text, "Pss:")? * 1024))
}

/// What the processes of a host have used so far.
pub(super) fn usage(host: &Host) -> Result<Usage, Error> {
    let at = now();
    let busy = sum_of_tasks(host, "schedstat", |text| text.split(' ').next()?.parse().ok())?;
    let waits = sum_of_tasks(host, "status", |text| value(text, "voluntary_ctxt_switches:")?.parse().ok())?;
    Ok(Usage { at, busy, waits })
}

impl Usage {
    /// The rates since an earlier moment.
    pub(super) fn since(&self, before: &Usage) -> Rate {
        let span = Duration::from_nanos(self.at.saturating_sub(before.at)).as_secs_f64();
        let busy = Duration::from_nanos(self.busy.saturating_sub(before.busy));
        // Whole numbers below 2^53.
        #[expect(clippy::cast_precision_loss)]
        let waits = self.waits.saturating_sub(before.waits) as f64;
        Rate { cpu_per_minute: busy.mul_f64(60.0 / span), wakeups_per_second: waits / span }
    }
}

fn sum(host: &Host, file: &str, read: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
    let mut total = 0;
    for pid in host.processes()? {
        total += figure(&format!("/proc/{pid}/{file}"), &read)?;
    }
    Ok(total)
}

fn sum_of_tasks(host: &Host, file: &str, read: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
    let mut total = 0;
    for pid in host.processes()? {
        // A process that ends meanwhile has no tasks.
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            total += figure(&format!("{}/{file}", task.path().display()), &read)?;
        }
    }
    Ok(total)
}

fn figure(path: &str, read: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
    let failed = |source| Error::Io { what: "reading what a process uses", source };
    match fs::read_to_string(path) {
        Ok(text) => read(&text).ok_or_else(|| failed(io::Error::other(format!("{path} has another format")))),
        // It has ended.
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => Ok(0),
        Err(error) => Err(failed(error)),
    }
}

const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    value(text, name)?.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_figures_of_proc() {
        let smaps =
            "55d0-7ffe ---p 00000000 00:00 0  [rollup]\nRss:     1580 kB\nPss:      412 kB\nPss_Dirty:  40 kB\n";
        assert_eq!(kilobytes(smaps, "Pss:"), Some(412));
        let status = "Name:\tucarp\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!(value(status, "voluntary_ctxt_switches:"), Some("150"));
        assert_eq!(value(status, "Threads:"), None);
    }

    #[test]
    fn rates_are_per_minute_and_second() {
        let before = Usage { at: 1_000_000_000, busy: 500, waits: 10 };
        let after = Usage { at: 31_000_000_000, busy: 150_000_500, waits: 70 };
        let rate = after.since(&before);
        assert_eq!(rate.cpu_per_minute, Duration::from_millis(300));
        assert!((rate.wakeups_per_second - 2.0).abs() < 1e-9);
    }
}
