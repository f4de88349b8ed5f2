//! What the server shows: this host, and the peers it was told of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant as Deadline, timeout_at};

use super::history::History;
use super::local::Local;
use super::model::{Host, Past, Status};
use super::page;
use super::peers::Peer;
use super::web::client::Url;
use super::web::guard::Guard;
use super::words;

/// Clients that follow the events at once.
const MOST_STREAMS: usize = 64;

/// The page does not wait longer for peers: it shows what was known of them before.
const PEER_PATIENCE: Duration = Duration::from_millis(250);

/// All that can be asked for.
#[derive(Debug)]
pub(super) struct Site {
    name: String,
    local: Local,
    history: Arc<History>,
    peers: Vec<Arc<Peer>>,
    guard: Guard,
    streams: Arc<Semaphore>,
}

/// The hosts at one moment, for the page to be made of.
#[derive(Debug)]
pub(super) struct Moment {
    hosts: Vec<Host>,
    now: Instant,
    wall: u64,
}

impl Moment {
    /// As the page wants it.
    pub(super) fn scene(&self) -> page::Scene<'_> {
        page::Scene { hosts: &self.hosts, now: self.now, wall: self.wall }
    }
}

impl Site {
    /// With the daemon of this socket, whose host is called `name` while it does not answer.
    pub(super) fn new(name: String, socket: PathBuf, peers: Vec<Url>, guard: Guard) -> Self {
        let history = Arc::new(History::new());
        Site {
            name,
            local: Local::new(socket, Arc::clone(&history)),
            history,
            peers: peers.into_iter().map(|url| Arc::new(Peer::new(url))).collect(),
            guard,
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        }
    }

    /// Begins to follow what happens.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub(super) fn follow(&self) -> std::io::Result<()> {
        self.local.follow()
    }

    /// Which names it goes by.
    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// What happened here.
    pub(super) fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Room for one more who follows the events; `None`: there is none.
    pub(super) fn place_for_a_stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    /// The state of the daemon of this host.
    pub(super) async fn status(&self) -> Arc<Status> {
        self.local.answer().await.status
    }

    /// The last day of this host.
    pub(super) fn past(&self) -> Past {
        self.history.past(words::now())
    }

    /// This host and all peers.
    pub(super) async fn moment(&self) -> Moment {
        let asked: Vec<_> = self.peers.iter().filter_map(Peer::refresh).collect();
        let answer = self.local.answer().await;
        let deadline = Deadline::now() + PEER_PATIENCE;
        for asking in asked {
            // Whoever is late goes on being asked, for the next time.
            let _ = timeout_at(deadline, asking).await;
        }
        let named = answer.seen.as_ref().map(|seen| seen.daemon.host_name.clone()).filter(|name| !name.is_empty());
        let here = Host {
            name: named.unwrap_or_else(|| self.name.clone()),
            url: None,
            problem: answer.status.error.clone(),
            seen: answer.seen,
            past: Arc::new(self.past()),
        };
        let mut hosts = vec![here];
        hosts.extend(self.peers.iter().map(|peer| peer.host()));
        // All hosts of a group may have the same list of peers, with themselves in it.
        let own = hosts[0].seen.as_ref().map(|seen| Arc::clone(&seen.daemon));
        let is_own =
            |host: &Host| host.seen.as_ref().zip(own.as_ref()).is_some_and(|(seen, own)| is_same(&seen.daemon, own));
        let mut first = true;
        hosts.retain(|host| std::mem::take(&mut first) || !is_own(host));
        Moment { hosts, now: Instant::now(), wall: words::now() }
    }
}

/// Whether two answers are of one daemon.
fn is_same(one: &ucarp_control::types::Daemon, other: &ucarp_control::types::Daemon) -> bool {
    let identity = |daemon: &ucarp_control::types::Daemon| (daemon.pid, daemon.engine_pid, daemon.started_at);
    one.host_name == other.host_name && identity(one) == identity(other)
}
