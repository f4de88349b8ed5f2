//! One host: a namespace, its cable, its addresses, and what runs on it.

use std::net::IpAddr;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ucarp_sys::link::{self, Link};
use ucarp_sys::netlink::Connection;
use ucarp_sys::netns::{NetNs, Undertaker};

use crate::error::{Error, Result, system};
use crate::lab::{Switch, connect, lock, set_sysctls};
use crate::process::Process;
use crate::{plumbing, wait_until};

/// The name of a host's interface, until it is renamed.
pub const INTERFACE: &str = "eth0";
const CARRIER_WITHIN: Duration = Duration::from_secs(10);

/// Which frames are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What the host sends. A [`crate::Tap`] still sees it: it arrives at the switch and gets no further.
    FromHost,
    /// What is sent to the host.
    ToHost,
    /// All.
    Both,
}

/// A host of a [`crate::Lab`]. Clones are the same host. It exists as long as its lab.
#[derive(Clone)]
pub struct Host {
    machine: Arc<Machine>,
}

struct Machine {
    name: String,
    mac: [u8; 6],
    home: Option<(IpAddr, u8)>,
    namespace: NetNs,
    connection: Mutex<Connection>,
    switch: Arc<Switch>,
    cable: Mutex<Cable>,
    /// `None` when the lab is gone.
    undertaker: Mutex<Option<Undertaker>>,
}

/// Both ends by number: names can change.
#[derive(Clone, Copy)]
struct Cable {
    port: u32,
    interface: u32,
}

impl Host {
    /// A host with an address, or one that is deaf and mute of itself.
    pub(crate) fn new(switch: &Arc<Switch>, name: &str, octet: u8, home: Option<(IpAddr, u8)>) -> Result<Host> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > link::MAX_NAME_BYTES || !name.chars().all(allowed) {
            return Err(Error::Name { name: name.to_owned() });
        }
        let namespace = NetNs::new().map_err(system(format!("making host {name}")))?;
        if home.is_none() {
            set_sysctls(&namespace, &[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
        }
        let undertaker = namespace.undertaker().map_err(system(format!("watching host {name}")))?;
        let machine = Machine {
            name: name.to_owned(),
            mac: [0x02, 0, 0, 0, 0, octet],
            home,
            connection: Mutex::new(connect(&namespace)?),
            namespace,
            switch: Arc::clone(switch),
            cable: Mutex::new(Cable { port: 0, interface: 0 }),
            undertaker: Mutex::new(Some(undertaker)),
        };
        let host = Host { machine: Arc::new(machine) };
        host.recreate_interface()?;
        Ok(host)
    }

    /// Its name, which is that of its port at the switch too.
    pub fn name(&self) -> &str {
        &self.machine.name
    }

    /// The MAC of its interface.
    pub fn mac(&self) -> [u8; 6] {
        self.machine.mac
    }

    /// The present name of its interface, which is [`INTERFACE`] until it is renamed.
    ///
    /// # Errors
    /// There is none at present.
    pub fn interface(&self) -> Result<String> {
        Ok(self.link()?.name)
    }

    /// The number of its interface.
    ///
    /// # Errors
    /// There is none at present.
    pub fn index(&self) -> Result<u32> {
        Ok(self.link()?.index)
    }

    /// Its namespace.
    pub fn namespace(&self) -> &NetNs {
        &self.machine.namespace
    }

    /// Runs `work` on this host, in a thread of its own, and waits for it.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.machine.namespace.run(work).map_err(system(format!("running something on {}", self.name())))
    }

    /// Sets `/proc/sys/net/NAME`, such as `ipv4/conf/all/promote_secondaries`.
    ///
    /// # Errors
    /// The kernel does not take the value.
    pub fn set_sysctl(&self, name: &str, value: &str) -> Result<()> {
        set_sysctls(&self.machine.namespace, &[(name, value)])
    }

    /// Adds an address to its interface. An IPv6 address is usable at once.
    ///
    /// # Errors
    /// It is there already (`EEXIST`), or the interface is gone.
    pub fn add_address(&self, address: impl Into<IpAddr>, prefix: u8) -> Result<()> {
        let index = self.cable().interface;
        Ok(plumbing::add_address(&mut self.connection(), index, address.into(), prefix)?)
    }

    /// Removes an address, behind the back of whoever added it.
    ///
    /// # Errors
    /// It is not there (`EADDRNOTAVAIL`), or the interface is gone.
    pub fn remove_address(&self, address: impl Into<IpAddr>, prefix: u8) -> Result<()> {
        let index = self.cable().interface;
        Ok(plumbing::remove_address(&mut self.connection(), index, address.into(), prefix)?)
    }

    /// Whether any of its interfaces has this address.
    ///
    /// # Errors
    /// A broken netlink socket.
    pub fn has_address(&self, address: impl Into<IpAddr>) -> Result<bool> {
        let address = address.into();
        Ok(self.addresses()?.contains(&address))
    }

    /// All its addresses, loopback and link-local ones too.
    ///
    /// # Errors
    /// A broken netlink socket.
    pub fn addresses(&self) -> Result<Vec<IpAddr>> {
        let found = link::list_addresses(&mut self.connection())?;
        Ok(found.into_iter().map(|(_, address)| address).collect())
    }

    /// The MAC that this host sends to for `address`, if it has one in its neighbour table.
    ///
    /// # Errors
    /// A broken netlink socket.
    pub fn neighbour(&self, address: impl Into<IpAddr>) -> Result<Option<[u8; 6]>> {
        Ok(plumbing::neighbour(&mut self.connection(), address.into())?)
    }

