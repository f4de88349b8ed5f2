//! What is heard beside advertisements: who says that a virtual address is its own, and now and then which virtual host ids
//! are in use. However much of it there is, little is read, and the rest is lost in the kernel, where that costs least.

use std::os::fd::OwnedFd;
use std::time::Duration;

use carp_core::time::Instant;
use carp_core::wire::frame::{self, Numbered};
use log::debug;
use ucarp_sys::packet::{Batch, PacketSocket};

use crate::protocol::Ear;

/// Frames that are read in one [`WINDOW`], and at most one batch more: those of many addresses that move together.
const MOST: usize = 512;

/// For so long ids are listened to: most who advertise do so each second.
const MOMENT: Duration = Duration::from_millis(3500);

/// Frames that are read of them meanwhile.
const MOST_IDS: usize = 512;

/// See [`MOST`].
const WINDOW: Duration = Duration::from_secs(1);

/// The sockets of one link that do not hear advertisements.
#[derive(Default)]
pub(super) struct Ears {
    owners: Vec<PacketSocket>,
    ids: Vec<PacketSocket>,
    ids_until: Instant,
    /// How many more of [`MOST_IDS`] are read.
    ids_left: usize,
    window_ends: Instant,
    read: usize,
}

impl Ears {
    /// Hears by these sockets from now on.
    pub(super) fn open(&mut self, now: Instant, ear: Ear, index: u32, descriptors: Vec<OwnedFd>) {
        let sockets = descriptors.into_iter().map(|fd| PacketSocket::from_fd(fd, index, None)).collect();
        match ear {
            Ear::Owners => self.owners = sockets,
            Ear::Ids => (self.ids, self.ids_until, self.ids_left) = (sockets, now + MOMENT, MOST_IDS),
        }
    }

    /// The sockets that are to be waited for.
    pub(super) fn sockets(&self, now: Instant) -> impl Iterator<Item = &PacketSocket> {
        let is_full = self.is_full(now);
        self.owners.iter().filter(move |_| !is_full).chain(&self.ids)
    }

    /// When there is more to wait for, or less.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let more = self.is_full(now).then_some(self.window_ends);
        let less = (!self.ids.is_empty()).then_some(self.ids_until);
        more.into_iter().chain(less).min()
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

    /// Stops listening for ids when the moment is over.
    pub(super) fn close_ids(&mut self, now: Instant) {
        if now >= self.ids_until {
            self.ids.clear();
        }
    }

    /// Reads which ids are in use, and closes the sockets when that is enough.
    pub(super) fn read_ids(&mut self, frames: &mut Batch) -> Vec<Numbered> {
        let mut heard = Vec::new();
        let left = &mut self.ids_left;
        self.ids.retain(|socket| {
            let count = socket.recv_many(frames).unwrap_or(Batch::MOST);
            heard.extend(frames.frames().take(*left).filter_map(frame::numbered));
            *left = left.saturating_sub(count);
            *left > 0
        });
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_let_go_by_until_the_second_is_over() {
        let at = |millis: u64| Instant::from_nanos(1_000_000_000 + millis * 1_000_000);
        let mut ears = Ears { window_ends: at(0), ..Ears::default() };
        ears.read(at(0), &mut Batch::new(64), |_| {});
        assert_eq!((ears.next_deadline(at(10)), ears.is_full(at(10))), (None, false));
        ears.read = MOST;
        assert_eq!(ears.next_deadline(at(10)), Some(at(1000)));
        assert!(ears.is_full(at(999)) && !ears.is_full(at(1000)));
        ears.read(at(1000), &mut Batch::new(64), |_| {});
        assert!(!ears.is_full(at(1001)));
    }
}
