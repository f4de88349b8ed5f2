//! The switch, and the hosts at it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ucarp_sys::filter;
use ucarp_sys::netlink::Connection;
use ucarp_sys::netns::NetNs;
use ucarp_sys::packet::PacketSocket;

use crate::error::{Error, Result, system};
use crate::host::{Host, INTERFACE};
use crate::plumbing;

const BRIDGE_NAME: &str = "bridge";
const BRIDGE_INDEX: u32 = 999;
const BRIDGE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0xff, 0xff];
/// Ports are numbered from here. The kernel delays news of a cable's carrier by up to a second if both its ends have the
/// same number, and those of the hosts are small.
const FIRST_PORT_INDEX: u32 = 1000;
/// The host that [`Lab::inject`] sends from.
const OUTSIDER: &str = "outsider";
const OUTSIDER_OCTET: u8 = 0xfe;

/// A switch and hosts cabled to it. When it is dropped every process in it is dead and nothing of it is left.
pub struct Lab {
    switch: Arc<Switch>,
    hosts: Mutex<Vec<Host>>,
    /// Its socket is opened with the first frame that is injected.
    outsider: Mutex<Option<PacketSocket>>,
}

/// What hosts and taps share of a lab.
pub(crate) struct Switch {
    pub(crate) namespace: NetNs,
    connection: Mutex<Connection>,
    next_port: AtomicU32,
    /// Which host is at a port.
    ports: Mutex<HashMap<u32, Arc<str>>>,
}

impl Lab {
    /// A switch without hosts: no spanning tree, no multicast snooping.
    ///
    /// # Errors
    /// No right to make namespaces, or a kernel without bridges.
    pub fn new() -> Result<Lab> {
        let namespace = NetNs::new().map_err(system("making the switch"))?;
        // The switch is a thing of layer 2 and must not speak on the wire itself.
        set_sysctls(&namespace, &[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
        let mut connection = connect(&namespace)?;
        plumbing::add_bridge(&mut connection, BRIDGE_INDEX, BRIDGE_NAME, BRIDGE_MAC)?;
        let switch = Switch {
            namespace,
            connection: Mutex::new(connection),
            next_port: AtomicU32::new(FIRST_PORT_INDEX),
            ports: Mutex::new(HashMap::new()),
        };
        Ok(Lab { switch: Arc::new(switch), hosts: Mutex::new(Vec::new()), outsider: Mutex::new(None) })
    }

    /// A new host with `eth0` up, its cable plugged in and this address. The MAC is `02:00:00:00:00:NN` with `octet` as NN;
    /// `0xfe` is that of the outsider. Returns when frames pass.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::Late`] if the carrier does not come; no memory or descriptors.
    pub fn host(&self, name: &str, octet: u8, address: impl Into<IpAddr>, prefix: u8) -> Result<Host> {
        if name == OUTSIDER {
            return Err(Error::Name { name: name.to_owned() });
        }
        let mut hosts = lock(&self.hosts);
        if hosts.iter().any(|host| host.name() == name) {
            return Err(Error::Name { name: name.to_owned() });
        }
        let host = Host::new(&self.switch, name, octet, Some((address.into(), prefix)))?;
        hosts.push(host.clone());
        Ok(host)
    }

    /// Sends a whole Ethernet frame, whatever is in it, into the switch from a host of its own that is not configured for
    /// anything and answers nothing. A [`crate::Tap`] sees it come from `outsider`. The switch learns its source address.
    ///
    /// # Errors
    /// `frame` is shorter than an Ethernet header or longer than 1514 bytes; no memory or descriptors.
    pub fn inject(&self, frame: &[u8]) -> Result<()> {
        let mut outsider = lock(&self.outsider);
        if outsider.is_none() {
            let host = Host::new(&self.switch, OUTSIDER, OUTSIDER_OCTET, None)?;
            let index = host.index()?;
            let socket = host.run(|| PacketSocket::open(index, &filter::nothing()))?;
            *outsider = Some(socket.map_err(system("opening the outsider's socket"))?);
            lock(&self.hosts).push(host);
        }
        match outsider.as_ref() {
            Some(socket) => socket.send(frame).map_err(system("injecting a frame")),
            None => Ok(()),
        }
    }

    pub(crate) fn switch(&self) -> &Arc<Switch> {
        &self.switch
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let hosts = std::mem::take(&mut *lock(&self.hosts));
        // All at once, then wait for each.
        let undertakers: Vec<_> = hosts.iter().filter_map(Host::take_undertaker).collect();
        drop(undertakers);
    }
}

impl Switch {
    /// Cables a host: `mac` and `namespace` are its. Returns the number of the port.
    pub(crate) fn cable(&self, host: &str, namespace: &NetNs, mac: [u8; 6]) -> Result<u32> {
        let index = self.next_port.fetch_add(1, Ordering::Relaxed);
        let port = plumbing::Port { index, name: host, bridge: BRIDGE_INDEX };
        let plug = plumbing::Plug { namespace: namespace.as_fd(), name: INTERFACE, mac };
        // Known before the first frame can come.
        lock(&self.ports).insert(index, Arc::from(host));
        let mut connection = self.connection();
        plumbing::add_cable(&mut connection, &port, &plug)?;
        plumbing::set_up(&mut connection, index, true)?;
        Ok(index)
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        lock(&self.connection)
    }

    /// The host at a port; `None` for what is no port, such as the bridge itself.
    pub(crate) fn host_at(&self, port: u32) -> Option<Arc<str>> {
        lock(&self.ports).get(&port).cloned()
    }
}

/// A netlink connection of another namespace.
pub(crate) fn connect(namespace: &NetNs) -> Result<Connection> {
    namespace.run(Connection::open).flatten().map_err(system("opening netlink"))
}

/// Writes settings below `/proc/sys/net` of a namespace. Those this kernel does not have are left out.
pub(crate) fn set_sysctls(namespace: &NetNs, settings: &[(&str, &str)]) -> Result<()> {
    let write = || {
        settings.iter().try_for_each(|(name, value)| match std::fs::write(format!("/proc/sys/net/{name}"), value) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::System { what: format!("setting net/{name}"), source: error })
            }
            _ => Ok(()),
        })
    };
    namespace.run(write).map_err(system("entering a namespace"))?
}

/// What these locks protect is whole after every step, so a thread that panicked has broken nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
