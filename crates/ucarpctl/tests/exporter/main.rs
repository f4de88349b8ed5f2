//! `ucarp-exporter` as it is used: by a browser, by HTTP clients that are not kind, and by another exporter. The daemon
//! is a stand-in that speaks the control socket's language, and in `live` the real one; everything listens in a network
//! namespace of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod browser;
mod daemon;
mod http;
mod live;
mod page;
#[path = "../real/mod.rs"]
mod real;
mod shipped;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use daemon::Daemon;
use netlab::{Host, Process};

/// For whatever should take a moment: only what hangs takes longer.
const HANG: Duration = Duration::from_secs(30);

/// An exporter that runs.
struct Exporter {
    /// `http://127.0.0.1:PORT`, without a slash at its end.
    url: String,
    _process: Process,
}

impl Exporter {
    /// Starts one on `host`, for this daemon.
    fn start(host: &Host, daemon: &Daemon, arguments: &[&str]) -> Exporter {
        Exporter::listen(host, "127.0.0.1:0", &daemon.socket(), arguments)
    }

    /// Starts one on `host` that listens there, for the daemon with this socket.
    fn listen(host: &Host, address: &str, socket: &Path, arguments: &[&str]) -> Exporter {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ucarp-exporter"));
        command.args(["--listen", address, "--socket"]).arg(socket).args(arguments);
        let process = host.spawn(command).unwrap();
        let line = process.wait_for_line("the page is at ", HANG).expect("it says where it listens").text;
        let url = line.split("the page is at ").nth(1).unwrap().trim_end_matches('/').to_owned();
        Exporter { url, _process: process }
    }

    /// The address without the scheme.
    fn authority(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}
