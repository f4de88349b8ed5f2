//! Events as a stream that a browser reads (server-sent events). A client that was away says what it has had last, and
//! goes on there.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use ucarp_control::types::Event;

use crate::exporter::history::{History, Mark};

/// A line without meaning is sent so often, so that both sides notice when the other one is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A client that is slower than this loses its connection, and comes back with what it has had last.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events that are put together at once.
const AT_ONCE: usize = 64;

/// Parts of the stream that wait for the connection.
const WAITING: usize = 4;

/// After how many milliseconds a browser that lost its connection tries again.
const RETRY: u64 = 1000;

/// A stream that begins after `position`, and ends when nobody reads it. It keeps its `place` until then.
pub(super) fn stream(history: Arc<History>, position: u64, place: OwnedSemaphorePermit) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        feed(&history, position, &sender).await;
        drop(place);
    });
    receiver
}

async fn feed(history: &History, mut position: u64, sender: &mpsc::Sender<Bytes>) -> Option<()> {
    let mut marks = history.subscribe();
    let mut told = *marks.borrow_and_update();
    send(sender, format!("retry: {RETRY}\n\n{}", status(told))).await?;
    loop {
        loop {
            let events = history.after(position, AT_ONCE);
            let Some((last, _)) = events.last() else { break };
            position = *last;
            send(sender, events.iter().map(|(_, event)| message(event)).collect()).await?;
        }
        if told.up != marks.borrow().up {
            told = *marks.borrow_and_update();
            send(sender, status(told)).await?;
        }
        tokio::select! {
            changed = marks.changed() => changed.ok()?,
            () = sender.closed() => return None,
            () = tokio::time::sleep(HEARTBEAT) => send(sender, ": still here\n\n".into()).await?,
        }
    }
}

async fn send(sender: &mpsc::Sender<Bytes>, text: String) -> Option<()> {
    sender.send_timeout(text.into(), PATIENCE).await.ok()
}

/// JSON has no line ends of its own, so that one line is one event.
fn message(event: &Event) -> String {
    let mut text = String::new();
    if let Ok(json) = serde_json::to_string(event) {
        let _ = write!(text, "id: {}\ndata: {json}\n\n", event.number);
    }
    text
}

/// Whether the daemon answers. It has no id: it is always told as it is now.
fn status(mark: Mark) -> String {
    format!("event: status\ndata: {{\"up\":{}}}\n\n", mark.up)
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::exporter::testing::event;

    async fn next(receiver: &mut mpsc::Receiver<Bytes>) -> String {
        let bytes = tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    fn place() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
    }

    #[test]
    fn an_event_is_one_message_whatever_is_in_it() {
        let hostile = Event { message: "a\n\nevent: status\rdata: x".into(), ..event(7) };
        let text = message(&hostile);
        let lines: Vec<_> = text.split('\n').collect();
        let [id, data, "", ""] = lines[..] else { panic!("{text}") };
        assert_eq!(id, "id: 7");
        assert!(!text.contains('\r'));
        assert_eq!(serde_json::from_str::<Event>(data.strip_prefix("data: ").unwrap()).unwrap(), hostile);
    }

    #[test]
    fn a_stream_begins_with_the_status_goes_on_after_a_position_and_then_follows() {
        let history = Arc::new(History::new());
        (1..=3).for_each(|number| history.add(event(number)));
        runtime().block_on(async {
            let mut receiver = stream(Arc::clone(&history), history.position_of(1), place());
            assert_eq!(next(&mut receiver).await, "retry: 1000\n\nevent: status\ndata: {\"up\":false}\n\n");
            let missed = next(&mut receiver).await;
            assert!(
                !missed.contains("id: 1\n") && missed.contains("id: 2\n") && missed.contains("id: 3\n"),
                "{missed}"
            );
            history.add(event(4));
            assert!(next(&mut receiver).await.starts_with("id: 4\n"));
            history.set_up(true, 0);
            assert_eq!(next(&mut receiver).await, "event: status\ndata: {\"up\":true}\n\n");
        });
    }

    #[test]
    fn a_stream_that_nobody_reads_ends() {
        let history = Arc::new(History::new());
        runtime().block_on(async {
            let receiver = stream(Arc::clone(&history), 0, place());
            drop(receiver);
            let left = async {
                while Arc::strong_count(&history) > 1 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), left).await.unwrap();
        });
    }
}
