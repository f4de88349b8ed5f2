//! Fetches a document of a peer, which is not trusted: it may be slow, endless or nonsense.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a whole answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    host: String,
    port: u16,
    /// Without a slash at its end.
    prefix: String,
}

impl std::str::FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: hyper::Uri = text.parse().map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(format!("{text:?}: only http:// is spoken; use a tunnel where that is not enough"));
            }
            _ => return Err(format!("{text:?} does not begin with http://")),
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let Some(authority) = authority.filter(|authority| !authority.host().is_empty()) else {
            return Err(format!("{text:?} is not of the form http://HOST:PORT"));
        };
        if uri.query().is_some() {
            return Err(format!("{text:?} has a query: give the address of the peer's page"));
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Url { host: authority.host().to_owned(), port: authority.port_u16().unwrap_or(80), prefix })
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}:{}{}/", self.host, self.port, self.prefix)
    }
}

impl Url {
    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The document at `path` below this one, if it comes in time and is not larger than `largest` bytes.
    ///
    /// # Errors
    ///
    /// Why it could not be had, in words for the page.
    pub(crate) async fn get(&self, path: &str, largest: usize) -> Result<Bytes, String> {
        let patience = PATIENCE.as_secs();
        timeout(PATIENCE, self.fetch(path, largest)).await.map_err(|_| format!("no answer within {patience} s"))?
    }

    async fn fetch(&self, path: &str, largest: usize) -> Result<Bytes, String> {
        let name = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((name, self.port)).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(16 * 1024)
            .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let connection = Ended(tokio::spawn(connection));
        let request = Request::get(format!("{}{path}", self.prefix))
            .header(HOST, self.authority())
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close")
            .header(USER_AGENT, concat!("ucarp-exporter/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        // Redirects are not followed: they could lead anywhere.
        if answer.status() != StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), largest).collect().await;
        drop(connection);
        Ok(body.map_err(|error| format!("its answer cannot be used: {error}"))?.to_bytes())
    }
}

/// A task that ends when nobody needs it any more.
struct Ended<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_what_a_browser_would_be_given() {
        let url = |text: &str| text.parse::<Url>();
        assert_eq!(url("http://10.0.0.2:10112").unwrap().to_string(), "http://10.0.0.2:10112/");
        assert_eq!(url("http://[fe80::1]:10112/").unwrap().to_string(), "http://[fe80::1]:10112/");
        assert_eq!(url("http://beta/ucarp/").unwrap().to_string(), "http://beta:80/ucarp/");
        let bad = [
            "",
            "beta",
            "beta:10112",
            "https://beta",
            "ftp://beta",
            "http://",
            "http://u:p@beta/",
            "http://beta/?a",
            "/x",
        ];
        for text in bad {
            let error = url(text).unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
