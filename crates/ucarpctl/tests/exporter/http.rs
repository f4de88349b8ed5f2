//! Clients that are not kind, and what the exporter tells programs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use netlab::Lab;
use ucarp_control::types::{Event, State};

use crate::daemon::{Daemon, virtual_host};
use crate::{Exporter, HANG};

/// Runs `test` on a host with an exporter.
fn with_exporter(test: impl FnOnce(&Exporter, &Daemon) + Send) {
    if !netlab::can_run() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("alpha", 1, std::net::Ipv4Addr::new(10, 0, 0, 1), 24).unwrap();
    let daemon = Daemon::start("alpha", vec![virtual_host("web", 1, State::Backup)]);
    let exporter = Exporter::start(&host, &daemon, &[]);
    host.run(|| test(&exporter, &daemon)).unwrap();
}

fn connect(exporter: &Exporter) -> TcpStream {
    let stream = TcpStream::connect(exporter.authority()).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_write_timeout(Some(HANG)).unwrap();
    stream
}

/// The whole answer to a request.
pub(crate) fn asked(exporter: &Exporter, request: &str) -> String {
    let mut stream = connect(exporter);
    // A server that has refused may have closed the connection before all was written.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

pub(crate) fn get(exporter: &Exporter, path: &str) -> String {
    asked(exporter, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

/// A stream of events, and all that it has brought.
pub(crate) struct Stream {
    stream: TcpStream,
    seen: String,
}

impl Stream {
    /// Opens one, with another line for the head of the request, and waits until the exporter has found the daemon.
    pub(crate) fn open(exporter: &Exporter, line: &str) -> Stream {
        let mut stream = Stream { stream: connect(exporter), seen: String::new() };
        write!(stream.stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{line}\r\n").unwrap();
        stream.read_until("\"up\":true");
        stream
    }

    /// Reads on until `text` has come.
    pub(crate) fn read_until(&mut self, text: &str) {
        let mut chunk = [0; 4096];
        while !self.seen.contains(text) {
            let length = self.stream.read(&mut chunk).unwrap();
            assert!(length > 0, "the stream ended after {}", self.seen);
            self.seen.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        }
    }
}

#[test]
fn metrics_follow_the_daemon() {
    with_exporter(|exporter, daemon| {
        let state = |state: &str| {
            format!("ucarp_state{{virtual_host=\"web\",interface=\"eth0\",vhid=\"1\",state=\"{state}\"}} 1\n")
        };
        assert!(get(exporter, "/metrics").contains(&state("BACKUP")));
        daemon.change(State::Master, "it was time");
        // The event and the question go different ways: the state is at most half a second old.
        assert!(netlab::wait_until(HANG, || get(exporter, "/metrics").contains(&state("MASTER"))));
        daemon.end();
        assert!(netlab::wait_until(HANG, || get(exporter, "/metrics").contains("ucarp_up 0\n")));
        let status = get(exporter, "/api/v1/status");
        assert!(status.contains("\"up\":false") && status.contains("does the daemon run"), "{status}");
    });
}

#[test]
fn a_client_that_comes_back_gets_what_it_has_missed() {
    with_exporter(|exporter, daemon| {
        let mut stream = Stream::open(exporter, "");
        daemon.change(State::Master, "one");
        stream.read_until("\"one\"}\n\n");
        let field = |name: &str| stream.seen.rsplit(name).next().unwrap().lines().next().unwrap().to_owned();
        let (id, data) = (field("\nid: "), field("\ndata: "));
        let event: Event = serde_json::from_str(&data).unwrap();
        assert_eq!((event.message.as_str(), event.to), ("one", Some(State::Master)));
        drop(stream);
        daemon.change(State::Backup, "two");
        daemon.change(State::Master, "three");
        let mut stream = Stream::open(exporter, &format!("Last-Event-ID: {id}\r\n"));
        stream.read_until("\"three\"}\n\n");
        daemon.change(State::Backup, "four");
        stream.read_until("\"four\"}\n\n");
        let place = |text: &str| stream.seen.find(&format!("\"{text}\"}}"));
        assert_eq!(place("one"), None, "it has had that");
        assert!(place("two").unwrap() < place("three").unwrap() && place("three") < place("four"));
        let history = get(exporter, "/api/v1/history");
        let places = ["one", "two", "three", "four"].map(|text| history.find(&format!("\"{text}\"")).unwrap());
        assert!(places.is_sorted(), "{history}");
    });
}

#[test]
fn requests_that_are_too_large_or_make_no_sense_are_refused() {
    with_exporter(|exporter, _| {
        let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
        assert!(asked(exporter, &long).starts_with("HTTP/1.1 431 "));
        let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100));
        assert!(asked(exporter, &many).starts_with("HTTP/1.1 431 "));
        assert!(asked(exporter, "\u{16}\u{3}\u{1} no HTTP\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let foreign = "GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
        assert!(asked(exporter, foreign).starts_with("HTTP/1.1 421 "));
        let hidden = "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", hidden.len());
        let answers = asked(exporter, &(head + hidden));
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "a body is not taken for a request");
        assert!(get(exporter, "/api/v1/status").starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn connections_are_bounded_and_those_that_say_nothing_are_closed() {
    with_exporter(|exporter, _| {
        let silent: Vec<TcpStream> = (0..200).map(|_| connect(exporter)).collect();
        // It waits until the silent ones that came first were closed, not for ever.
        let answer = get(exporter, "/api/v1/status");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        drop(silent);
    });
}
