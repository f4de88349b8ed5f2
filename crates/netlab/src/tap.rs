//! What goes over the wires.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use ucarp_sys::tap::TapSocket;

use crate::error::{Result, system};
use crate::lab::{Lab, Switch};
use crate::record::Record;

const MAX_FRAMES: usize = 400_000;
/// The longest that a segmented packet can be before a virtual cable.
const MAX_FRAME_BYTES: usize = 64 * 1024 + 64;
/// Frames after which it looks whether it is to stop.
const MAX_BURST: usize = 1000;
/// How soon the recorder notices that it is to stop.
const STOP_WITHIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// Of the pcap format with nanoseconds, and the link type Ethernet.
const PCAP_MAGIC: u32 = 0xa1b2_3c4d;
const PCAP_ETHERNET: u32 = 1;

/// One frame, as it came from a host into the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When the kernel passed it to the switch, in nanoseconds of [`crate::now`].
    pub at: u64,
    /// The name of the host that sent it.
    pub port: Arc<str>,
    /// All of it, from the destination address on.
    pub bytes: Vec<u8>,
}

/// A recorder of every frame that a host of the lab sends, each once, in the order of arrival. What a silenced host sends is
/// among them; what is lost for want of a carrier is not.
pub struct Tap {
    frames: Arc<Record<Frame>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Begins to record.
    ///
    /// # Errors
    /// No descriptors, threads or memory.
    pub fn new(lab: &Lab) -> Result<Tap> {
        let switch = Arc::clone(lab.switch());
        let socket = switch.namespace.run(TapSocket::open).flatten().map_err(system("opening the tap"))?;
        let frames = Arc::new(Record::new(MAX_FRAMES, 1));
        let stop = Arc::new(AtomicBool::new(false));
        let (record, stopped) = (Arc::clone(&frames), Arc::clone(&stop));
        let work = move || {
            let mut buffer = vec![0; MAX_FRAME_BYTES];
            while !stopped.load(Ordering::Relaxed) && listen(&socket, &switch, &record, &mut buffer).is_ok() {}
            record.close();
        };
        let thread = thread::Builder::new().name("tap".to_owned()).spawn(work).map_err(system("starting the tap"))?;
        Ok(Tap { frames, stop, thread: Some(thread) })
    }

    /// All frames so far.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames.all()
    }

    /// The first frame, already recorded or to come, that `wanted` accepts; `None` when the time is over. To look only at
    /// what comes, compare [`Frame::at`].
    pub fn wait_for(&self, wanted: impl FnMut(&Frame) -> bool, within: Duration) -> Option<Frame> {
        self.frames.wait_for(wanted, within)
    }

    /// How many frames are missing in the record, because it is full (after 400,000 frames) or the machine too slow.
    pub fn lost(&self) -> u64 {
        self.frames.lost()
    }

    /// Writes all frames so far as a pcap file with nanoseconds, whose times count from the boot.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_pcap(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let write = || {
            let mut file = BufWriter::new(File::create(path)?);
            write_pcap(&mut file, &self.frames())?;
            file.flush()
        };
        write().map_err(system(format!("writing {}", path.display())))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, its message has been printed.
            let _ = thread.join();
        }
    }
}

/// Waits for frames for a moment and records those that come.
fn listen(socket: &TapSocket, switch: &Switch, record: &Record<Frame>, buffer: &mut [u8]) -> io::Result<()> {
    match rustix::event::poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&STOP_WITHIN)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    for _ in 0..MAX_BURST {
        let seen = match socket.recv(buffer) {
            Ok(Some(seen)) => seen,
            Ok(None) => break,
            // An interface went down or away: told once, the others go on.
            Err(error) if error.kind() == io::ErrorKind::NetworkDown => continue,
            Err(error) => return Err(error),
        };
        // Only ports: the bridge itself receives again what its ports have received.
        if let Some(port) = switch.host_at(seen.ifindex) {
            record.push(Frame { at: seen.at, port, bytes: buffer[..seen.length].to_vec() });
        }
    }
    record.add_lost(socket.dropped()?.into());
    Ok(())
}

fn write_pcap(file: &mut impl Write, frames: &[Frame]) -> io::Result<()> {
    let longest = u32::try_from(MAX_FRAME_BYTES).map_err(io::Error::other)?;
    // Magic, version 2.4, two unused fields, longest frame, link type.
    let header = [PCAP_MAGIC, 2 | 4 << 16, 0, 0, longest, PCAP_ETHERNET];
    for word in header {
        file.write_all(&word.to_le_bytes())?;
    }
    for frame in frames {
        let length = u32::try_from(frame.bytes.len()).map_err(io::Error::other)?;
        let seconds = u32::try_from(frame.at / 1_000_000_000).map_err(io::Error::other)?;
        let nanoseconds = u32::try_from(frame.at % 1_000_000_000).map_err(io::Error::other)?;
        for word in [seconds, nanoseconds, length, length] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&frame.bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pcap_file_is_as_the_format_says() {
        let frame = Frame { at: 3_000_000_007, port: Arc::from("a"), bytes: vec![0xaa, 0xbb] };
        let mut file = Vec::new();
        write_pcap(&mut file, &[frame]).unwrap();
        let expected = [
            &[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 1, 0, 1, 0, 0, 0][..],
            &[3, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb],
        ];
        assert_eq!(file, expected.concat());
    }
}
