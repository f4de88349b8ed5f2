//! Questions to servers.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{Answer, no};
use crate::settings::Url;

/// The first line of an answer is within so many octets.
const LONGEST_LINE: usize = 1024;

/// What is left of the time, and not nothing, which would stand for ever.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Whether a connection can be made.
pub(super) fn connect(address: IpAddr, port: u16, deadline: Instant) -> Answer {
    let (server, began) = (SocketAddr::new(address, port), Instant::now());
    match TcpStream::connect_timeout(&server, left(deadline)) {
        Ok(_) => Answer::Yes(format!("{server} accepts connections after {:.1?}", began.elapsed())),
        Err(error) => no(format!("no connection to {server}"), &error),
    }
}

/// Whether a page can be had.
pub(super) fn http(url: &Url, host: Option<&str>, wanted: Option<u16>, deadline: Instant) -> Answer {
    let began = Instant::now();
    match status(url, host, deadline) {
        Ok(Some(status)) => {
            let words = format!("{url} answers with status {status} after {:.1?}", began.elapsed());
            let is_wanted = wanted.map_or((200..400).contains(&status), |wanted| status == wanted);
            if is_wanted { Answer::Yes(words) } else { Answer::No(words) }
        }
        Ok(None) => Answer::No(format!("{url}: what answers does not speak HTTP")),
        Err(error) => no(url, &error),
    }
}

/// The status that a server answers with; `None` if that is no answer of HTTP.
fn status(url: &Url, host: Option<&str>, deadline: Instant) -> io::Result<Option<u16>> {
    let server = SocketAddr::new(url.address, url.port);
    let mut stream = TcpStream::connect_timeout(&server, left(deadline))?;
    stream.set_write_timeout(Some(left(deadline)))?;
    let host = host.map_or_else(|| server.to_string(), str::to_owned);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ucarp\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        url.path
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0_u8; LONGEST_LINE];
    while answer.len() < LONGEST_LINE && !answer.contains(&b'\n') {
        stream.set_read_timeout(Some(left(deadline)))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
            }
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        }
    }
    Ok(status_of(&answer))
}

/// The status in `HTTP/1.1 200 OK` (RFC 9112 4).
fn status_of(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest[0].is_ascii_digit() && rest[1] == b' ')?;
    let is_end = |octet: &u8| octet.is_ascii_whitespace();
    let status = std::str::from_utf8(digits).ok().filter(|_| rest.get(5).is_none_or(is_end))?.parse().ok()?;
    (100..600).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn the_status_is_in_the_first_line() {
        for (answer, status) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503 Service Unavailable\r\n", Some(503)),
            ("HTTP/1.1 204\r\n", Some(204)),
            ("HTTP/1.1 2000 OK", None),
            ("HTTP/1.1 +20 OK", None),
            ("HTTP/1.1 099 OK", None),
            ("HTTP/2 200", None),
            ("SSH-2.0-x", None),
            ("HTTP/1.1 20", None),
            ("", None),
        ] {
            assert_eq!(status_of(answer.as_bytes()), status, "{answer}");
        }
    }

    /// A server that answers one connection, and what it was asked.
    fn server(answer: &'static str) -> (Url, thread::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut buffer = [0; 512];
            while !asked.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut buffer).unwrap();
                asked.extend_from_slice(&buffer[..length]);
            }
            // In pieces, as a network may bring it, until who asks knows enough and leaves.
            let _ = answer.bytes().try_for_each(|octet| stream.write_all(&[octet]));
            String::from_utf8(asked).unwrap()
        });
        (Url { address: Ipv4Addr::LOCALHOST.into(), port, path: "/health".into() }, serving)
    }

    #[test]
    fn pages_are_asked_for_and_their_status_is_judged() {
        for (answer, wanted, is_good) in [
            ("HTTP/1.1 200 OK\r\n\r\n", None, true),
            ("HTTP/1.1 302 Found\r\n\r\n", None, true),
            ("HTTP/1.1 404 Not Found\r\n\r\n", None, false),
            ("HTTP/1.1 404 Not Found\r\n\r\n", Some(404), true),
            ("HTTP/1.1 200 OK\r\n\r\n", Some(404), false),
            ("220 mail.example.org\r\n", None, false),
            ("", None, false),
        ] {
            let (url, serving) = server(answer);
            let found = http(&url, Some("www.example.org"), wanted, Instant::now() + SOON);
            assert_eq!(matches!(found, Answer::Yes(_)), is_good, "{answer} {wanted:?} {found:?}");
            let asked = serving.join().unwrap();
            assert!(asked.starts_with("GET /health HTTP/1.1\r\nHost: www.example.org\r\n"), "{asked}");
        }
    }

    #[test]
    fn who_does_not_listen_or_does_not_answer_is_told() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(matches!(connect(address, port, Instant::now() + SOON), Answer::Yes(_)));
        let url = Url { address, port, path: "/".into() };
        let silent = http(&url, None, None, Instant::now() + Duration::from_millis(200));
        assert!(matches!(&silent, Answer::No(text) if text.contains("no answer in time")), "{silent:?}");
        drop(listener);
        let closed = connect(address, port, Instant::now() + SOON);
        assert!(matches!(&closed, Answer::No(text) if text.contains("refused")), "{closed:?}");
    }
}
