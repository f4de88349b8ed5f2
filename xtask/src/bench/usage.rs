//! What a host's processes use: memory, processor time, how often they wake up and change places, and system calls.

use std::fs;
use std::io;
use std::process::Command;
use std::time::Duration;

use netlab::{Host, Signal, now};

use super::error::{Error, system};

/// How long a tracer may take to let all go and to write what it counted.
const TRACER_LIMIT: Duration = Duration::from_secs(30);

/// What all processes of a host have used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    at: u64,
    /// Nanoseconds on a processor.
    busy: u64,
    /// How often one of them went to sleep of its own accord: as often as it was woken.
    waits: u64,
    /// How often one was taken off a processor for another.
    evictions: u64,
}

/// What they use in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Processor time.
    pub(super) cpu: Duration,
    pub(super) wakeups: f64,
    /// Context switches, those of wake-ups among them.
    pub(super) switches: f64,
}

/// The memory of all processes of a host, what they share with others divided among them, in bytes.
pub(super) fn memory(host: &Host) -> Result<u64, Error> {
    let mut total = 0;
    for pid in host.processes()? {
        total += figure(&format!("/proc/{pid}/smaps_rollup"), |text| Some(kilobytes(text, "Pss:")? * 1024))?;
    }
    Ok(total)
}

/// What the processes of a host have used so far; those that end are forgotten.
pub(super) fn usage(host: &Host) -> Result<Usage, Error> {
    let mut usage = Usage { at: now(), busy: 0, waits: 0, evictions: 0 };
    for pid in host.processes()? {
        // A process that ends meanwhile has no tasks.
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let task = task.path();
            usage.busy += figure(&format!("{}/schedstat", task.display()), busy)?;
            let status = format!("{}/status", task.display());
            usage.waits += figure(&status, |text| value(text, "voluntary_ctxt_switches:")?.parse().ok())?;
            usage.evictions += figure(&status, |text| value(text, "nonvoluntary_ctxt_switches:")?.parse().ok())?;
        }
    }
    Ok(usage)
}

impl Usage {
    /// The rates since an earlier moment.
    pub(super) fn since(&self, before: &Usage) -> Rate {
        let span = Duration::from_nanos(self.at.saturating_sub(before.at)).as_secs_f64();
        let busy = Duration::from_nanos(self.busy.saturating_sub(before.busy));
        let waits = self.waits.saturating_sub(before.waits);
        let switches = waits + self.evictions.saturating_sub(before.evictions);
        Rate { cpu: busy.div_f64(span), wakeups: precise(waits) / span, switches: precise(switches) / span }
    }
}

/// How many system calls the processes of a host make within `span`. They are slower while they are counted.
pub(super) fn system_calls(host: &Host, span: Duration) -> Result<u64, Error> {
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-q"]);
    for pid in host.processes()? {
        command.arg("-p").arg(pid.to_string());
    }
    let tracer = host.spawn(command)?;
    std::thread::sleep(span);
    tracer.signal(Signal::INT)?;
    tracer.wait(TRACER_LIMIT)?;
    tracer.wait_for_end_of_output(TRACER_LIMIT);
    let output = tracer.output();
    calls(&output).ok_or_else(|| Error::Command { command: "strace -f -c".to_owned(), output })
}

/// `100.00    0.000325           1       260           total`; a program that made none has no table.
fn calls(output: &str) -> Option<u64> {
    let Some(line) = output.lines().find(|line| line.trim_end().ends_with(" total")) else {
        return output.trim().is_empty().then_some(0);
    };
    line.split_whitespace().nth(3)?.parse().ok()
}

/// A whole number below 2^53.
#[expect(clippy::cast_precision_loss)]
pub(super) fn precise(count: u64) -> f64 {
    count as f64
}

fn figure(path: &str, read: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
    match fs::read_to_string(path) {
        Ok(text) => {
            read(&text).ok_or_else(|| system(format!("reading {path}"))(io::Error::other("it has another format")))
        }
        // It has ended.
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => Ok(0),
        Err(error) => Err(system(format!("reading {path}"))(error)),
    }
}

const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();

fn busy(schedstat: &str) -> Option<u64> {
    schedstat.split(' ').next()?.parse().ok()
}

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
        assert_eq!(busy("150000500 20 30\n"), Some(150_000_500));
        let status = "Name:\tucarp\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!(value(status, "voluntary_ctxt_switches:"), Some("150"));
        assert_eq!(value(status, "Threads:"), None);
    }

    #[test]
    fn rates_are_per_second() {
        let before = Usage { at: 1_000_000_000, busy: 500, waits: 10, evictions: 2 };
        let after = Usage { at: 31_000_000_000, busy: 150_000_500, waits: 70, evictions: 5 };
        let rate = after.since(&before);
        assert_eq!(rate.cpu, Duration::from_millis(5));
        assert!((rate.wakeups - 2.0).abs() < 1e-9 && (rate.switches - 2.1).abs() < 1e-9, "{rate:?}");
    }

    #[test]
    fn calls_are_found_in_what_strace_counts() {
        let said = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    61.00    0.000200           2       100           ppoll\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.000325           1       260         2 total\n";
        assert_eq!(calls(said), Some(260));
        assert_eq!(calls(""), Some(0));
        assert_eq!(calls("strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted"), None);
    }
}
