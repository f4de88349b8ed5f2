//! The daemon of this host: its state when somebody wants to know it, and its events as they come.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use ucarp_control::Client;
use ucarp_control::calls::{GetDaemon, GetEvents, GetVirtualHosts};

use super::clean;
use super::history::{History, MOST_EVENTS};
use super::model::{Seen, Status};
use super::words;

/// How long the daemon may take for one reply.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it may take for all of them.
const LONGEST: Duration = Duration::from_secs(4);

/// A state that is not older is shown again, if nothing has happened since.
const FRESH: Duration = Duration::from_millis(500);

/// The daemon is not asked more often, whatever happens: its own work comes first.
const REST: Duration = Duration::from_millis(100);

/// Between two attempts to follow its events.
const RETRY: Duration = Duration::from_secs(1);

/// More virtual hosts than a daemon has.
const MOST_VIRTUAL_HOSTS: usize = 4096;

/// The daemon of this host.
#[derive(Debug)]
pub(super) struct Local {
    socket: PathBuf,
    history: Arc<History>,
    last: Mutex<Option<Answer>>,
}

/// What is known of it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// When it had answered, or had not for too long.
    done: Instant,
    /// The newest event then.
    position: u64,
    /// What it said, or why not.
    pub(super) status: Arc<Status>,
    /// What it said when it said something for the last time.
    pub(super) seen: Option<Seen>,
}

impl Local {
    /// The daemon with this control socket. Its events go to `history`.
    pub(super) fn new(socket: PathBuf, history: Arc<History>) -> Self {
        Local { socket, history, last: Mutex::new(None) }
    }

    /// Begins to follow its events, in a thread that lives as long as the process.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub(super) fn follow(&self) -> std::io::Result<()> {
        let (socket, history) = (self.socket.clone(), Arc::clone(&self.history));
        thread::Builder::new().name("events".into()).spawn(move || follow_for_ever(&socket, &history))?;
        Ok(())
    }

    /// The state as it is now, or was a moment ago. One question at a time is asked, for all who want to know.
    pub(super) async fn answer(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some(known) = &*last {
            let age = known.done.elapsed();
            let position = self.history.subscribe().borrow().position;
            if age < FRESH && known.position == position {
                return known.clone();
            }
            tokio::time::sleep(REST.saturating_sub(age)).await;
        }
        let position = self.history.subscribe().borrow().position;
        let (asked, socket) = (Instant::now(), self.socket.clone());
        let asking = tokio::task::spawn_blocking(move || ask(&socket));
        let status = asking.await.unwrap_or_else(|error| Err(error.to_string())).unwrap_or_else(Status::down);
        self.history.set_up(status.up, words::now());
        let seen = Seen::new(status.clone(), asked).or_else(|| last.take().and_then(|known| known.seen));
        let answer = Answer { done: Instant::now(), position, status: Arc::new(status), seen };
        *last = Some(answer.clone());
        answer
    }
}

/// The state of the daemon, or why there is none.
fn ask(socket: &Path) -> Result<Status, String> {
    let started = Instant::now();
    let mut client = Client::connect(socket, PATIENCE).map_err(|error| error.to_string())?;
    let daemon = client.call(&GetDaemon::default()).map_err(|error| error.to_string())?.daemon;
    let mut virtual_hosts = Vec::new();
    for reply in client.call_more(&GetVirtualHosts::default()).map_err(|error| error.to_string())? {
        virtual_hosts.extend(reply.map_err(|error| error.to_string())?.virtual_host);
        if started.elapsed() > LONGEST || virtual_hosts.len() > MOST_VIRTUAL_HOSTS {
            return Err(format!("the daemon has not said all after {} virtual hosts", virtual_hosts.len()));
        }
    }
    let status = Status { up: true, error: None, daemon: Some(daemon), virtual_hosts };
    // The process that answers is the one that reads the network: its texts are not trusted either.
    let cleaned = serde_json::to_value(status).and_then(|mut value| {
        clean::value(&mut value);
        serde_json::from_value(value)
    });
    cleaned.map_err(|error| error.to_string())
}

fn follow_for_ever(socket: &Path, history: &History) {
    let mut told = None;
    loop {
        let problem = follow(socket, history);
        history.set_up(false, words::now());
        if told.as_ref() != Some(&problem) {
            eprintln!("ucarp-exporter: {problem}; trying again every second");
            told = Some(problem);
        }
        thread::sleep(RETRY);
    }
}

/// Follows events until that fails, and says why.
fn follow(socket: &Path, history: &History) -> String {
    let attempt = || -> Result<(), ucarp_control::Error> {
        let mut client = Client::connect(socket, PATIENCE)?;
        client.call(&GetDaemon::default())?;
        history.set_up(true, words::now());
        let most = Some(MOST_EVENTS as u64);
        let replies = client.call_more(&GetEvents { most, follow: Some(true), ..GetEvents::default() })?;
        // Nothing may happen for days. When the daemon ends, the connection does.
        let _ = replies.client().set_timeout(None);
        for reply in replies {
            let Some(mut event) = reply?.event else { continue };
            for text in [&mut event.kind, &mut event.cause, &mut event.message] {
                clean::text(text);
            }
            event.virtual_host.iter_mut().chain(event.interface.iter_mut()).for_each(clean::text);
            history.add(event);
        }
        Err(ucarp_control::Error::Closed)
    };
    attempt().err().map_or_else(String::new, |error| error.to_string())
}
