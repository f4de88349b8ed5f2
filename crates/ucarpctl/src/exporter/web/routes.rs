//! What is answered to which request.

use hyper::body::{Body, Bytes};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use super::{Answer, events};
use crate::exporter::metrics::text::Format;
use crate::exporter::site::Site;
use crate::exporter::{metrics, page};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The page may use its own style, script and addresses, nothing else, and nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Goes with every answer.
const PROTECTION: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Whatever is shown was true a moment ago.
    (header::CACHE_CONTROL, "no-store"),
];

/// Answers a request. The body of the request is not read.
pub(super) async fn answer<B: Body>(site: &Site, request: Request<B>) -> Response<Answer> {
    let mut response = match refusal(site, &request) {
        Some(refusal) => refusal,
        None => document(site, &request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What is not read would be taken for the next request.
    if !request.body().is_end_stream() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Why a request is not looked at.
fn refusal<B: Body>(site: &Site, request: &Request<B>) -> Option<Response<Answer>> {
    let host = request.headers().get(header::HOST);
    // What is no text is no name either.
    let named = host.map(|host| host.to_str().unwrap_or_default());
    let named = request.uri().authority().map(hyper::http::uri::Authority::as_str).or(named);
    if !site.guard().admits(named) {
        let text = "This server is not known by that name. Ask for it by its address, or start ucarp-exporter with \
                    --allow-host and the name.\n";
        return Some(whole(StatusCode::MISDIRECTED_REQUEST, TEXT, text));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = whole(StatusCode::METHOD_NOT_ALLOWED, TEXT, "There is nothing to change here.\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    None
}

async fn document<B: Body>(site: &Site, request: &Request<B>) -> Response<Answer> {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    match request.uri().path() {
        "/" => whole(StatusCode::OK, HTML, page::document(site.moment().await.scene()).into_string()),
        "/part" => whole(StatusCode::OK, HTML, page::part(site.moment().await.scene()).1.into_string()),
        "/page.css" => whole(StatusCode::OK, "text/css; charset=utf-8", page::STYLE),
        "/page.js" => whole(StatusCode::OK, "text/javascript; charset=utf-8", page::SCRIPT),
        "/icon.svg" => whole(StatusCode::OK, "image/svg+xml", page::ICON),
        "/metrics" => {
            let format = Format::accepted(text(header::ACCEPT));
            whole(StatusCode::OK, format.content_type(), metrics::render(&*site.status().await, format))
        }
        "/api/v1/status" => json(&*site.status().await),
        "/api/v1/history" => json(&site.past()),
        "/api/v1/events" => stream(site, text(HeaderName::from_static("last-event-id"))),
        _ => whole(StatusCode::NOT_FOUND, TEXT, "There is no such page. The status page is at /.\n"),
    }
}

/// Events that the client has not had yet. Without a number: those from now on.
fn stream(site: &Site, last: Option<&str>) -> Response<Answer> {
    let history = site.history();
    let position = match last.map(str::parse) {
        Some(Ok(number)) => history.position_of(number),
        Some(Err(_)) => {
            let text = "Last-Event-ID is the number of an event, as the stream has told it.\n";
            return whole(StatusCode::BAD_REQUEST, TEXT, text);
        }
        None => history.subscribe().borrow().position,
    };
    let Some(place) = site.place_for_a_stream() else {
        let text = "Too many clients follow the events. Try again later.\n";
        return whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    };
    let receiver = events::stream(std::sync::Arc::clone(history), position, place);
    with_type(Response::new(Answer::Events(receiver)), "text/event-stream")
}

fn json(value: &impl Serialize) -> Response<Answer> {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole(StatusCode::OK, JSON, bytes),
        Err(error) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Some(body.into())));
    *response.status_mut() = status;
    with_type(response, content_type)
}

fn with_type(mut response: Response<Answer>, content_type: &'static str) -> Response<Answer> {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests;
