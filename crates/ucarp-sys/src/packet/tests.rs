use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::filter::tests::{ADVERTISEMENT, changed, with_options};
use crate::filter::{advertisements, advertisements_of, nothing};
use crate::poll::Poller;

/// Runs a test in a network namespace of its own, on a thread of its own. Without the privilege it is skipped, which
/// under CI is a failure.
pub(crate) fn in_new_network(test: impl FnOnce() + Send + 'static) {
    let outcome = thread::spawn(move || {
        // SAFETY: only the network namespace of this thread changes; no descriptor table or memory is unshared.
        match unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) } {
            Ok(()) => test(),
            Err(error) if std::env::var_os("CI").is_none() => eprintln!("skipped: no network namespace: {error}"),
            Err(error) => panic!("no network namespace: {error}"),
        }
    });
    outcome.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// Runs `ip` in the namespace of the calling thread.
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments}: {status}");
}

/// A cable between the links `left` (02:00:00:00:00:0a) and `right`; returns their indices.
pub(crate) fn cable() -> (u32, u32) {
    ip("link add left address 02:00:00:00:00:0a type veth peer name right address 02:00:00:00:00:0b");
    ip("link set left up");
    ip("link set right up");
    (index("left"), index("right"))
}

fn index(name: &str) -> u32 {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    rustix::net::netdevice::name_to_index(&socket, name).unwrap()
}

/// Repeats `step` until it returns something, for at most ten seconds.
pub(crate) fn until<T>(what: &str, mut step: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = step() {
            return value;
        }
        assert!(Instant::now() < deadline, "in ten seconds: no {what}");
    }
}

/// The next frame, or `None` after `patience`.
pub(crate) fn next_frame(socket: &PacketSocket, patience: Duration) -> Option<Vec<u8>> {
    let mut buffer = [0; 2048];
    let deadline = Instant::now() + patience;
    loop {
        if let Some(length) = socket.recv(&mut buffer).unwrap() {
            return Some(buffer[..length].to_vec());
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        Poller::new().wait([socket.as_fd()], Some(left)).unwrap();
    }
}

/// An advertisement that can be told from all others by its counter.
fn marker(number: u8) -> Vec<u8> {
    changed(&[(42, 0xee), (49, number)])
}

/// Sends a marker until it arrives, and returns every other frame that arrived before.
pub(crate) fn flush(sender: &PacketSocket, receiver: &PacketSocket, marker: &[u8]) -> Vec<Vec<u8>> {
    let mut others = Vec::new();
    until("marker", || {
        sender.send(marker).unwrap();
        loop {
            match next_frame(receiver, Duration::from_millis(20)) {
                Some(frame) if frame == marker => return Some(()),
                Some(frame) => others.push(frame),
                None => return None,
            }
        }
    });
    others
}

#[test]
fn the_kernel_lets_through_what_the_filter_says() {
    in_new_network(|| {
        let (left, right) = cable();
        let receiver = PacketSocket::open(left, &advertisements(1)).unwrap();
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        flush(&sender, &receiver, &marker(1));

        let mut tagged = ADVERTISEMENT.to_vec();
        tagged.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
        let mut to_host = ADVERTISEMENT.to_vec();
        to_host[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x0a]);
        let mut to_other = ADVERTISEMENT.to_vec();
        to_other[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x0c]);
        let mut to_all = ADVERTISEMENT.to_vec();
        to_all[..6].copy_from_slice(&[0xff; 6]);
        let wanted = [ADVERTISEMENT.to_vec(), to_host, to_all, with_options(), changed(&[(20, 0)])];
        let unwanted = [
            to_other,
            tagged,
            changed(&[(35, 2)]),
            changed(&[(20, 0x20)]),
            changed(&[(21, 1)]),
            changed(&[(23, 17)]),
            changed(&[(13, 6)]),
            ADVERTISEMENT[..35].to_vec(),
        ];
        for frame in unwanted.iter().chain(&wanted).chain(&unwanted) {
            sender.send(frame).unwrap();
        }
        // What this end sends is not heard by its own socket.
        receiver.send(&ADVERTISEMENT).unwrap();

        let mut arrived = flush(&sender, &receiver, &marker(2));
        arrived.retain(|frame| *frame != marker(1));
        assert_eq!(arrived, wanted);
        assert_eq!(receiver.recv(&mut [0; 2048]).unwrap(), None);
        assert_eq!(sender.recv(&mut [0; 2048]).unwrap(), None, "the sender's filter lets nothing through");
    });
}

