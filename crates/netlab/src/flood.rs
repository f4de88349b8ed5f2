//! Floods: forged frames at a steady rate, and an ear that hears one host amid them.

mod ear;
mod forgery;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ucarp_sys::filter;
use ucarp_sys::packet::PacketSocket;

use crate::error::{Result, system};
use crate::host::Host;

pub use ear::Ear;
pub use forgery::Forgery;

/// Frames go out in bursts this far apart.
const TICK: Duration = Duration::from_millis(1);

/// A sender that was held up makes up for this much: a longer burst would not be a steady rate any more.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Frames that one host sends again and again. It ends when it is dropped, and of itself after a time.
pub struct Flood {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Begins to send `frames` in turn from a host, so many of them a second, for `at_most`.
    ///
    /// # Errors
    /// The host has no interface; no descriptors, no threads.
    pub fn start(from: &Host, frames: Vec<Vec<u8>>, per_second: u32, at_most: Duration) -> Result<Flood> {
        let index = from.index()?;
        let socket = from.run(|| PacketSocket::open(index, &filter::nothing()))?;
        let socket = socket.map_err(system("opening the socket of a flood"))?;
        let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, stopped) = (Arc::clone(&sent), Arc::clone(&stop));
        let work = move || {
            let mut pace = Pace::new(per_second, at_most);
            let mut frames = frames.iter().cycle();
            while !stopped.load(Ordering::Relaxed)
                && let Some(due) = pace.due(Instant::now())
            {
                let gone = frames.by_ref().take(due).filter(|frame| goes(&socket, frame)).count();
                counter.fetch_add(u64::try_from(gone).unwrap_or(u64::MAX), Ordering::Relaxed);
                thread::sleep(TICK);
            }
        };
        let thread = thread::Builder::new().name("flood".to_owned()).spawn(work).map_err(system("starting a flood"))?;
        Ok(Flood { sent, stop, thread: Some(thread) })
    }

    /// How many frames the kernel has taken so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its message has been printed.
            let _ = thread.join();
        }
    }
}

/// Whether the kernel takes a frame. What it refuses for want of room, or because the cable is out, is a frame less.
fn goes(socket: &PacketSocket, frame: &[u8]) -> bool {
    socket.send(frame).is_ok()
}

/// How many frames are due, so that there are so many a second.
struct Pace {
    start: Option<Instant>,
    last: Duration,
    per_second: f64,
    at_most: Duration,
    /// Frames that are due, of which only whole ones can be sent.
    owed: f64,
}

impl Pace {
    fn new(per_second: u32, at_most: Duration) -> Pace {
        Pace { start: None, last: Duration::ZERO, per_second: per_second.into(), at_most, owed: 0.0 }
    }

    /// How many frames to send at this moment, which is not earlier than the one before; `None` when it is over.
    fn due(&mut self, now: Instant) -> Option<usize> {
        let elapsed = now - *self.start.get_or_insert(now);
        if elapsed >= self.at_most {
            return None;
        }
        self.owed += (elapsed - self.last).min(CATCH_UP).as_secs_f64() * self.per_second;
        self.last = elapsed;
        let whole = self.owed.trunc();
        self.owed -= whole;
        // At most 86 million: a rate is a u32.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(whole as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_as_fast_and_as_long_as_it_was_told() {
        let mut pace = Pace::new(1500, Duration::from_secs(1));
        let start = Instant::now();
        let due: Vec<_> = (0..1200).map_while(|tick| pace.due(start + TICK * tick)).collect();
        assert_eq!((due.len(), due[0]), (1000, 0));
        assert!(due[1..].iter().all(|frames| (1..=2).contains(frames)), "{due:?}");
        let all: usize = due.iter().sum();
        assert!((1495..=1500).contains(&all), "{all}");
    }

    #[test]
    fn a_sender_that_was_held_up_makes_up_for_a_little_of_it() {
        let mut pace = Pace::new(1000, Duration::from_secs(10));
        let start = Instant::now();
        assert_eq!(pace.due(start), Some(0));
        let due = pace.due(start + Duration::from_secs(5)).unwrap();
        assert!((19..=20).contains(&due), "{due}");
        assert_eq!(pace.due(start + Duration::from_secs(10)), None);
    }
}
