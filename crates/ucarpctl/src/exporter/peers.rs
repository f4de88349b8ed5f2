//! Other hosts of the group, as their exporters tell of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::clean;
use super::model::{Host, Past, Seen, Status};
use super::web::client::Url;

/// A peer is not asked again before.
const REST: Duration = Duration::from_millis(300);

/// Its past is asked for when something changed there, and after so long.
const PAST_FOR: Duration = Duration::from_secs(30);

/// So large may an answer be: 255 virtual hosts with a dozen peers each take less than 1 MiB.
const LARGEST: usize = 4 * 1024 * 1024;

/// An exporter on another host.
#[derive(Debug)]
pub(super) struct Peer {
    url: Url,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// When it was last asked.
    asked: Option<Instant>,
    /// Whether the answer is still to come.
    asking: bool,
    seen: Option<Seen>,
    problem: Option<String>,
    past: Arc<Past>,
    /// When its past was asked for, and how many changes there had been.
    past_of: Option<(Instant, u64)>,
}

impl Peer {
    /// Nothing is known of it yet.
    pub(super) fn new(url: Url) -> Self {
        Peer { url, known: Mutex::default() }
    }

    /// Nothing that could panic happens while the lock is held, and a poisoned one would do no harm.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks it, unless that has just been done. The task ends by itself.
    pub(super) fn refresh(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        let mut known = self.known();
        if known.asking || known.asked.is_some_and(|asked| asked.elapsed() < REST) {
            return None;
        }
        known.asking = true;
        known.asked = Some(Instant::now());
        let peer = Arc::clone(self);
        Some(tokio::spawn(async move { peer.ask().await }))
    }

    async fn ask(&self) {
        let asked = Instant::now();
        let status: Result<Status, String> = self.document("/api/v1/status").await;
        let hosts = status.as_ref().map_or(&[][..], |status| &status.virtual_hosts);
        let changes = hosts.iter().fold(0_u64, |sum, host| sum.wrapping_add(host.transitions));
        let is_known = |(at, of): (Instant, u64)| of == changes && at.elapsed() < PAST_FOR;
        let wanted = status.is_ok() && !self.known().past_of.is_some_and(is_known);
        let past: Option<Past> = if wanted { self.document("/api/v1/history").await.ok() } else { None };
        let mut known = self.known();
        known.asking = false;
        if let Some(past) = past {
            known.past = Arc::new(past);
            known.past_of = Some((asked, changes));
        }
        match status {
            Ok(status) if status.up => {
                known.problem = None;
                known.seen = Seen::new(status, asked);
            }
            Ok(status) => known.problem = Some(status.error.unwrap_or_else(|| "its daemon does not answer".into())),
            Err(problem) => known.problem = Some(problem),
        }
    }

    async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let bytes = self.url.get(path, LARGEST).await?;
        let parsed = serde_json::from_slice(&bytes).and_then(|mut value| {
            clean::value(&mut value);
            serde_json::from_value(value)
        });
        parsed.map_err(|error| {
            let mut error = format!("its answer is not understood: {error}");
            clean::text(&mut error);
            error
        })
    }

    /// What is known of it.
    pub(super) fn host(&self) -> Host {
        let known = self.known();
        let named = known.seen.as_ref().map(|seen| seen.daemon.host_name.clone()).filter(|name| !name.is_empty());
        let problem = known.problem.clone().or_else(|| known.seen.is_none().then(|| "it has not answered yet".into()));
        Host {
            name: named.unwrap_or_else(|| self.url.authority()),
            url: Some(self.url.to_string()),
            seen: known.seen.clone(),
            problem,
            past: Arc::clone(&known.past),
        }
    }
}
