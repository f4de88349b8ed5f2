//! Clients that mean no good: nothing of what they do delays an advertisement, or takes more than a little memory.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::*;
use crate::harness::largest_gap;

/// How long they go on.
const LENGTH: Duration = Duration::from_secs(6);

/// What a busy machine may add to the time between two advertisements of a second.
const LATE: Duration = Duration::from_millis(400);

/// One that asks for everything, again and again, and reads nothing.
fn deaf(path: &std::path::Path) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(path).ok()?;
    stream.set_nonblocking(true).ok()?;
    let request = b"{\"method\":\"io.ucarp.GetVirtualHosts\",\"more\":true}\0";
    while stream.write(request).is_ok_and(|length| length == request.len()) {}
    Some(stream)
}

/// One that says what is no request, of any length.
fn babbler(path: &std::path::Path, byte: u8) {
    let Ok(mut stream) = UnixStream::connect(path) else { return };
    let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
    let _ = stream.write_all(&vec![byte; 300_000]);
}

fn memory(node: &Node) -> u64 {
    let engine = node.process().children()[0];
    let status = fs::read_to_string(format!("/proc/{engine}/status")).expect("the engine runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn clients_that_do_not_read_or_make_no_sense_delay_nothing_and_take_little() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    status(&node);
    let before = memory(&node);
    let (since, path) = (now(), node.socket());
    let mut streams = Vec::new();
    let mut most = before;
    while between(since, now()) < LENGTH {
        streams.extend(deaf(&path));
        babbler(&path, b'x');
        babbler(&path, 0);
        most = most.max(memory(&node));
        if streams.len() > 64 {
            streams.drain(..32);
        }
    }
    let until = now();
    segment.catch_up();
    let gap = largest_gap(&segment.advertisements(&node.host, 1, since), since, until);
    println!("longest gap {gap:?}; memory {before} KiB before, {most} KiB at most");
    assert!(gap < Duration::from_secs(1) + LATE, "{gap:?}");
    assert!(most - before < 4096, "{before} KiB, then {most} KiB");
    assert_eq!(node.lines("Switching to state: BACKUP", since), 0, "{}", node.said());
    drop(streams);
    // And who has something to ask is answered still.
    let answered =
        wait_until(SOON, || Client::connect(&path, SOON).is_ok_and(|mut client| client.call(&GetDaemon {}).is_ok()));
    assert!(answered);
}

/// Clients that ask at once and again and again.
const MANY: usize = 50;

/// How long one that does not read is waited for, and a busy machine's share.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks until it is over, and reads what comes. How many replies did.
fn flooder(path: &std::path::Path, is_over: &AtomicBool) -> usize {
    let requests = b"{\"method\":\"io.ucarp.GetVirtualHosts\",\"more\":true}\0{\"method\":\"io.ucarp.Explain\",\
        \"parameters\":{\"virtual_host\":\"web\"}}\0{\"method\":\"io.ucarp.GetEvents\",\"more\":true}\0";
    let mut replies = 0;
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = UnixStream::connect(path) else { continue };
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
        let mut buffer = vec![0; 65536];
        while !is_over.load(Ordering::Relaxed) && stream.write_all(requests).is_ok() {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => replies += buffer[..length].split(|byte| *byte == 0).count() - 1,
                Err(_) => {}
            }
            // The machine has other tests to run.
            thread::sleep(Duration::from_millis(20));
        }
    }
    replies
}

#[test]
fn fifty_clients_that_ask_all_the_time_delay_nothing_and_one_that_does_not_read_is_dropped() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    let (since, path) = (now(), node.socket());
    let mut deaf = UnixStream::connect(&path).expect("there is room");
    // Few enough to be taken on, and with more in reply than waits for a reader.
    let requests = b"{\"method\":\"io.ucarp.GetVirtualHosts\",\"more\":true}\0".repeat(300);
    deaf.write_all(&requests).expect("it listens");
    let is_over = AtomicBool::new(false);
    let replies = thread::scope(|scope| {
        let flooders: Vec<_> = (0..MANY).map(|_| scope.spawn(|| flooder(&path, &is_over))).collect();
        let mut waiting = [PollFd::new(&deaf, PollFlags::HUP)];
        let dropped =
            wait_until(PATIENCE + SOON, || rustix::event::poll(&mut waiting, Some(&Timespec::default())) == Ok(1));
        is_over.store(true, Ordering::Relaxed);
        assert!(dropped, "it is still a client after {:?}", between(since, now()));
        flooders.into_iter().map(|flooder| flooder.join().expect("it does not panic")).sum::<usize>()
    });
    let until = now();
    segment.catch_up();
    let gap = largest_gap(&segment.advertisements(&node.host, 1, since), since, until);
    println!("longest gap {gap:?}, {replies} replies, dropped after {:?}", between(since, until));
    assert!(between(since, until) >= PATIENCE, "it has its time");
    assert!(gap < Duration::from_secs(1) + LATE, "{gap:?}");
    assert!(replies > 0);
    assert_eq!(node.lines("Switching to state: BACKUP", since), 0, "{}", node.said());
}

#[test]
fn a_client_of_too_many_is_turned_away_and_has_its_turn_later() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    let mut followers: Vec<_> = (0..16).map(|_| node.client()).collect();
    for client in &mut followers {
        let call = GetEvents { follow: Some(true), ..GetEvents::default() };
        assert!(client.call_more(&call).unwrap().next().unwrap().is_ok());
    }
    let error = node.client().call(&GetDaemon {}).unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Busy { .. }) | Error::Closed), "{error}");
    followers.pop();
    let answered = wait_until(SOON, || node.client().call(&GetDaemon {}).is_ok());
    assert!(answered);
}

#[test]
fn many_requests_at_once_and_half_closed_connections_are_answered() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[VIP], EAGER));
    node.wait_for(ip(VIP));
    let mut stream = UnixStream::connect(node.socket()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = b"{\"method\":\"org.varlink.service.GetInfo\"}\0{\"method\":\"io.ucarp.Nonsense\"}\0\
        {\"method\":\"io.ucarp.GetEvents\"}\0{\"method\":\"io.ucarp.HandOver\",\"oneway\":true}\0{\"method\":\"x.y.Z\"}\0";
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    let errors: Vec<_> =
        replies.split_terminator('\0').map(|reply| reply.split('"').nth(3).unwrap_or_default()).collect();
    assert_eq!(errors.len(), 4, "{replies}");
    let expected =
        ["MethodNotFound", "ExpectedMore", "InterfaceNotFound"].map(|name| format!("org.varlink.service.{name}"));
    assert_eq!(errors[1..], expected);
    assert!(replies.contains("\"interfaces\":[\"org.varlink.service\",\"io.ucarp\"]"), "{replies}");

    // Who follows what happens, and closes, is told what there is, and is no client any more.
    let mut stream = UnixStream::connect(node.socket()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = b"{\"method\":\"io.ucarp.GetEvents\",\"more\":true,\"parameters\":{\"follow\":true}}\0";
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("it ends");
    assert!(replies.contains("\"to\":\"MASTER\""), "{replies}");
}
