use std::fs::File;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc;
use std::thread;

use super::*;

#[test]
fn a_report_is_one_line() {
    let mut report = Report::default();
    report.holds("a");
    report.holds("b");
    assert_eq!(report.to_string(), "a, b");
    report.lacks("c (why)");
    report.lacks("d");
    assert_eq!(report.to_string(), "a, b; missing: c (why), d");
    assert_eq!(
        (report.held(), report.missing()),
        (&["a", "b"].map(String::from)[..], &["c (why)", "d"].map(String::from)[..])
    );
}

#[test]
fn users_are_found_by_name() {
    assert_eq!(lookup_user("root").unwrap().unwrap(), User { name: "root".to_owned(), uid: 0, gid: 0 });
    assert_eq!(lookup_user("no-such-user-here").unwrap(), None);
    assert_eq!(lookup_user("a\0b").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let user = unprivileged_user().unwrap().expect("every system has \"nobody\"");
    assert!(user.uid > 0 && ["ucarp", "nobody"].contains(&&*user.name), "{user:?}");
}

#[test]
fn a_process_with_other_threads_does_not_enter() {
    let (end, wait) = mpsc::channel::<()>();
    let other = thread::spawn(move || wait.recv());
    let error =
        enter(&Sandbox { user: None, spare_descriptors: 0, names_destinations: false }).unwrap_err().to_string();
    drop(end);
    other.join().unwrap().unwrap_err();
    assert!(error.starts_with("cannot enter the sandbox with "), "{error}");
    assert!(error.ends_with(" threads: do so before starting them"), "{error}");
    File::open("/proc/self/status").unwrap();
}

/// Landlock alone, on a thread that ends with the test.
#[test]
fn landlock_leaves_nothing_to_reach_but_what_is_connected() {
    let directory = tempfile::tempdir().unwrap();
    let log = UnixDatagram::bind(directory.path().join("log")).unwrap();
    let name = SocketAddr::from_abstract_name(format!("ucarp-sys-test-{}", std::process::id())).unwrap();
    let abstract_log = UnixDatagram::bind_addr(&name).unwrap();
    let inside = || {
        let sockets = [UnixDatagram::unbound().unwrap(), UnixDatagram::unbound().unwrap()];
        sockets[0].connect(directory.path().join("log")).unwrap();
        sockets[1].connect_addr(&name).unwrap();
        let late = UnixDatagram::unbound().unwrap();
        let mut report = Report::default();
        landlock::restrict(&mut report);
        let denied = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let lacks = |what: &str| report.missing().iter().any(|missing| missing.contains(what));
        if report.held().is_empty() {
            assert!(std::env::var_os("CI").is_none(), "{report}");
            eprintln!("skipped: {report}");
            return false;
        }
        denied(File::open("/proc/self/status").unwrap_err());
        denied(File::create(directory.path().join("new")).unwrap_err());
        denied(std::fs::read_dir("/").unwrap_err());
        if !lacks("TCP ports") {
            denied(TcpListener::bind("127.0.0.1:0").unwrap_err());
        }
        if !lacks("abstract sockets") {
            denied(late.connect_addr(&name).unwrap_err());
        }
        if !lacks("sockets in the file system") {
            denied(late.connect(directory.path().join("log")).unwrap_err());
        }
        for socket in sockets {
            socket.send(b"still heard").unwrap();
        }
        true
    };
    if thread::scope(|scope| scope.spawn(inside).join()).unwrap() {
        for log in [log, abstract_log] {
            let mut buffer = [0; 32];
            log.set_nonblocking(true).unwrap();
            assert_eq!((log.recv(&mut buffer).unwrap(), &buffer[..11]), (11, &b"still heard"[..]));
        }
    }
}
