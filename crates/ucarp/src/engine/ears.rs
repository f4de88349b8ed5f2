//! What is heard beside advertisements: who says that a virtual address is its own. However much of it there is, little is
//! read, and the rest is lost in the kernel, where that costs least.

use std::os::fd::OwnedFd;
use std::time::Duration;

use carp_core::time::Instant;
use log::debug;
use ucarp_sys::packet::{Batch, PacketSocket};

use crate::protocol::Ear;

/// Frames that are read in one [`WINDOW`], and at most one batch more: those of many addresses that move together.
const MOST: usize = 512;

/// See [`MOST`].
const WINDOW: Duration = Duration::from_secs(1);

/// The sockets of one link that do not hear advertisements.
#[derive(Default)]
pub(super) struct Ears {
    owners: Vec<PacketSocket>,
    window_ends: Instant,
    read: usize,
}

impl Ears {
    /// Hears by these sockets from now on.
    pub(super) fn open(&mut self, ear: Ear, index: u32, descriptors: Vec<OwnedFd>) {
        match ear {
            Ear::Owners => {
                self.owners = descriptors.into_iter().map(|fd| PacketSocket::from_fd(fd, index)).collect();
            }
        }
    }

    /// The sockets that are to be waited for.
    pub(super) fn sockets(&self, now: Instant) -> impl Iterator<Item = &PacketSocket> {
        let is_full = self.is_full(now);
        self.owners.iter().filter(move |_| !is_full)
    }

    /// When there is more to wait for.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.is_full(now).then_some(self.window_ends)
    }

    fn is_full(&self, now: Instant) -> bool {
        self.read >= MOST && now < self.window_ends
    }

    /// Reads what has arrived, as far as that is allowed now.
    pub(super) fn read(&mut self, now: Instant, frames: &mut Batch, mut hear: impl FnMut(&[u8])) {
        if now >= self.window_ends {
            (self.window_ends, self.read) = (now + WINDOW, 0);
        }
        let read = &mut self.read;
        self.owners.retain(|socket| {
            while *read < MOST {
                match socket.recv_many(frames) {
                    Ok(count) => {
                        *read += count;
                        frames.frames().for_each(&mut hear);
                        if count < Batch::MOST {
                            break;
                        }
                    }
                    // The link went down or away, and new sockets come with it.
                    Err(error) => {
                        debug!("Unable to receive: {error}");
                        return false;
                    }
                }
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_let_go_by_until_the_second_is_over() {
        let at = |millis: u64| Instant::from_nanos(1_000_000_000 + millis * 1_000_000);
        let mut ears = Ears { read: 0, window_ends: at(0), owners: Vec::new() };
        ears.read(at(0), &mut Batch::new(64), |_| {});
        assert_eq!((ears.next_deadline(at(10)), ears.is_full(at(10))), (None, false));
        ears.read = MOST;
        assert_eq!(ears.next_deadline(at(10)), Some(at(1000)));
        assert!(ears.is_full(at(999)) && !ears.is_full(at(1000)));
        ears.read(at(1000), &mut Batch::new(64), |_| {});
        assert!(!ears.is_full(at(1001)));
    }
}
