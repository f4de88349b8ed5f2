use std::time::Duration;

use super::*;
use crate::filter::tests::{ADVERTISEMENT, changed};
use crate::filter::{advertisements, nothing};
use crate::packet::tests::{cable, flush, in_new_network, ip, until};

/// Advertisements that can be told from each other by their counters.
fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| changed(&[(42, 0xaa), (49, number)])).collect()
}

/// Sends all of these frames, and returns how many went with each call.
fn send_all(socket: &PacketSocket, frames: &[Vec<u8>]) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut rest = frames;
    while !rest.is_empty() {
        let count = socket.send_many(rest).unwrap();
        counts.push(count);
        rest = &rest[count..];
    }
    counts
}

/// A socket that hears what the other one sends, and what came before has been read.
fn connected() -> (PacketSocket, PacketSocket) {
    let (left, right) = cable();
    let receiver = PacketSocket::open(left, &advertisements(1)).unwrap();
    let sender = PacketSocket::open(right, &nothing()).unwrap();
    flush(&sender, &receiver, &changed(&[(42, 0xbb)]));
    let mut batch = Batch::new(2048);
    while crate::packet::tests::next_frame(&receiver, Duration::from_millis(50)).is_some() {}
    assert_eq!(receiver.recv_many(&mut batch).unwrap(), 0);
    (receiver, sender)
}

#[test]
fn all_frames_arrive_in_order_in_batches() {
    in_new_network(|| {
        let (receiver, sender) = connected();
        let frames = numbered(100);
        assert_eq!(send_all(&sender, &frames), [32, 32, 32, 4]);
        let (mut batch, mut arrived, mut counts) = (Batch::new(2048), Vec::new(), Vec::new());
        until("100 frames", || {
            let count = receiver.recv_many(&mut batch).unwrap();
            assert_eq!(batch.frames().len(), count);
            arrived.extend(batch.frames().map(<[u8]>::to_vec));
            counts.extend(Some(count).filter(|count| *count > 0));
            (arrived.len() == frames.len()).then_some(())
        });
        assert_eq!(arrived, frames);
        assert_eq!(receiver.recv_many(&mut batch).unwrap(), 0);
        assert_eq!(batch.frames().len(), 0, "what was read before is not read again");
        assert_eq!(sender.send_many::<Vec<u8>>(&[]).unwrap(), 0);
    });
}

#[test]
fn what_does_not_fit_is_cut_off() {
    in_new_network(|| {
        let (receiver, sender) = connected();
        sender.send_many(&numbered(2)).unwrap();
        let mut batch = Batch::new(50);
        let mut arrived = Vec::new();
        until("two frames", || {
            receiver.recv_many(&mut batch).unwrap();
            arrived.extend(batch.frames().map(<[u8]>::to_vec));
            (arrived.len() == 2).then_some(())
        });
        assert!(arrived.iter().zip(numbered(2)).all(|(cut, whole)| *cut == whole[..50]), "{arrived:?}");
    });
}

#[test]
fn a_bad_frame_stops_the_others_only_before_it() {
    in_new_network(|| {
        let (receiver, sender) = connected();
        let long = [&ADVERTISEMENT[..], &[0; 1600]].concat();
        let good = numbered(2);
        for bad in [Vec::new(), ADVERTISEMENT[..13].to_vec(), long] {
            let frames = [good[0].clone(), bad, good[1].clone()];
            assert_eq!(sender.send_many(&frames).unwrap(), 1);
            let error = sender.send_many(&frames[1..]).unwrap_err();
            let expected = error.kind() == io::ErrorKind::InvalidInput || error.raw_os_error() == Some(libc::EMSGSIZE);
            assert!(expected, "{error}");
            assert_eq!(sender.send_many(&frames[2..]).unwrap(), 1);
            let mut arrived = Vec::new();
            until("both good frames", || {
                let mut batch = Batch::new(2048);
                receiver.recv_many(&mut batch).unwrap();
                arrived.extend(batch.frames().map(<[u8]>::to_vec));
                (arrived.len() == 2).then_some(())
            });
            assert_eq!(arrived, good);
        }
    });
}

#[test]
fn a_link_that_goes_down_is_told_once_and_loses_nothing_that_waits() {
    in_new_network(|| {
        let (receiver, sender) = connected();
        sender.send_many(&numbered(3)).unwrap();
        ip("link set left down");
        let (mut batch, mut arrived, mut errors) = (Batch::new(2048), 0, Vec::new());
        until("three frames and an error", || {
            match receiver.recv_many(&mut batch) {
                Ok(count) => arrived += count,
                Err(error) => errors.push(error.kind()),
            }
            (arrived == 3 && !errors.is_empty()).then_some(())
        });
        assert_eq!(errors, [io::ErrorKind::NetworkDown]);
        assert_eq!(receiver.recv_many(&mut batch).unwrap(), 0);
        assert_eq!(receiver.send_many(&numbered(2)).unwrap_err().kind(), io::ErrorKind::NetworkDown);
    });
}