#[test]
fn the_filter_cannot_be_changed() {
    in_new_network(|| {
        let (left, _) = cable();
        let socket = PacketSocket::open(left, &advertisements(1)).unwrap();
        let error = socket.replace_filter(&nothing()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let flags = rustix::io::fcntl_getfd(&socket).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        let options = Options { family: Family::Ipv4, lock_filter: false, receive_buffer_bytes: None };
        let socket = PacketSocket::open_with(left, &advertisements(1), &options).unwrap();
        socket.replace_filter(&nothing()).unwrap();
        socket.lock_filter().unwrap();
        assert_eq!(socket.replace_filter(&advertisements(1)).unwrap_err().raw_os_error(), Some(libc::EPERM));
    });
}

/// The marker that was sent under the old filter waits when the new one is there, and each frame is read once.
#[test]
fn a_new_filter_loses_nothing_and_repeats_nothing() {
    in_new_network(|| {
        let (left, right) = cable();
        let options = Options { family: Family::Ipv4, lock_filter: false, receive_buffer_bytes: Some(4 << 20) };
        let receiver = PacketSocket::open_with(left, &advertisements(1), &options).unwrap();
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        flush(&sender, &receiver, &marker(1));
        let frames: Vec<Vec<u8>> = (0..=255).map(|number| changed(&[(43, 1), (49, number)])).collect();
        for (number, frame) in frames.iter().enumerate() {
            let other = u8::try_from(number).unwrap().saturating_add(1).max(2);
            receiver.replace_filter(&advertisements_of(&[1, other].into_iter().collect())).unwrap();
            sender.send(frame).unwrap();
        }
        let mut arrived = flush(&sender, &receiver, &marker(2));
        arrived.retain(|frame| *frame != marker(1));
        assert_eq!(arrived, frames);
    });
}

/// A filter on the other end sees which protocol the sender gave to the kernel.
#[test]
fn an_arp_frame_is_sent_as_arp() {
    in_new_network(|| {
        let (left, right) = cable();
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        // A socket for all protocols hears what this host sends, with the protocol that was given.
        let listener = PacketSocket::open(left, &Program(vec![accept_all()])).unwrap();
        rustix::net::bind(&listener, &LinkAddress::new(right, 3).unwrap()).unwrap();
        let arp = changed(&[(12, 0x08), (13, 0x06)]);
        let protocol = until("arp frame", || {
            sender.send(&arp).unwrap();
            received_protocol(&listener, &arp)
        });
        assert_eq!(protocol, 0x0806);
    });
}

/// "Accept the whole packet", the one instruction of a filter that filters nothing.
pub(crate) fn accept_all() -> libc::sock_filter {
    libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0xffff }
}

/// The protocol in the sender's address of the next frame equal to `frame`.
fn received_protocol(socket: &PacketSocket, frame: &[u8]) -> Option<u16> {
    let mut buffer = [0_u8; 2048];
    // SAFETY: all of its fields are numbers and may be zero.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    for _ in 0..100 {
        let mut length = socklen_of::<libc::sockaddr_ll>();
        // SAFETY: the pointers and lengths are those of `buffer` and `address`.
        let got = unsafe {
            libc::recvfrom(
                socket.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
                (&raw mut address).cast(),
                &raw mut length,
            )
        };
        let got = usize::try_from(got).ok()?;
        if buffer[..got] == *frame {
            return Some(u16::from_be(address.sll_protocol));
        }
    }
    None
}

