//! The HTTP server: hyper with a bound on all that a client could use up.

pub(super) mod client;
mod events;
pub(super) mod guard;
mod routes;
mod timed;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::site::Site;
use timed::Timed;

/// Connections at once. Others wait in the queue of the system.
const MOST_CONNECTIONS: usize = 128;

/// How long a request's head may take to arrive, and how long a connection may be idle.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// How long a client may leave unread what is sent to it.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a request's head.
const LARGEST_HEAD: usize = 16 * 1024;

/// Fields of a request's head.
const MOST_FIELDS: usize = 64;

/// After this an accept that failed, for want of descriptors for example, is tried again.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, site: Arc<Site>) -> Infallible {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = Arc::clone(&room).acquire_owned().await.expect("nobody closes this semaphore");
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_REST).await;
            continue;
        };
        // Events are small and should not wait for others.
        let _ = stream.set_nodelay(true);
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let site = Arc::clone(&site);
                async move { Ok::<_, Infallible>(routes::answer(&site, request).await) }
            });
            let stream = TokioIo::new(Timed::new(stream, WRITE_PATIENCE));
            // How a connection ends is the client's business.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_PATIENCE)
                .max_buf_size(LARGEST_HEAD)
                .max_headers(MOST_FIELDS)
                .serve_connection(stream, service)
                .await;
            drop(place);
        });
    }
}

/// The body of an answer.
#[derive(Debug)]
enum Answer {
    /// All at once.
    Whole(Option<Bytes>),
    /// As it happens.
    Events(mpsc::Receiver<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut *self {
            Answer::Whole(bytes) => Poll::Ready(bytes.take()),
            Answer::Events(receiver) => receiver.poll_recv(cx),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Answer::Events(_) => SizeHint::default(),
        }
    }
}
