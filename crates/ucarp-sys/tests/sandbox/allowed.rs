//! What goes on working in the sandbox.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::thread::{UnshareFlags, unshare_unsafe};
use ucarp_sys::channel::{Channel, LONGEST, Received};
use ucarp_sys::packet::{Family, Options, PacketSocket};
use ucarp_sys::poll::{Poller, writable_now};
use ucarp_sys::process::{Exit, Signal, Tally};
use ucarp_sys::signals::{self, Signals};
use ucarp_sys::{clock, filter};

use crate::cases;
use crate::children::{PATIENCE, end_of, enter_sandbox, in_child, is_root, outcome, start, wait_for};

cases![
    frames_are_sent_and_received_and_the_filter_can_be_changed,
    log_lines_reach_a_connected_syslog_socket,
    clocks_waits_memory_and_hash_tables_work,
    messages_descriptors_and_tallies_go_both_ways,
    control_connections_are_accepted_and_answered,
    signals_are_caught,
    a_panic_says_why,
    abort_aborts,
];

/// An advertisement of a virtual host, as far as filters look.
fn advertisement(vhid: u8) -> [u8; 70] {
    let mut frame = [0; 70];
    frame[..6].copy_from_slice(&[0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..18].copy_from_slice(&[0x45, 0x10, 0x00, 0x38]);
    frame[23] = 112;
    frame[34..36].copy_from_slice(&[0x21, vhid]);
    frame
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is installed");
    assert!(status.success(), "ip {arguments}: {status}");
}

fn frames_are_sent_and_received_and_the_filter_can_be_changed() {
    if !is_root() {
        return;
    }
    in_child(|| {
        // SAFETY: this process has one thread, and only its network namespace changes.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        ip("link add left type veth peer name right");
        ip("link set left up");
        ip("link set right up");
        let open = |name| {
            let index = ucarp_sys::link::by_name(name).unwrap().unwrap().index;
            let options = Options { family: Family::Ipv4, lock_filter: false, receive_buffer_bytes: None };
            PacketSocket::open_with(index, &filter::advertisements(1), &options).unwrap()
        };
        let (left, right) = (open("left"), open("right"));
        enter_sandbox();
        let mut buffer = [0; 2048];
        left.send(&advertisement(2)).unwrap();
        left.send(&advertisement(1)).unwrap();
        wait_for(&right);
        assert_eq!(right.recv(&mut buffer).unwrap(), Some(70));
        assert_eq!(buffer[..70], advertisement(1));
        right.replace_filter(&filter::advertisements(2)).unwrap();
        left.send(&advertisement(1)).unwrap();
        left.send(&advertisement(2)).unwrap();
        wait_for(&right);
        assert_eq!(right.recv(&mut buffer).unwrap(), Some(70));
        assert_eq!(buffer[..70], advertisement(2));
        assert_eq!(right.recv(&mut buffer).unwrap(), None);
        assert_eq!(right.dropped().unwrap(), 0);
    });
}

fn log_lines_reach_a_connected_syslog_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let name = SocketAddr::from_abstract_name(format!("ucarp-sys-sandbox-{}", std::process::id())).unwrap();
    let logs = [UnixDatagram::bind(&path).unwrap(), UnixDatagram::bind_addr(&name).unwrap()];
    in_child(|| {
        let to_path = UnixDatagram::unbound().unwrap();
        to_path.connect(&path).unwrap();
        let to_name = UnixDatagram::unbound().unwrap();
        to_name.connect_addr(&name).unwrap();
        clock::local_now();
        enter_sandbox();
        for socket in [to_path, to_name] {
            socket.set_nonblocking(true).unwrap();
            let line = format!("{} pid {}", clock::local_now().year, std::process::id());
            assert_eq!(socket.send(line.as_bytes()).unwrap(), line.len());
        }
        // The terminal is asked before it is written to.
        assert!(writable_now(std::io::stderr().as_fd()));
    });
    for log in logs {
        let mut buffer = [0; 64];
        wait_for(&log);
        let length = log.recv(&mut buffer).unwrap();
        let line = String::from_utf8_lossy(&buffer[..length]);
        assert!(line.starts_with("20") && line.contains(" pid "), "{line}");
    }
}

