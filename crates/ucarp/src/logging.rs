//! Where log lines go: the terminal and syslog, in the form that users of UCARP read and grep.
//!
//! A log must never hold up an advertisement: a terminal that is stopped with Ctrl-S, a full pipe or a stuck syslog
//! daemon loses lines instead, and the number of lost lines is told as soon as lines go through again.

use std::env;
use std::fmt::Write as _;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use ucarp_sys::clock::{self, LocalTime};
use ucarp_sys::poll;

use crate::journal::Journal;
use crate::options::Facility;

/// The socket on which the system's log daemon listens.
const SYSLOG_SOCKET: &str = if cfg!(target_os = "linux") { "/dev/log" } else { "/var/run/log" };

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The `log` facade's receiver.
struct Logger {
    sinks: Mutex<Sinks>,
}

struct Sinks {
    /// The least severe level that the terminal shows; `None` when there is no terminal.
    terminal: Option<Level>,
    /// Lines that the terminal did not take.
    lost: u64,
    facility: Option<u8>,
    syslog: Option<UnixDatagram>,
    /// Lines that syslog did not take.
    lost_by_syslog: u64,
    /// The process that syslog is told of, where it is not this one.
    process: Option<u32>,
    /// Who is told what is for syslog, where that is not this process's business.
    relay: Option<Relay>,
}

/// Hands a line to another process; whether that was possible.
type Relay = Box<dyn Fn(Level, &str) -> bool + Send>;

/// LOG_USER, which UCARP too uses for what goes wrong while the options are read.
const BEFORE_OPTIONS: u8 = 1;

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Starts logging, to the terminal and, until the options say where to, to syslog. Calling it again changes nothing.
pub fn start() {
    let sinks = Sinks {
        terminal: Some(Level::Debug),
        lost: 0,
        facility: Some(BEFORE_OPTIONS),
        syslog: None,
        lost_by_syslog: 0,
        process: None,
        relay: None,
    };
    let logger = LOGGER.get_or_init(|| Logger { sinks: Mutex::new(sinks) });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Applies the options: syslog by facility, debug lines, and for a daemon only errors on the terminal.
pub fn configure(facility: Facility, debug: bool, daemon: bool) {
    log::set_max_level(if debug { LevelFilter::Debug } else { LevelFilter::Info });
    with_sinks(|sinks| {
        sinks.facility = facility.code();
        if daemon {
            sinks.terminal = Some(Level::Error);
        }
    });
}

/// The journal, if the system has one and the log goes there: by syslog, or because the service manager connects the
/// terminal with it.
#[must_use]
pub fn journal() -> Option<Journal> {
    let mut is_wanted = env::var_os("JOURNAL_STREAM").is_some();
    with_sinks(|sinks| is_wanted |= sinks.facility.is_some());
    if is_wanted { Journal::of_the_system() } else { None }
}

/// The terminal belongs to somebody else from now on.
pub fn leave_terminal() {
    with_sinks(|sinks| sinks.terminal = None);
}

/// Gives up the connection to the log daemon, which another process has, too.
pub fn hang_up() {
    with_sinks(|sinks| sinks.syslog = None);
}

/// Speaks for another process of the daemon from now on, the one that its users know, and lets it have what is for syslog:
/// it can find a log daemon that was restarted. When it is gone, what it had is told to the log daemon of now.
pub fn speak_for(process: u32, relay: impl Fn(Level, &str) -> bool + Send + 'static) {
    with_sinks(|sinks| {
        sinks.process = Some(process);
        sinks.syslog = sinks.facility.and_then(|_| connect_syslog().ok());
        sinks.relay = Some(Box::new(relay));
    });
}

/// Tells syslog, and nobody else, what another process has to say.
pub fn relayed(level: Level, text: &str) {
    let now = clock::local_now();
    with_sinks(|sinks| sinks.tell_syslog(level, &now, &one_line(text)));
}

fn with_sinks(change: impl FnOnce(&mut Sinks)) {
    if let Some(logger) = LOGGER.get() {
        change(&mut logger.lock());
    }
}

impl Logger {
    fn lock(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let now = clock::local_now();
        let level = record.level();
        let text = format!("[{}] {}", name(level), one_line(&record.args().to_string()));
        let mut sinks = self.lock();
        if sinks.terminal.is_some_and(|least| level <= least) {
            sinks.write_terminal(level, &terminal_line(&now, &text));
        }
        sinks.tell_syslog(level, &now, &text);
    }

    fn flush(&self) {}
}

impl Sinks {
    /// Information goes to standard output, warnings and errors to standard error, as with UCARP.
    fn write_terminal(&mut self, level: Level, line: &str) {
        let written =
            if level <= Level::Warn { write_if_ready(io::stderr(), line) } else { write_if_ready(io::stdout(), line) };
        if !written {
            self.lost += 1;
        } else if self.lost > 0 {
            let note = format!("(the terminal did not take {} log lines before this one)\n", self.lost);
            if write_if_ready(io::stderr(), &note) {
                self.lost = 0;
            }
        }
    }

    fn tell_syslog(&mut self, level: Level, now: &LocalTime, text: &str) {
        let Some(facility) = self.facility else { return };
        if !self.relay.as_ref().is_some_and(|relay| relay(level, text)) {
            self.write_syslog(facility, level, now, text);
        }
    }

    fn write_syslog(&mut self, facility: u8, level: Level, now: &LocalTime, text: &str) {
        let process = self.process.unwrap_or_else(std::process::id);
        if !self.send_to_syslog(&syslog_line(facility, process, level, now, text)) {
            self.lost_by_syslog += 1;
        } else if self.lost_by_syslog > 0 {
            let note = format!("[WARNING] (syslog did not take {} log lines before this one)", self.lost_by_syslog);
            if self.send_to_syslog(&syslog_line(facility, process, Level::Warn, now, &note)) {
                self.lost_by_syslog = 0;
            }
        }
    }

    /// Whether nothing was lost because syslog does not read. A missing log daemon is not this program's problem; one
    /// that was restarted is found again.
    fn send_to_syslog(&mut self, line: &str) -> bool {
        for _ in 0..2 {
            if self.syslog.is_none() {
                self.syslog = connect_syslog().ok();
            }
            let Some(socket) = &self.syslog else { return true };
            match socket.send(line.as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.syslog = None,
                Ok(_) => return true,
            }
        }
        true
    }
}

fn connect_syslog() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(SYSLOG_SOCKET)?;
    Ok(socket)
}

