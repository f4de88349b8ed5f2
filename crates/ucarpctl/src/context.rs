//! What all commands need: the way to the daemon, and how to write.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use ucarp_control::Client;
use ucarp_control::calls::GetVirtualHosts;
use ucarp_control::types::VirtualHost;

use crate::failure::Failure;
use crate::look::Look;

/// The daemon answers within microseconds, and within a turn of its loop when it is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all commands need.
#[derive(Debug)]
pub(crate) struct Context {
    /// The control socket.
    pub(crate) socket: PathBuf,
    /// How to write.
    pub(crate) look: Look,
}

impl Context {
    /// A new connection, which does not wait for long.
    pub(crate) fn connect(&self) -> Result<Client<UnixStream>, ucarp_control::Error> {
        Client::connect(&self.socket, PATIENCE)
    }

    /// One virtual host, or all of them.
    pub(crate) fn virtual_hosts(&self, name: Option<&str>) -> Result<Vec<VirtualHost>, Failure> {
        Ok(virtual_hosts(&mut self.connect()?, name)?)
    }
}

/// One virtual host, or all of them, over a connection that is there.
pub(crate) fn virtual_hosts(
    client: &mut Client<UnixStream>,
    name: Option<&str>,
) -> Result<Vec<VirtualHost>, ucarp_control::Error> {
    let call = GetVirtualHosts { virtual_host: name.map(str::to_owned) };
    client.call_more(&call)?.filter_map(|reply| reply.map(|reply| reply.virtual_host).transpose()).collect()
}
