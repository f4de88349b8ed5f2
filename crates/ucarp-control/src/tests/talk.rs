//! Clients and what they hear.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use crate::calls::{Done, GetEvents, GetEventsReply, Hold, Reload, ReloadReply, SetLogLevel};
use crate::framing::{self, END, FramingError, LONGEST_REQUEST, Messages, Request, Splitter};
use crate::refusal::Refusal;
use crate::service::{GetInfo, GetInterfaceDescription};
use crate::{Client, Error, service};

/// More than any test takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client, and what answers it.
fn talk(serve: impl FnOnce(Messages<UnixStream>) + Send + 'static) -> Client<UnixStream> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    thread::spawn(move || serve(Messages::new(theirs, LONGEST_REQUEST)));
    let client = Client::new(ours);
    client.set_timeout(Some(PATIENCE)).unwrap();
    client
}

fn event(number: u64) -> GetEventsReply {
    serde_json::from_value(json!({ "event": {
        "number": number, "at": 1, "virtual_host": "web", "vhid": 1, "interface": "eth0", "kind": "transition",
        "from": "BACKUP", "to": "MASTER", "cause": "master-timed-out", "message": "why"
    }}))
    .unwrap()
}

#[test]
fn a_call_and_its_reply() {
    let mut client = talk(|mut messages| {
        let request: Request = messages.receive().unwrap().unwrap();
        assert_eq!(request.method, "io.ucarp.Reload");
        assert_eq!(request.parameters::<Reload>(), Ok(Reload {}));
        messages
            .send_bytes(&framing::reply(&ReloadReply { applied: true, problems: vec!["a".into()] }, false).unwrap())
            .unwrap();
        let request: Request = messages.receive().unwrap().unwrap();
        assert_eq!((request.more, request.oneway), (false, false));
        messages.send(&json!({})).unwrap();
        assert!(messages.receive::<Request>().unwrap().is_none(), "the client has gone");
    });
    assert_eq!(client.call(&Reload {}).unwrap().problems, ["a"]);
    // Replies without anything in them may be without parameters.
    assert_eq!(client.call(&Hold { virtual_host: None }).unwrap(), Done {});
}

#[test]
fn many_replies_to_one_call() {
    let mut client = talk(|mut messages| {
        let request: Request = messages.receive().unwrap().unwrap();
        assert!(request.more);
        for number in 1..=3 {
            messages.send_bytes(&framing::reply(&event(number), number < 3).unwrap()).unwrap();
        }
        let _ = messages.receive::<Request>();
    });
    let replies = client.call_more(&GetEvents::default()).unwrap();
    let numbers: Vec<_> = replies.map(|reply| reply.unwrap().event.unwrap().number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn one_who_has_not_read_all_replies_cannot_go_on() {
    let mut client = talk(|mut messages| {
        messages.receive::<Request>().unwrap().unwrap();
        messages.send_bytes(&framing::reply(&event(1), true).unwrap()).unwrap();
        let _ = messages.receive::<Request>();
    });
    assert!(client.call_more(&GetEvents::default()).unwrap().next().unwrap().is_ok());
    assert!(matches!(client.call(&Reload {}), Err(Error::Unfinished)));
}

#[test]
fn a_refusal_is_told_with_what_belongs_to_it_and_the_connection_goes_on() {
    let mut client = talk(|mut messages| {
        let known = vec!["web".to_owned()];
        let refusal = Refusal::NoSuchVirtualHost { virtual_host: "wbe".into(), known };
        for refusal in [refusal, Refusal::ExpectedMore {}] {
            messages.receive::<Request>().unwrap().unwrap();
            messages.send_bytes(&framing::refuse(&refusal).unwrap()).unwrap();
        }
    });
    let error = client.call(&Hold { virtual_host: Some("wbe".into()) }).unwrap_err();
    assert_eq!(error.to_string(), "there is no virtual host \"wbe\": there is web");
    let error = client.call_more(&GetEvents::default()).unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::ExpectedMore {})), "{error}");
    assert!(matches!(client.call(&Reload {}), Err(Error::Closed)));
}

#[test]
fn a_wait_that_was_too_long_can_go_on() {
    let (go, went) = std::sync::mpsc::channel();
    let mut client = talk(move |mut messages| {
        messages.receive::<Request>().unwrap().unwrap();
        let reply = framing::reply(&event(1), false).unwrap();
        messages.send_bytes(&reply[..20]).unwrap();
        went.recv().unwrap();
        messages.send_bytes(&reply[20..]).unwrap();
    });
    client.set_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut replies = client.call_more(&GetEvents::default()).unwrap();
    assert!(matches!(replies.next(), Some(Err(Error::TimedOut))));
    go.send(()).unwrap();
    replies.client().set_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(replies.next().unwrap().unwrap(), event(1));
    assert!(replies.next().is_none());
}