fn write_if_ready(mut stream: impl io::Write + AsFd, line: &str) -> bool {
    poll::writable_now(stream.as_fd()) && stream.write_all(line.as_bytes()).and_then(|()| stream.flush()).is_ok()
}

/// One record is one line, whatever a file name or an argument contains.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

/// `2026-11-21T22:20:04.000123: [INFO] text`, local time without a zone.
fn terminal_line(now: &LocalTime, text: &str) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}: {text}\n",
        now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond
    )
}

/// `<28>Nov 21 22:20:04 ucarp[1234]: [WARNING] text`, as the C library's `syslog` writes it.
fn syslog_line(facility: u8, process: u32, level: Level, now: &LocalTime, text: &str) -> String {
    let severity = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let month = MONTHS[usize::from(now.month.saturating_sub(1)) % MONTHS.len()];
    let mut line = format!("<{}>{month} {:2} ", u16::from(facility) * 8 + severity, now.day);
    let _ = write!(line, "{:02}:{:02}:{:02} ucarp[{process}]: {text}", now.hour, now.minute, now.second);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: LocalTime = LocalTime { year: 2026, month: 11, day: 2, hour: 3, minute: 4, second: 5, microsecond: 67 };

    #[test]
    fn lines_look_as_users_of_ucarp_know_them() {
        assert_eq!(terminal_line(&NOW, "[INFO] x"), "2026-11-02T03:04:05.000067: [INFO] x\n");
        assert_eq!(
            syslog_line(3, 4711, Level::Warn, &NOW, "[WARNING] x"),
            "<28>Nov  2 03:04:05 ucarp[4711]: [WARNING] x"
        );
        assert!(syslog_line(16, 1, Level::Debug, &NOW, "x").starts_with("<135>"));
    }

    #[test]
    fn a_record_cannot_forge_a_second_line() {
        assert_eq!(one_line("a\n[ERROR] b\u{7f}é"), "a\\n[ERROR] b\\u{7f}é");
    }

    #[test]
    fn a_full_pipe_loses_lines_instead_of_blocking() {
        let (reader, writer) = io::pipe().unwrap();
        let line = "x".repeat(4096);
        let mut written = 0;
        while write_if_ready(writer.try_clone().unwrap(), &line) {
            written += 1;
            assert!(written < 10_000, "a pipe has an end");
        }
        assert!(written > 0);
        drop(reader);
    }
}
