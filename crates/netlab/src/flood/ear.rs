//! Hearing what one host advertises, whatever the others send.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec};
use ucarp_sys::filter;
use ucarp_sys::link;
use ucarp_sys::tap::TapSocket;

use crate::error::{Error, Result, system};
use crate::host::Host;
use crate::lab::Lab;
use crate::record::Record;
use crate::tap::Frame;

const MAX_FRAMES: usize = 100_000;
const MAX_FRAME_BYTES: usize = 2048;
/// How soon it is noticed that it is to stop.
const STOP_WITHIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// A recorder of the advertisements that one host sends, of one virtual host. The kernel sorts out what others send, so a
/// flood costs it nearly nothing, and forged frames with the host's addresses are not taken for its own.
pub struct Ear {
    frames: Arc<Record<Frame>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    /// Begins to listen at a host's port. When its interface is made anew it has another port, which is not heard.
    ///
    /// # Errors
    /// The host has no port; no descriptors, threads or memory.
    pub fn new(lab: &Lab, host: &Host, vhid: u8) -> Result<Ear> {
        let switch = lab.switch();
        let port = link::find(&mut switch.connection(), host.name())?
            .ok_or_else(|| Error::System { what: format!("port of {}", host.name()), source: no_port() })?;
        let open = || {
            let socket = TapSocket::open()?;
            filter::arriving_at(port.index, vhid).attach(&socket)?;
            Ok::<_, io::Error>(socket)
        };
        let socket = switch.namespace.run(open).flatten().map_err(system("opening an ear"))?;
        let frames = Arc::new(Record::new(MAX_FRAMES, 1));
        let stop = Arc::new(AtomicBool::new(false));
        let (record, stopped, name) = (Arc::clone(&frames), Arc::clone(&stop), Arc::from(host.name()));
        let work = move || {
            while !stopped.load(Ordering::Relaxed) && listen(&socket, port.index, &name, &record).is_ok() {}
            record.close();
        };
        let thread = thread::Builder::new().name("ear".to_owned()).spawn(work).map_err(system("starting an ear"))?;
        Ok(Ear { frames, stop, thread: Some(thread) })
    }

    /// When the host advertised, so far, in nanoseconds of [`crate::now`].
    pub fn moments(&self) -> Vec<u64> {
        self.frames.read(|frames| frames.iter().map(|frame| frame.at).collect())
    }

    /// The first advertisement, already recorded or to come, of `since` or later; `None` when the time is over.
    pub fn wait_for_one(&self, since: u64, within: std::time::Duration) -> Option<Frame> {
        self.frames.wait_for(|frame| frame.at >= since, within)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its message has been printed.
            let _ = thread.join();
        }
    }
}

fn no_port() -> io::Error {
    rustix::io::Errno::NODEV.into()
}

/// Waits for frames for a moment and records those that come.
fn listen(socket: &TapSocket, port: u32, name: &Arc<str>, record: &Record<Frame>) -> io::Result<()> {
    match rustix::event::poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&STOP_WITHIN)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut buffer = [0; MAX_FRAME_BYTES];
    match socket.recv(&mut buffer) {
        // Others may have come before the filter was there.
        Ok(Some(seen)) if seen.ifindex == port => {
            record.push(Frame { at: seen.at, port: Arc::clone(name), bytes: buffer[..seen.length].to_vec() });
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NetworkDown => Ok(()),
        Err(error) => Err(error),
    }
}
