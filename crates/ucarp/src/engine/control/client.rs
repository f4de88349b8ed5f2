//! One connection to the control socket: what was read and not answered, and what is to be written.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use carp_core::time::Instant;
use ucarp_control::framing::{LONGEST_REQUEST, Splitter};

use super::job::Job;

/// What is read at once, in bytes.
const CHUNK: usize = 4096;

/// A client that has read nothing for so long although there was something to read is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How soon, at first and in the end, it is looked whether a client reads again.
const FIRST_RETRY: Duration = Duration::from_millis(2);
const LAST_RETRY: Duration = Duration::from_millis(100);

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rights {
    Nothing,
    Read,
    Change,
}

/// One who has connected.
pub(super) struct Client {
    stream: UnixStream,
    pub(super) rights: Rights,
    requests: Splitter,
    /// There is something to read, or the end.
    pub(super) is_readable: bool,
    /// It has nothing more to say, and waits for nothing but the replies to what it has said.
    pub(super) has_ended: bool,
    out: Vec<u8>,
    written: usize,
    /// Since when it has not read, and how soon it is looked again.
    blocked: Option<(Instant, Duration)>,
    retry: Option<Instant>,
    pub(super) job: Option<Job>,
    /// No reply is wanted to what is being answered.
    pub(super) is_mute: bool,
    /// When it last asked for something, or was told something.
    pub(super) last_active: Instant,
    /// There may be more to do at once.
    pub(super) has_work: bool,
}

/// What has become of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    All,
    Some,
}

/// The client is gone, or must go.
#[derive(Debug)]
pub(super) struct Gone;

impl Client {
    pub(super) fn new(now: Instant, stream: UnixStream, rights: Rights) -> Self {
        Self {
            stream,
            rights,
            requests: Splitter::new(LONGEST_REQUEST),
            is_readable: true,
            has_ended: false,
            out: Vec::new(),
            written: 0,
            blocked: None,
            retry: None,
            job: None,
            is_mute: false,
            last_active: now,
            has_work: true,
        }
    }

    /// What to wait for; nothing if it has nothing more to say.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.has_ended).then(|| self.stream.as_fd())
    }

    /// When something has to be done for it.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.has_work {
            return Some(now);
        }
        self.retry.or_else(|| self.job.as_ref().and_then(Job::deadline))
    }

    /// Reads a part of what it says.
    pub(super) fn read(&mut self) -> Result<(), Gone> {
        if !std::mem::take(&mut self.is_readable) || self.has_ended {
            return Ok(());
        }
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.has_ended = true,
            Ok(length) => {
                self.requests.push(&chunk[..length]);
                if self.requests.held() > LONGEST_REQUEST + CHUNK {
                    return Err(Gone);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Err(Gone),
        }
        self.has_work = true;
        Ok(())
    }

    /// The next request, as it was sent.
    pub(super) fn next_request(&mut self) -> Result<Option<Vec<u8>>, Gone> {
        let request = self.requests.next_message().map_err(|_| Gone)?;
        if request.is_none() && self.has_ended {
            return Err(Gone);
        }
        Ok(request)
    }

    /// Adds a reply, which is written as the client reads.
    pub(super) fn reply(&mut self, now: Instant, reply: &[u8]) {
        if !self.is_mute {
            self.out.extend_from_slice(reply);
            self.last_active = now;
        }
    }

    /// Writes what there is, as far as the client reads.
    pub(super) fn write(&mut self, now: Instant) -> Result<Written, Gone> {
        self.retry = None;
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(length) => {
                    self.written += length;
                    self.blocked = None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.wait_for_reader(now),
                Err(_) => return Err(Gone),
            }
        }
        // A long reply is no reason to keep its memory.
        self.out = Vec::new();
        self.written = 0;
        Ok(Written::All)
    }

    fn wait_for_reader(&mut self, now: Instant) -> Result<Written, Gone> {
        let (since, wait) = self.blocked.unwrap_or((now, FIRST_RETRY));
        if now - since >= PATIENCE {
            return Err(Gone);
        }
        self.blocked = Some((since, (wait * 2).min(LAST_RETRY)));
        self.retry = Some(now + wait);
        Ok(Written::Some)
    }

    /// Says one last thing to one who cannot be served.
    pub(super) fn turn_away(stream: &UnixStream, reply: &[u8]) {
        let mut stream = stream;
        let _: io::Result<()> = stream.write_all(reply);
    }
}
