use http_body_util::{BodyExt as _, Empty, Full};

use super::*;
use crate::exporter::web::guard::Guard;

/// A site whose daemon does not run.
fn site() -> Site {
    let guard = Guard::new("127.0.0.1:10112".parse().unwrap(), &[]);
    Site::new("alpha".into(), "/nonexistent/control.sock".into(), Vec::new(), guard)
}

fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let builder = Request::builder().method(method).uri(path);
    fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(Empty::new()).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Status, headers and body of an answer.
fn asked(method: &str, path: &str, fields: &[(&str, &str)]) -> (u16, hyper::HeaderMap, String) {
    run(async {
        let (head, body) = answer(&site(), request(method, path, fields)).await.into_parts();
        let body = match body {
            Answer::Whole(_) => body.collect().await.unwrap().to_bytes(),
            Answer::Events(_) => Bytes::from_static(b"a stream"),
        };
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    })
}

#[test]
fn every_address_answers_also_without_a_daemon() {
    let cases = [
        ("/", HTML, "does not answer"),
        ("/part", HTML, "does not answer"),
        ("/page.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/page.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/icon.svg", "image/svg+xml", "<svg"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "ucarp_up 0"),
        ("/api/v1/status", JSON, "\"up\":false"),
        ("/api/v1/history", JSON, "\"events\":[]"),
        ("/api/v1/events", "text/event-stream", "a stream"),
    ];
    for (path, content_type, text) in cases {
        let (status, headers, body) = asked("GET", path, &[("host", "localhost:10112")]);
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, content_type), "{path}");
        assert!(body.contains(text), "{path}: {body}");
    }
    assert_eq!(asked("GET", "/../etc/passwd", &[]).0, 404);
    let openmetrics = asked("GET", "/metrics", &[("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1")]);
    assert!(openmetrics.2.ends_with("# EOF\n"));
}

#[test]
fn every_answer_is_protected() {
    for (method, path, host) in
        [("GET", "/", "localhost"), ("GET", "/none", "localhost"), ("POST", "/", "localhost"), ("GET", "/", "evil")]
    {
        let (_, headers, _) = asked(method, path, &[("host", host)]);
        for (name, value) in PROTECTION {
            assert_eq!(headers.get(&name).map(HeaderValue::as_bytes), Some(value.as_bytes()), "{method} {path}");
        }
    }
    assert!(!POLICY.contains("unsafe"));
}

#[test]
fn names_of_others_are_refused_before_anything_is_shown() {
    for fields in [&[("host", "evil.example")][..], &[("host", "evil.example:10112")]] {
        let (status, _, body) = asked("GET", "/api/v1/status", fields);
        assert_eq!(status, 421);
        assert!(!body.contains("daemon"), "{body}");
    }
    assert_eq!(asked("GET", "http://evil.example/", &[("host", "localhost")]).0, 421, "the whole address counts");
}

#[test]
fn nothing_can_be_changed() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let (status, headers, _) = asked(method, "/", &[]);
        assert_eq!((status, &headers["allow"]), (405, &HeaderValue::from_static("GET, HEAD")));
    }
    assert_eq!(asked("HEAD", "/", &[]).0, 200);
}

#[test]
fn a_request_with_a_body_is_the_last_of_its_connection() {
    let request = Request::get("/icon.svg").body(Full::new(Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"))).unwrap();
    let response = run(async { answer(&site(), request).await });
    assert_eq!(response.headers()["connection"], "close");
}

#[test]
fn the_streams_have_a_limit_and_places_come_back() {
    let site = site();
    run(async {
        let open = async || answer(&site, request("GET", "/api/v1/events", &[])).await;
        let mut streams = Vec::new();
        while streams.len() < 1000 {
            let response = open().await;
            if response.status() != StatusCode::OK {
                assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
                break;
            }
            streams.push(response);
        }
        assert_eq!(streams.len(), 64);
        drop(streams);
        let again = async {
            while open().await.status() != StatusCode::OK {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), again).await.unwrap();
        let bad = answer(&site, request("GET", "/api/v1/events", &[("last-event-id", "x")])).await;
        assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    });
}