#[test]
fn a_link_that_goes_down_is_an_error_of_its_own() {
    in_new_network(|| {
        let (left, right) = cable();
        let socket = PacketSocket::open(left, &advertisements(1)).unwrap();
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        let mut buffer = [0; 2048];
        assert_eq!(socket.recv(&mut buffer).unwrap(), None);

        ip("link set left down");
        assert_eq!(Poller::new().wait([socket.as_fd()], Some(Duration::from_secs(10))).unwrap(), 1);
        assert_eq!(socket.recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::NetworkDown);
        assert_eq!(socket.recv(&mut buffer).unwrap(), None, "it is said once");
        assert_eq!(socket.send(&ADVERTISEMENT).unwrap_err().kind(), io::ErrorKind::NetworkDown);
        let opened_down = PacketSocket::open(left, &advertisements(1)).unwrap();
        assert_eq!(opened_down.recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::NetworkDown);

        ip("link set left up");
        flush(&sender, &socket, &marker(3));
        flush(&sender, &opened_down, &marker(4));

        ip("link del left");
        assert_eq!(socket.recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::NetworkDown);
        assert_eq!(socket.send(&ADVERTISEMENT).unwrap_err().raw_os_error(), Some(libc::ENXIO));
    });
}

#[test]
fn bad_indices_and_frames_are_refused() {
    in_new_network(|| {
        for ifindex in [0, 4_000, u32::MAX] {
            let error = PacketSocket::open(ifindex, &nothing()).err().unwrap();
            assert_eq!(error.raw_os_error(), Some(libc::ENODEV), "{ifindex}");
        }
        let (left, _) = cable();
        let socket = PacketSocket::open(left, &nothing()).unwrap();
        for length in [0, 1, 12, 13] {
            assert_eq!(socket.send(&ADVERTISEMENT[..length]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        let long = [&ADVERTISEMENT[..], &[0; 1600]].concat();
        assert_eq!(socket.send(&long).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    });
}

#[test]
fn lost_frames_are_counted_once() {
    in_new_network(|| {
        let (left, right) = cable();
        let receiver = PacketSocket::open(left, &advertisements(1)).unwrap();
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        assert_eq!(receiver.dropped().unwrap(), 0);
        let lost = until("lost frame", || {
            (0..100).for_each(|_| sender.send(&ADVERTISEMENT).unwrap());
            Some(receiver.dropped().unwrap()).filter(|lost| *lost > 0)
        });
        assert!(lost > 0);
        while receiver.recv(&mut [0; 2048]).unwrap().is_some() {}
        flush(&sender, &receiver, &marker(5));
        // Frames under way at the last count may have been lost after it; then the count is 0 again.
        receiver.dropped().unwrap();
        assert_eq!(receiver.dropped().unwrap(), 0);
    });
}

/// One advertisement of each of 4,080 virtual hosts waits until the daemon has time.
#[test]
fn a_large_receive_buffer_holds_a_burst() {
    in_new_network(|| {
        let (left, right) = cable();
        let options = Options { family: Family::Ipv4, lock_filter: true, receive_buffer_bytes: Some(8 << 20) };
        let receiver = PacketSocket::open_with(left, &advertisements(1), &options).unwrap();
        if rustix::net::sockopt::socket_recv_buffer_size(&receiver).unwrap() < 8 << 20 {
            assert!(std::env::var_os("CI").is_none(), "no large buffer without CAP_NET_ADMIN");
            return eprintln!("skipped: no large buffer without CAP_NET_ADMIN");
        }
        let sender = PacketSocket::open(right, &nothing()).unwrap();
        flush(&sender, &receiver, &marker(1));
        while next_frame(&receiver, Duration::ZERO).is_some() {}
        (0..4_080).for_each(|_| sender.send(&ADVERTISEMENT).unwrap());
        assert_eq!(flush(&sender, &receiver, &marker(2)).len(), 4_080);
        assert_eq!(receiver.dropped().unwrap(), 0);
    });
}