#[test]
fn a_daemon_that_does_not_take_connections_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let error = Client::connect(&path, PATIENCE).unwrap_err().to_string();
    assert!(error.contains("does the daemon run"), "{error}");
    let listener = UnixListener::bind(&path).unwrap();
    let limit = Duration::from_millis(20);
    // Its queue is as long as the system allows.
    let mut waiting = Vec::new();
    let error = loop {
        match Client::connect(&path, limit) {
            Ok(client) => waiting.push(client),
            Err(error) => break error,
        }
        assert!(waiting.len() < 100_000, "the queue has an end");
        if waiting.len() == 900 {
            // Descriptors end before the queue does where the system allows 4,096 connections.
            return;
        }
    };
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    drop(listener);
    assert!(Client::connect(&path, limit).unwrap_err().to_string().contains("does not run any more"));
}

#[test]
fn every_service_tells_what_it_is() {
    let info = service::info();
    assert_eq!(info.interfaces, ["org.varlink.service", "io.ucarp"]);
    for interface in &info.interfaces {
        let description = service::description(interface).unwrap().description;
        assert!(description.contains(&format!("\ninterface {interface}\n")));
    }
    let refusal = service::description("io.other").unwrap_err();
    assert_eq!(refusal, Refusal::InterfaceNotFound { interface: "io.other".into() });
    assert_eq!(Request::new(&GetInfo {}).unwrap().method, "org.varlink.service.GetInfo");
    let call = GetInterfaceDescription { interface: "io.ucarp".into() };
    assert_eq!(Request::new(&call).unwrap().parameters(), Ok(call));
}

#[test]
fn what_is_wrong_with_a_parameter_is_told() {
    let request: Request =
        serde_json::from_str(r#"{"method": "io.ucarp.SetLogLevel", "parameters": {"levle": "debug"}}"#).unwrap();
    let refusal = request.parameters::<SetLogLevel>().unwrap_err();
    assert!(refusal.to_string().contains("levle"), "{refusal}");
    let request: Request = serde_json::from_str(r#"{"method": "io.ucarp.Hold"}"#).unwrap();
    assert_eq!(request.parameters(), Ok(Hold { virtual_host: None }));
}

/// A stream that says what it is told to, and hears nothing.
struct Recording(io::Cursor<Vec<u8>>);

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Recording {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_no_reply_is_an_error() {
    for (said, expected) in [
        (&b"{\"parameters\""[..], "in the middle"),
        (b"hello\0", "not understood"),
        (b"\0", "not understood"),
        (b"{\"parameters\": {\"problems\": 1}}\0", "not understood"),
        (b"", "closed the connection"),
    ] {
        let mut client = Client::new(Recording(io::Cursor::new(said.to_vec())));
        let error = client.call(&Reload {}).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_message_that_is_too_long_is_an_error_before_it_ends() {
    let mut messages = Messages::new(Recording(io::Cursor::new(vec![b' '; 1 << 20])), 5000);
    let error = messages.receive::<Request>().unwrap_err();
    assert!(matches!(error, FramingError::TooLong(_)), "{error}");
    assert_eq!(error.to_string(), "a message is longer than 5000 bytes");
    assert!(messages.stream().0.position() < 10_000);
}

proptest! {
    #[test]
    fn messages_come_out_as_they_went_in(
        texts in prop::collection::vec(prop::collection::vec(1_u8.., 0..40), 0..20),
        cuts in prop::collection::vec(1_usize..30, 1..40),
    ) {
        let stream: Vec<u8> = texts.iter().flat_map(|text| text.iter().copied().chain([END])).collect();
        let (mut splitter, mut found, mut rest) = (Splitter::new(40), Vec::new(), &stream[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            splitter.push(now);
            while let Some(message) = splitter.next_message().unwrap() {
                found.push(message);
            }
            rest = later;
        }
        prop_assert_eq!(found, texts);
        prop_assert!(!splitter.is_in_message());
    }

    #[test]
    fn whatever_comes_is_no_reason_to_panic(bytes: Vec<u8>) {
        let mut client = Client::new(Recording(io::Cursor::new(bytes)));
        let _ = client.call(&Reload {});
    }
}
