//! A headless Chromium, driven through its debugging pipe: JSON objects that end with a NUL, as on the control socket.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use netlab::{Host, Process};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};
use tempfile::TempDir;
use ucarp_control::framing::Splitter;

use crate::HANG;

/// A screenshot in base64 is a few hundred kilobytes.
const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// A browser with one page.
pub(crate) struct Browser {
    requests: File,
    messages: Receiver<Value>,
    last: u64,
    session: Option<String>,
    /// What the browser complained of: exceptions, and whatever the content security policy has stopped.
    complaints: Vec<String>,
    _process: Process,
    _directory: TempDir,
}

/// The screenshots of the tests, for people to look at.
pub(crate) fn artefacts() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

impl Browser {
    /// Starts one on `host`. `None`: there is no Chromium here, which is said; in CI that is a failure.
    pub(crate) fn start(host: &Host) -> Option<Browser> {
        let known = Command::new("chromium").arg("--version").output();
        if !known.is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "chromium is not installed");
            eprintln!("skipped: chromium is not installed");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let [requests, answers] = ["requests", "answers"].map(|name| {
            let path = directory.path().join(name);
            rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            // Both ways, so that opening does not wait for the other side.
            (OpenOptions::new().read(true).write(true).open(&path).unwrap(), path)
        });
        let mut command = Command::new("sh");
        command.arg("-c").arg("exec chromium \"$@\" 3<\"$REQUESTS\" 4>\"$ANSWERS\"").arg("chromium");
        // The sandbox of a browser needs rights that a container does not give; the only page that is opened is our
        // own.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]);
        command.args(["--disable-dev-shm-usage", "--remote-debugging-pipe", "about:blank"]);
        command.arg(format!("--user-data-dir={}", directory.path().join("profile").display()));
        command.env("REQUESTS", &requests.1).env("ANSWERS", &answers.1).env("HOME", directory.path());
        let process = host.spawn(command).unwrap();
        let mut browser = Browser {
            requests: requests.0,
            messages: follow(answers.0),
            last: 0,
            session: None,
            complaints: Vec::new(),
            _process: process,
            _directory: directory,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session =
            Some(browser.call("Target.attachToTarget", &attached)["sessionId"].as_str().unwrap().to_owned());
        for method in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(method, &json!({}));
        }
        Some(browser)
    }

    /// Calls a method and waits for its result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        let mut bytes = serde_json::to_vec(&request).unwrap();
        bytes.push(0);
        self.requests.write_all(&bytes).unwrap();
        let deadline = Instant::now() + HANG;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).unwrap_or_else(|_| panic!("no answer to {method}"));
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(params["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                self.complaints.push(params["entry"].to_string());
            }
            _ => {}
        }
    }

    /// What the browser has complained of until now.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Whatever came before this answer was read.
        self.evaluate("0");
        std::mem::take(&mut self.complaints)
    }

    /// Opens a page and waits until it is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression on the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", &json!({ "expression": expression, "returnByValue": true }));
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + HANG;
        // While a page is left for another one, there is nothing to ask.
        while self.evaluate(&format!("Boolean({expression})")) != true {
            let text = || "document.body.innerText";
            assert!(Instant::now() < deadline, "never true: {expression}\n{}", self.evaluate(text()));
        }
    }

    /// Makes the window so wide, and the system's colours light or dark.
    pub(crate) fn look(&mut self, width: u32, height: u32, colours: &str) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!([{ "name": "prefers-color-scheme", "value": colours }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Keeps a picture of the whole page among the artefacts.
    pub(crate) fn picture(&mut self, name: &str) {
        let taken = self.call("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }));
        let png = base64(taken["data"].as_str().unwrap());
        assert!(png.starts_with(b"\x89PNG"), "no picture");
        std::fs::write(artefacts().join(name), png).unwrap();
    }
}

/// Reads messages as long as there are any.
fn follow(mut answers: File) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut splitter = Splitter::new(LONGEST_MESSAGE);
        let mut chunk = vec![0; 1 << 16];
        // This thread ends with the test's process: it holds the pipe open itself.
        while let Ok(length @ 1..) = answers.read(&mut chunk) {
            splitter.push(&chunk[..length]);
            while let Ok(Some(message)) = splitter.next_message() {
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|known| *known == byte));
    let (mut bytes, mut bits, mut length) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for digit in digits {
        bits = bits << 6 | u32::try_from(digit).unwrap();
        length += 6;
        if length >= 8 {
            length -= 8;
            bytes.push((bits >> length).to_le_bytes()[0]);
        }
    }
    bytes
}
