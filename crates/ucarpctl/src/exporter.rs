//! `ucarp-exporter`: metrics, an API and a page, over HTTP. It is a process of its own without rights, so that nothing
//! that HTTP brings along is near the daemon, of which it reads what its control socket tells everybody of the group
//! `ucarp`.
//!
//! `local` asks the daemon and follows its events into `history`; `peers` asks other exporters; `site` puts both
//! together; `group` finds out what belongs together and what is wrong; `page`, `metrics` and `web` show it.

mod clean;
mod group;
mod history;
mod local;
mod metrics;
mod model;
mod page;
mod peers;
mod site;
#[cfg(test)]
mod testing;
mod web;
mod words;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use site::Site;
use web::client::Url;
use web::guard::Guard;

/// Where it listens unless told otherwise: 112 is CARP's protocol number, and IANA has given 10112 to nobody.
const LISTEN: &str = "127.0.0.1:10112";

/// More peers than a page could show.
const MOST_PEERS: usize = 32;

/// Threads that wait for the daemon. One at a time does; another one may still be waiting for a daemon that hangs.
const MOST_WAITING: usize = 4;

/// Metrics, an API and a status page of ucarp(8), over HTTP
#[derive(Debug, Parser)]
#[command(name = "ucarp-exporter", version)]
pub(crate) struct Arguments {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = LISTEN)]
    listen: SocketAddr,

    /// Control socket of the daemon
    #[arg(long, value_name = "PATH", default_value = ucarp_control::DEFAULT_PATH)]
    socket: PathBuf,

    /// Page of another host's exporter, to be shown on the page of this one; several may be given
    #[arg(long = "peer", value_name = "URL")]
    peers: Vec<Url>,

    /// Name that requests may call this server by, for a reverse proxy; several may be given
    #[arg(long = "allow-host", value_name = "NAME")]
    names: Vec<String>,
}

/// What the binary `ucarp-exporter` does.
#[must_use]
pub fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("ucarp-exporter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<std::convert::Infallible> {
    let Arguments { listen, socket, peers, names } = arguments;
    if peers.len() > MOST_PEERS {
        let message = format!("{} times --peer: at most {MOST_PEERS} can be shown", peers.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let context = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"));
    let listener = TcpListener::bind(listen).map_err(context)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let site = Arc::new(Site::new(name, socket, peers, Guard::new(address, &names)));
    site.follow()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(MOST_WAITING).build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        eprintln!("ucarp-exporter: the page is at http://{address}/");
        Ok(web::serve(listener, site).await)
    })
}
