//! `ucarpctl watch`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use ucarp_control::types::State;

use crate::command;
use crate::fake::{self, Fake};

/// Longer than anything takes.
const SOON: Duration = Duration::from_secs(30);

/// A program that runs, line by line, until the test ends.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(daemon: &Fake, arguments: &[&str]) -> Self {
        let mut command = command(daemon, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be run");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(SOON).expect("a line comes")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn events_come_as_they_happen_and_those_of_a_restart_are_not_missed() {
    let daemon = Fake::start(vec![fake::master()]);
    let watch = Running::start(&daemon, &["watch", "web"]);
    assert_eq!(watch.line(), "2023-11-14 22:13:30.000  web: is MASTER because 10.0.0.3 said goodbye");
    let happen = |number, message| {
        daemon.world.lock().unwrap().events.push(fake::event(number, Some(State::Backup), message));
    };
    happen(4, "10.0.0.2 was heard");
    assert_eq!(watch.line(), "2023-11-14 22:13:24.000  web: BACKUP -> BACKUP: 10.0.0.2 was heard");
    daemon.stop();
    happen(5, "meanwhile");
    daemon.listen();
    assert_eq!(watch.line(), "2023-11-14 22:13:25.000  web: BACKUP -> BACKUP: meanwhile");
    happen(6, "later");
    assert_eq!(watch.line(), "2023-11-14 22:13:26.000  web: BACKUP -> BACKUP: later");
}

#[test]
fn a_daemon_that_was_never_there_is_not_waited_for() {
    let daemon = Fake::start(Vec::new());
    daemon.stop();
    let status = command(&daemon, &["watch"]).stderr(Stdio::null()).status().expect("it can be run");
    assert_eq!(status.code(), Some(69));
}
