//! `ucarpctl top`: the virtual hosts as they are now, until `q`.

mod news;
mod terminal;
mod view;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

use crate::context::Context;
use crate::failure::{Failure, OUTPUT};
use news::Reporter;
use terminal::{Key, Screen};

/// Between two pictures: as smooth as a timer that runs down needs to be, and next to no work.
const FRAME: Duration = Duration::from_millis(100);

/// Show the virtual hosts on the whole terminal, with timers running down, until q is pressed
///
/// The arrow keys choose the virtual host whose peers and events are shown below. It goes on when the daemon is restarted.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &Context) -> Result<ExitCode, Failure> {
    // A daemon that is not there at the beginning is more likely a wrong path than a restart.
    context.connect()?;
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&end)).map_err(|error| terminal_failure(&error))?;
    }
    let reporter = Reporter::start(context);
    let mut screen = Screen::open().map_err(|error| terminal_failure(&error))?;
    let result = show(&mut screen, &reporter, context, &end);
    drop(screen);
    result.map_err(|error| terminal_failure(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn terminal_failure(error: &io::Error) -> Failure {
    let remedy = "top needs a terminal: `ucarpctl status` and `ucarpctl watch` do not";
    Failure::new(OUTPUT, format!("cannot use the terminal: {error}; {remedy}"))
}

fn show(screen: &mut Screen, reporter: &Reporter, context: &Context, end: &AtomicBool) -> io::Result<()> {
    let mut selected = 0_usize;
    while !end.load(Ordering::Relaxed) {
        let news = reporter.news();
        // Virtual hosts can go with a reload.
        selected = selected.min(news.hosts.len().saturating_sub(1));
        screen.draw(|frame| view::draw(frame, &news, selected, Instant::now(), &context.look))?;
        match screen.key(FRAME)? {
            Some(Key::Quit) => break,
            Some(Key::Up) => selected = selected.saturating_sub(1),
            Some(Key::Down) => selected = selected.saturating_add(1),
            Some(Key::Other) | None => {}
        }
    }
    Ok(())
}
