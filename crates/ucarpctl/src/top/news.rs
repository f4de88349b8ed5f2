//! What the daemon says, asked for again and again.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ucarp_control::calls::{GetDaemon, GetEvents};
use ucarp_control::types::{Daemon, Event, VirtualHost};
use ucarp_control::{Client, Error};

use crate::context::{Context, virtual_hosts};

/// Between two questions.
const PERIOD: Duration = Duration::from_millis(500);

/// More than a screen shows.
const MOST_EVENTS: usize = 500;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The latest that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// When this was; `None`: nothing is known yet.
    pub(super) at: Option<Instant>,
    /// The daemon itself.
    pub(super) daemon: Option<Daemon>,
    /// Its virtual hosts.
    pub(super) hosts: Vec<VirtualHost>,
    /// What happened, the oldest first.
    pub(super) events: Vec<Event>,
    /// Why there is nothing newer.
    pub(super) trouble: Option<String>,
}

impl News {
    /// Asks for all that is new.
    fn update(&mut self, client: &mut Client<UnixStream>) -> Result<(), Error> {
        let daemon = client.call(&GetDaemon {})?.daemon;
        let hosts = virtual_hosts(client, None)?;
        let after = self.events.last().map(|event| event.number);
        let most = u64::try_from(MOST_EVENTS).ok();
        for reply in client.call_more(&GetEvents { after, most, ..GetEvents::default() })? {
            self.events.extend(reply?.event);
        }
        self.events.drain(..self.events.len().saturating_sub(MOST_EVENTS));
        (self.at, self.daemon, self.hosts, self.trouble) = (Some(Instant::now()), Some(daemon), hosts, None);
        Ok(())
    }
}

/// Asks in a thread of its own: the terminal waits for no daemon.
pub(super) struct Reporter {
    news: Arc<Mutex<News>>,
}

impl Reporter {
    /// Begins to ask, for as long as this process lives.
    pub(super) fn start(context: &Context) -> Self {
        let news = Arc::new(Mutex::new(News::default()));
        let (socket, shared) = (context.socket.clone(), Arc::clone(&news));
        thread::spawn(move || ask(&socket, &shared));
        Self { news }
    }

    /// The latest.
    pub(super) fn news(&self) -> News {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ask(socket: &PathBuf, shared: &Mutex<News>) {
    let mut client = None;
    let mut news = News::default();
    loop {
        if let Err(error) = ask_once(socket, &mut client, &mut news) {
            client = None;
            news.trouble = Some(error.to_string());
        }
        shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&news);
        thread::sleep(PERIOD);
    }
}

fn ask_once(socket: &PathBuf, client: &mut Option<Client<UnixStream>>, news: &mut News) -> Result<(), Error> {
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::connect(socket, PATIENCE)?),
    };
    news.update(client)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use ucarp_control::types::State;

    use super::*;
    use crate::fake::{self, Fake};
    use crate::look::Look;

    /// Waits until the news are as they should be.
    fn wait_for(reporter: &Reporter, wanted: impl Fn(&News) -> bool) -> News {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let news = reporter.news();
            if wanted(&news) {
                return news;
            }
            assert!(Instant::now() < deadline, "never: {news:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_daemon_that_is_restarted_is_found_again() {
        let daemon = Fake::start(vec![fake::master()]);
        let look = Look { colour: false, width: None, zone: TimeZone::UTC };
        let reporter = Reporter::start(&Context { socket: daemon.socket(), look });
        let news = wait_for(&reporter, |news| news.at.is_some());
        assert_eq!((news.hosts.len(), news.events.len()), (1, 3));
        daemon.stop();
        let news = wait_for(&reporter, |news| news.trouble.is_some());
        assert_eq!(news.hosts.len(), 1, "what was known last is still shown");
        {
            let mut world = daemon.world.lock().unwrap();
            world.hosts = vec![fake::master(), fake::held()];
            world.events.push(fake::event(4, Some(State::Fault), "held by the operator"));
        }
        daemon.listen();
        let news = wait_for(&reporter, |news| news.trouble.is_none() && news.hosts.len() == 2);
        let numbers: Vec<u64> = news.events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4], "each event once");
    }
}