    /// Sets its interface up, as an administrator does.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn link_up(&self) -> Result<()> {
        Ok(plumbing::set_up(&mut self.connection(), self.cable().interface, true)?)
    }

    /// Sets its interface down, as an administrator does. It keeps its IPv4 addresses and loses those of IPv6.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn link_down(&self) -> Result<()> {
        Ok(plumbing::set_up(&mut self.connection(), self.cable().interface, false)?)
    }

    /// Removes its interface with all its addresses, as if the card were pulled out.
    ///
    /// # Errors
    /// It is gone already.
    pub fn delete_interface(&self) -> Result<()> {
        Ok(plumbing::delete(&mut self.connection(), self.cable().interface)?)
    }

    /// Puts an interface in again after [`Host::delete_interface`]: [`INTERFACE`] with the same MAC, the address it was made
    /// with, and another number; with a cable that works. Returns when frames pass.
    ///
    /// # Errors
    /// The interface is there (`EEXIST`); [`Error::Late`] if the carrier does not come.
    pub fn recreate_interface(&self) -> Result<()> {
        let machine = &self.machine;
        let port = machine.switch.cable(&machine.name, &machine.namespace, machine.mac)?;
        let found = link::find(&mut self.connection(), INTERFACE)?;
        let interface = found.ok_or_else(|| self.no_interface())?.index;
        *self.cable_mut() = Cable { port, interface };
        self.link_up()?;
        if let Some((address, prefix)) = machine.home {
            self.add_address(address, prefix)?;
        }
        self.wait_connected()
    }

    /// Renames its interface, which stays up if the kernel can do that (Linux 6.2) and goes down for a moment otherwise.
    ///
    /// # Errors
    /// The name cannot be one, or another interface has it.
    pub fn rename_interface(&self, name: &str) -> Result<()> {
        let index = self.cable().interface;
        let result = plumbing::rename(&mut self.connection(), index, name);
        match result {
            Err(error) if error.errno() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
                self.link_down()?;
                plumbing::rename(&mut self.connection(), index, name)?;
                self.link_up()
            }
            other => Ok(other?),
        }
    }

    /// Pulls the cable out at the switch: the host loses its carrier.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn unplug(&self) -> Result<()> {
        Ok(plumbing::set_up(&mut self.machine.switch.connection(), self.cable().port, false)?)
    }

    /// Plugs the cable in again. The carrier comes a moment later: see [`Host::wait_connected`].
    ///
    /// # Errors
    /// The interface is gone.
    pub fn plug(&self) -> Result<()> {
        Ok(plumbing::set_up(&mut self.machine.switch.connection(), self.cable().port, true)?)
    }

    /// Returns when the host has carrier and the switch forwards what it sends.
    ///
    /// # Errors
    /// [`Error::Late`] after ten seconds.
    pub fn wait_connected(&self) -> Result<()> {
        let port = self.cable().port;
        let connected = || {
            self.link().is_ok_and(|link| link.running)
                && plumbing::is_forwarding(&mut self.machine.switch.connection(), port).unwrap_or(false)
        };
        if wait_until(CARRIER_WITHIN, connected) {
            return Ok(());
        }
        Err(Error::Late { what: format!("the carrier of {}", self.name()), within: CARRIER_WITHIN })
    }

    /// Loses frames in the switch without a trace: the carrier stays and no sender sees an error. Adds to what was silenced
    /// before; a new interface begins without loss.
    ///
    /// # Errors
    /// The interface is gone; a kernel before 5.18 cannot lose what the host sends.
    pub fn silence(&self, direction: Direction) -> Result<()> {
        let port = self.cable().port;
        let mut switch = self.machine.switch.connection();
        if direction != Direction::ToHost {
            plumbing::drop_incoming(&mut switch, port, true)?;
        }
        if direction != Direction::FromHost {
            plumbing::drop_outgoing(&mut switch, port)?;
        }
        Ok(())
    }

    /// Ends all loss.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn unsilence(&self) -> Result<()> {
        let port = self.cable().port;
        let mut switch = self.machine.switch.connection();
        plumbing::drop_incoming(&mut switch, port, false)?;
        Ok(plumbing::pass_outgoing(&mut switch, port)?)
    }

    /// Starts a program on this host with its output recorded and no input.
    ///
    /// # Errors
    /// It cannot be started; the lab is gone.
    pub fn spawn(&self, mut command: Command) -> Result<Process> {
        // Held while starting: whoever is started before the lab ends is found by the undertaker.
        let undertaker = lock(&self.machine.undertaker);
        if undertaker.is_none() {
            return Err(Error::Gone { name: self.name().to_owned() });
        }
        self.machine.namespace.command(&mut command).map_err(system(format!("entering {}", self.name())))?;
        Process::spawn(command)
    }

    /// The ids of all processes on this host, daemons and scripts too.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn processes(&self) -> Result<Vec<u32>> {
        self.machine.namespace.processes().map_err(system("reading /proc"))
    }

    /// Begins to kill what runs here; dropping what is returned waits for it.
    pub(crate) fn take_undertaker(&self) -> Option<Undertaker> {
        let mut undertaker = lock(&self.machine.undertaker).take()?;
        undertaker.begin();
        Some(undertaker)
    }

    fn link(&self) -> Result<Link> {
        let interface = self.cable().interface;
        let links = link::list(&mut self.connection())?;
        links.into_iter().find(|link| link.index == interface).ok_or_else(|| self.no_interface())
    }

    fn no_interface(&self) -> Error {
        Error::System { what: format!("host {}", self.name()), source: rustix::io::Errno::NODEV.into() }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        lock(&self.machine.connection)
    }

    fn cable(&self) -> Cable {
        *self.cable_mut()
    }

    fn cable_mut(&self) -> MutexGuard<'_, Cable> {
        lock(&self.machine.cable)
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({})", self.name())
    }
}