fn clocks_waits_memory_and_hash_tables_work() {
    let (silent, _other) = Channel::pair().unwrap();
    in_child(|| {
        enter_sandbox();
        let before = clock::boottime();
        thread::sleep(Duration::from_millis(20));
        Poller::new().wait([silent.as_fd()], Some(Duration::from_millis(20))).unwrap();
        assert!(clock::boottime() - before >= 40_000_000);
        let mut memory = vec![1_u8; 50 << 20];
        memory.reserve_exact(100 << 20);
        memory.extend_from_within(..);
        assert_eq!(memory.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 100 << 20);
        drop(memory);
        let table: HashMap<u32, u32> = (0..100_000).map(|number| (number, number)).collect();
        assert_eq!(table[&99_999], 99_999);
        clock::random_seed();
    });
}

fn messages_descriptors_and_tallies_go_both_ways() {
    let (guardian, engine) = Channel::pair().unwrap();
    let tally = Tally::new().unwrap();
    let mut child = start(|| {
        enter_sandbox();
        tally.raise();
        let mut buffer = vec![0; LONGEST];
        wait_for(&engine);
        let Received::Message { fds, .. } = engine.recv(&mut buffer).unwrap() else { panic!("no message") };
        assert!(matches!(engine.recv(&mut buffer).unwrap(), Received::Nothing));
        engine.send(&[7; LONGEST], &[fds[0].as_fd()]).unwrap();
    });
    let (mut reader, writer) = std::io::pipe().unwrap();
    guardian.send(b"a pipe", &[writer.as_fd()]).unwrap();
    drop(writer);
    wait_for(&guardian);
    let mut buffer = vec![0; LONGEST];
    let Received::Message { length, fds } = guardian.recv(&mut buffer).unwrap() else { panic!("no message") };
    assert_eq!(length, LONGEST);
    std::fs::File::from(fds.into_iter().next().unwrap()).write_all(b"back").unwrap();
    assert_eq!(end_of(&mut child), Exit::Code(0));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!((&*text, tally.take()), ("back", 1));
}

fn control_connections_are_accepted_and_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let listener = UnixListener::bind(&path).unwrap();
    let mut child = start(|| {
        listener.set_nonblocking(true).unwrap();
        enter_sandbox();
        wait_for(&listener);
        let (mut connection, _) = listener.accept().unwrap();
        connection.set_nonblocking(true).unwrap();
        let peer = rustix::net::sockopt::socket_peercred(&connection).unwrap();
        wait_for(&connection);
        let mut request = [0; 16];
        let length = connection.read(&mut request).unwrap();
        write!(connection, "{} from {}", String::from_utf8_lossy(&request[..length]), peer.pid.as_raw_pid()).unwrap();
    });
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, format!("hello from {}", std::process::id()));
    assert_eq!(end_of(&mut child), Exit::Code(0));
}

fn signals_are_caught() {
    let (here, there) = Channel::pair().unwrap();
    let mut child = start(|| {
        let mut signals = Signals::catch(&[signals::Signal::Usr1]).unwrap();
        enter_sandbox();
        there.send(b"ready", &[]).unwrap();
        wait_for(&signals);
        assert_eq!(signals.drain(), [signals::Signal::Usr1]);
    });
    wait_for(&here);
    child.kill(Signal::USR1).unwrap();
    assert_eq!(end_of(&mut child), Exit::Code(0));
}

/// How a child ends that does this in the sandbox, and what it writes to stderr.
fn last_words(work: impl FnOnce()) -> (Exit, String) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let exit = outcome(|| {
        // SAFETY: descriptor 2 belongs to the process; std uses it by number and does not own it.
        assert_eq!(unsafe { libc::dup2(writer.as_raw_fd(), 2) }, 2);
        enter_sandbox();
        work();
    });
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (exit, text)
}

fn a_panic_says_why() {
    for backtrace in ["0", "1"] {
        let (exit, text) = last_words(|| {
            // SAFETY: this process has one thread.
            unsafe { std::env::set_var("RUST_BACKTRACE", backtrace) };
            panic!("the reason, with RUST_BACKTRACE={backtrace}");
        });
        assert_eq!(exit, Exit::Code(101));
        assert!(text.contains("the reason, with") && text.contains("allowed.rs"), "{text}");
    }
}

fn abort_aborts() {
    let (exit, text) = last_words(|| {
        eprintln!("the last line");
        std::process::abort();
    });
    assert_eq!(exit, Exit::Signal(libc::SIGABRT), "{text}");
    assert_eq!(text, "the last line\n");
}
