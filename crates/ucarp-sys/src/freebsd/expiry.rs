//! The process that ends leases: FreeBSD's kernel keeps an address for ever, and whoever added it may be killed or hang.
//!
//! It is forked with the first lease, hears of each renewal, and removes what is not renewed in time. It ignores all
//! signals that ask for the end: it goes by itself when nobody can tell it anything more and the last lease is over.
//! Whoever kills all processes of the daemon at once (`pkill -9`) kills this one, too: then addresses stay.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use super::Requests;
use crate::bsd::leases::{Leases, MOST_ENTRIES, Place, message};
use crate::bsd::{request, text};
use crate::channel::{Channel, LONGEST, Received};
use crate::poll::Poller;
use crate::{clock, process, signals};

/// A removal that failed is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// Messages that are read before an address is removed: all that may wait.
const MOST_MESSAGES: usize = 10_000;

/// The way to the process, which is started when it is first needed, and again if it is gone.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    line: Option<(Channel, process::Child)>,
    has_complained: bool,
}

impl Expiry {
    /// Tells how long addresses are valid from now on. One that is told of again in time stays.
    pub(super) fn tell(&mut self, leases: &[(Place, Duration)]) {
        for some in leases.chunks(MOST_ENTRIES) {
            let message = message(some);
            // Twice: a process that is gone is replaced, and the others' next renewals tell it the rest.
            for _ in 0..2 {
                if self.line.is_none() && some.iter().all(|(_, valid)| valid.is_zero()) {
                    break;
                }
                let Some(channel) = self.channel() else { return };
                match channel.send(&message, &[]) {
                    Ok(()) => break,
                    // It does not read: it was stopped. It will hear of the next renewal.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => self.give_up(),
                }
            }
        }
    }

    fn channel(&mut self) -> Option<&Channel> {
        if self.line.is_none() {
            match start() {
                Ok(line) => self.line = Some(line),
                Err(error) if self.has_complained => log::debug!("No process to end leases: {error}"),
                Err(error) => {
                    self.has_complained = true;
                    log::warn!("No process to end leases ({error}): virtual addresses stay if ucarp is killed");
                }
            }
        }
        self.line.as_ref().map(|(channel, _)| channel)
    }

    fn give_up(&mut self) {
        if let Some((_, mut child)) = self.line.take() {
            let _ = child.kill(process::Signal::KILL);
            // Nobody's zombie, if it has ended by now.
            let _ = child.try_wait();
        }
    }
}

fn start() -> io::Result<(Channel, process::Child)> {
    let requests = Requests::open()?;
    let (channel, other) = Channel::pair()?;
    let child = process::fork_child(|| {
        signals::ignore_all();
        let kept = [other.as_fd(), requests.v4.as_fd()];
        // What it does not close does not disturb it, but would keep others' channels open.
        let kept: Vec<_> = kept.into_iter().chain(requests.v6.as_ref().map(AsFd::as_fd)).collect();
        if process::close_all_but(&kept).is_err() {
            return 1;
        }
        work(&other, &requests)
    })?;
    Ok((channel, child))
}

/// What the process does. Returns its exit status.
fn work(channel: &Channel, requests: &Requests) -> u8 {
    let mut leases = Leases::default();
    let mut buffer = vec![0; LONGEST];
    let mut poller = Poller::new();
    let mut is_alone = false;
    loop {
        // All that was said before a look at the clock: a process that was stopped must not act on what it knew then.
        for _ in 0..MOST_MESSAGES {
            match channel.recv_bytes(&mut buffer) {
                Ok(Received::Message { length, .. }) => leases.heed(&buffer[..length], clock::boottime()),
                Ok(Received::Nothing) => break,
                Ok(Received::Closed) | Err(_) => {
                    is_alone = true;
                    break;
                }
            }
        }
        for place in leases.over(clock::boottime()) {
            if !remove(requests, &place) {
                leases.heed(&message(&[(place, RETRY)]), clock::boottime());
            }
        }
        let next = leases.next_end();
        if is_alone && next.is_none() {
            return 0;
        }
        let wait = next.map(|end| Duration::from_nanos(end.saturating_sub(clock::boottime())));
        let line = (!is_alone).then(|| channel.as_fd());
        if poller.wait(line, wait).is_err() {
            std::thread::sleep(RETRY);
        }
    }
}

/// Removes an address. Whether it is gone.
fn remove(requests: &Requests, place: &Place) -> bool {
    let (result, words) = match requests.carry_out(&mut request::remove(place.interface, place.address)) {
        Ok(()) => (true, "was removed: its lease was over, and nobody renewed it".to_owned()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ENXIO)) => return true,
        Err(error) => (false, format!("cannot be removed: {error}")),
    };
    tell_syslog(&place.interface, place.address, &words);
    result
}

/// The daemon's log may be what hangs.
fn tell_syslog(interface: &[u8], address: IpAddr, words: &str) {
    let line = format!("[WARNING] {address} on {} {words}", text(interface));
    let Ok(line) = std::ffi::CString::new(line) else { return };
    // SAFETY: both strings end with a NUL and live through the call; the first has one place for a string.
    unsafe { libc::syslog(libc::LOG_DAEMON | libc::LOG_WARNING, c"%s".as_ptr(), line.as_ptr()) };
}
