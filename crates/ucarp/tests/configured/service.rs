//! What the service manager is told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use netlab::{Signal, now};

use crate::harness::{EAGER, Node, SOON, Segment, later, wait_until_time, web};

/// What the service manager is promised: a sign of life within this time.
const WATCHDOG: Duration = Duration::from_secs(2);

/// A daemon with a service manager, which this is.
struct Service {
    node: Node,
    manager: UnixDatagram,
    _segment: Segment,
}

impl Service {
    fn start() -> Self {
        let segment = Segment::new();
        let mut node = segment.node(2);
        let path = node.path("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket can be bound");
        manager.set_read_timeout(Some(SOON)).expect("it can be set");
        node.configure(&web(&["10.0.0.100"], EAGER));
        let mut command = node.command();
        command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        node.spawn(command);
        Self { node, manager, _segment: segment }
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.manager.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}:\n{}", self.node.said()));
        String::from_utf8(buffer[..length].to_vec()).expect("it is text")
    }

    /// Waits for a message that is not about the watchdog.
    fn wait_for(&self, text: &str) -> String {
        let until = later(now(), SOON);
        loop {
            let message = self.next();
            if message.starts_with(text) {
                return message;
            }
            assert!(message == "WATCHDOG=1" || message.starts_with("STATUS="), "{text:?} expected: {message:?}");
            assert!(now() < until, "it never said {text:?}");
        }
    }

    /// How often it has been told of a sign of life since the last look.
    fn feedings(&self) -> usize {
        self.manager.set_nonblocking(true).expect("it can be set");
        let mut buffer = [0; 4096];
        let mut count = 0;
        while let Ok(length) = self.manager.recv(&mut buffer) {
            count += usize::from(&buffer[..length] == b"WATCHDOG=1");
        }
        self.manager.set_nonblocking(false).expect("it can be set");
        count
    }
}

#[test]
fn the_service_manager_is_told_of_start_states_reload_and_end() {
    let service = Service::start();
    service.wait_for("READY=1");
    service.wait_for("STATUS=MASTER of 1, BACKUP of 0 virtual hosts");
    service.node.signal(Signal::HUP);
    let reloading = service.wait_for("RELOADING=1");
    let micros: u64 =
        reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|text| text.parse().ok()).unwrap();
    assert!(micros > 0);
    service.wait_for("READY=1");
    service.node.signal(Signal::TERM);
    service.wait_for("STOPPING=1");
    assert_eq!(service.node.wait_for_exit().code(), Some(0));
}

#[test]
fn the_watchdog_is_fed_by_an_engine_that_works_and_by_nothing_else() {
    let service = Service::start();
    service.wait_for("READY=1");
    service.node.wait_for_line("Switching to state: MASTER", 0);
    service.feedings();
    wait_until_time(later(now(), 3 * WATCHDOG));
    let count = service.feedings();
    assert!(count >= 6, "only {count} times");
    let stopped = now();
    service.node.process().signal_children(Signal::STOP);
    service.feedings();
    service.node.wait_for_line("The engine gave no sign of life", stopped);
    let count = service.feedings();
    assert!(count <= 1, "an engine that was stopped fed it {count} times");
    service.wait_for("WATCHDOG=1");
}
