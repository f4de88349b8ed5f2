use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_getfd};

use super::*;
use crate::poll::Poller;

/// The next message: its bytes and what came with it.
fn next(channel: &Channel) -> (Vec<u8>, Vec<OwnedFd>) {
    let mut buffer = vec![0; LONGEST];
    match channel.recv(&mut buffer).unwrap() {
        Received::Message { length, fds } => (buffer[..length].to_vec(), fds),
        other => panic!("{other:?}"),
    }
}

fn is_lost(result: io::Result<Received>) -> bool {
    result.unwrap_err().kind() == io::ErrorKind::InvalidData
}

fn is_nothing(result: io::Result<Received>) -> bool {
    matches!(result.unwrap(), Received::Nothing)
}

fn is_closed(result: io::Result<Received>) -> bool {
    matches!(result.unwrap(), Received::Closed)
}

/// Whether nobody has the other end of a pipe any more.
fn is_over(mut reader: io::PipeReader) -> bool {
    let mut poller = Poller::new();
    poller.wait([reader.as_fd()], Some(Duration::from_secs(10))).unwrap();
    poller.ready(0) && reader.read(&mut [0; 1]).unwrap() == 0
}

/// Sends without a look at what is sent, as a process may that was taken over.
fn send_anything(channel: &Channel, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS * 2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(fds)));
    rustix::net::sendmsg(channel, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

#[test]
fn messages_arrive_complete_in_order_and_once_in_both_directions() {
    let (one, other) = Channel::pair().unwrap();
    for (from, to) in [(&one, &other), (&other, &one)] {
        let sent = [b"first".to_vec(), vec![7; LONGEST], b"3".to_vec()];
        sent.iter().for_each(|bytes| from.send(bytes, &[]).unwrap());
        for bytes in sent {
            let (received, fds) = next(to);
            assert!(received == bytes && fds.is_empty());
        }
        assert!(is_nothing(to.recv(&mut [0; 1])));
    }
}

#[test]
fn what_cannot_be_sent_is_an_error_that_names_the_limits() {
    let (one, other) = Channel::pair().unwrap();
    let fds = [other.as_fd(); MOST_FDS + 1];
    for (bytes, fds) in [(0, &fds[..0]), (LONGEST + 1, &fds[..1]), (1, &fds[..])] {
        let error = one.send(&vec![0; bytes], fds).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let expected = format!(
            "a message of {bytes} bytes with {} descriptors: 1 to 61440 bytes and at most 4 descriptors can be sent at \
             once",
            fds.len()
        );
        assert_eq!(error.to_string(), expected);
    }
    assert!(is_nothing(other.recv(&mut [0; 1])));
}

#[test]
fn descriptors_go_along_and_are_not_inherited_by_scripts() {
    let (one, other) = Channel::pair().unwrap();
    let pipes: Vec<_> = (0..MOST_FDS).map(|_| io::pipe().unwrap()).collect();
    let writers: Vec<_> = pipes.iter().map(|(_, writer)| writer.as_fd()).collect();
    one.send(b"writers", &writers).unwrap();
    one.send(b"none", &[]).unwrap();
    let readers: Vec<_> = pipes.into_iter().map(|(reader, _)| reader).collect();
    let (bytes, fds) = next(&other);
    assert_eq!((&bytes[..], fds.len()), (&b"writers"[..], MOST_FDS));
    for (number, (fd, mut reader)) in (1..).zip(fds.into_iter().zip(readers)) {
        assert!(fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
        File::from(fd).write_all(&[number]).unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [number], "the copy that was sent is the only one, and it is closed");
    }
    assert!(next(&other).1.is_empty());
}

#[test]
fn a_full_channel_does_not_block_and_holds_at_least_256_kib_of_long_messages() {
    let (one, other) = Channel::pair().unwrap();
    for length in [LONGEST, 100] {
        let message = vec![1; length];
        let mut held = 0;
        let error = loop {
            match one.send(&message, &[]) {
                Ok(()) => held += 1,
                Err(error) => break error,
            }
            assert!(held < 100_000, "there is a bound");
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        println!("{held} messages of {length} bytes");
        assert!(length < LONGEST || held * length >= 256 * 1024, "only {held} messages");
        assert!(length == LONGEST || held >= 400, "only {held} messages");
        (0..held).for_each(|_| assert_eq!(next(&other).0.len(), length));
        one.send(b"there is room again", &[]).unwrap();
        next(&other);
    }
}

#[test]
fn a_message_that_is_too_long_for_the_buffer_is_an_error_and_the_next_one_is_received() {
    let (one, other) = Channel::pair().unwrap();
    let (reader, writer) = io::pipe().unwrap();
    one.send(b"12345", &[writer.as_fd()]).unwrap();
    drop(writer);
    one.send(b"1234", &[]).unwrap();
    let mut buffer = [0; 4];
    assert!(is_lost(other.recv(&mut buffer)));
    assert!(is_over(reader), "its descriptor was closed");
    assert!(matches!(other.recv(&mut buffer).unwrap(), Received::Message { length: 4, .. }));
}

#[test]
fn more_descriptors_than_can_be_sent_are_an_error_and_all_of_them_are_closed() {
    let (one, other) = Channel::pair().unwrap();
    for count in MOST_FDS + 1..=MOST_FDS * 2 {
        let (reader, writer) = io::pipe().unwrap();
        send_anything(&one, b"x", &vec![writer.as_fd(); count]);
        drop(writer);
        assert!(is_lost(other.recv(&mut [0; 10])), "{count} descriptors");
        assert!(is_over(reader), "one of {count} descriptors is open");
    }
}

#[test]
fn descriptors_are_refused_where_only_bytes_are_expected() {
    let (one, other) = Channel::pair().unwrap();
    let (reader, writer) = io::pipe().unwrap();
    one.send(b"x", &[writer.as_fd()]).unwrap();
    drop(writer);
    one.send(b"bytes", &[]).unwrap();
    let mut buffer = [0; 10];
    assert!(is_lost(other.recv_bytes(&mut buffer)));
    assert!(is_over(reader), "its descriptor was closed");
    let received = other.recv_bytes(&mut buffer).unwrap();
    assert!(matches!(received, Received::Message { length: 5, ref fds } if fds.is_empty()), "{received:?}");
    assert!(is_nothing(other.recv_bytes(&mut buffer)));
}

#[test]
fn what_was_sent_before_the_end_is_received_before_the_end() {
    // Also if the end that is closed has something left to receive, which makes the kernel report an error in between.
    for left_over in [false, true] {
        let (one, other) = Channel::pair().unwrap();
        one.send(b"last", &[]).unwrap();
        if left_over {
            other.send(b"nobody receives this", &[]).unwrap();
        }
        drop(one);
        let mut poller = Poller::new();
        assert_eq!(poller.wait([other.as_fd()], Some(Duration::from_secs(10))).unwrap(), 1);
        assert_eq!(next(&other).0, b"last");
        assert_eq!(poller.wait([other.as_fd()], Some(Duration::from_secs(10))).unwrap(), 1);
        assert!(is_closed(other.recv(&mut [0; 10])));
        assert!(is_closed(other.recv_bytes(&mut [0; 10])));
    }
}

#[test]
fn sending_to_a_closed_end_is_an_error_without_a_signal() {
    for left_over in [false, true] {
        let (one, other) = Channel::pair().unwrap();
        if left_over {
            one.send(b"nobody receives this", &[]).unwrap();
        }
        drop(other);
        assert_eq!(one.send(b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(is_closed(one.recv(&mut [0; 10])));
    }
}
