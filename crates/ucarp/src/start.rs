//! From checked options to a running daemon.

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;

use carp_core::auth::{AddressList, Key, KeyError};
use carp_core::election::TieRule;
use carp_core::host::{Credentials, Local, MacMode, Transport, VirtualHostConfig};
use carp_core::node::{LinkState, Node};
use carp_core::timing::Interval;
use carp_core::wire::frame::CARP_GROUP_V6;
use log::{debug, error, info, log, warn};
use ucarp_sys::monitor::Monitor;
use ucarp_sys::netlink::NetlinkError;
use ucarp_sys::signals::{Signal, Signals};
use ucarp_sys::{clock, link, process};

use crate::engine::{Engine, LINK, Parts};
use crate::interface::Interface;
use crate::logging;
use crate::options::Options;
use crate::scripts::{Runner, Scripts};

/// Exit status when the options were accepted but the daemon could not be set up, as UCARP's.
const SETUP_FAILED: u8 = 2;

/// Why the daemon could not be set up.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error("No usable network interface found: name one with -i")]
    NoInterface,
    #[error("Unable to find MAC address of [{0}]: no such interface; `ip link` lists those that exist")]
    UnknownInterface(String),
    #[error("Unable to ask the kernel for its interfaces: {0}")]
    Links(#[from] NetlinkError),
    #[error("Unable to open interface [{name}]: {source}{}", remedy(.source))]
    Port { name: String, source: io::Error },
    #[error("Unable to watch links: {0}")]
    Monitor(io::Error),
    #[error("Unable to catch signals: {0}")]
    Signals(io::Error),
    #[error("Unable to use the password: {0}")]
    Key(#[from] KeyError),
    #[error("Unable to become a daemon: {0}")]
    Daemon(io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied { " (run as root or give CAP_NET_RAW)" } else { "" }
}

/// Runs the daemon and returns its exit status.
#[must_use]
pub fn run(options: &Options) -> u8 {
    logging::configure(options.facility, options.debug, options.daemonize);
    for warning in &options.warnings {
        log!(warning.level, "{}", warning.text);
    }
    let title = match title(options) {
        Ok(title) => title,
        Err(error) => return failed(&error),
    };
    let readiness = match options.daemonize.then(process::daemonize).transpose() {
        Ok(readiness) => readiness,
        Err(error) => return failed(&SetupError::Daemon(error)),
    };
    let prepared = prepare(options, &title);
    let status = prepared.as_ref().err().map_or(0, failed);
    if let Some(readiness) = readiness {
        let told = if status == 0 { readiness.ready() } else { readiness.failed(status) };
        logging::leave_terminal();
        if let Err(error) = told {
            return failed(&SetupError::Daemon(error));
        }
    }
    if let Ok(engine) = prepared {
        engine.run(options.neutral);
    }
    status
}

/// Tells the log why the daemon could not be set up, and returns the exit status that says so.
fn failed(error: &SetupError) -> u8 {
    error!("{error}");
    SETUP_FAILED
}

/// The interface as the log and the scripts call it.
fn title(options: &Options) -> Result<String, SetupError> {
    if let Some(name) = &options.interface {
        return Ok(name.clone());
    }
    let name = link::first_usable()?.ok_or(SetupError::NoInterface)?.name;
    info!("Using [{name}] as a network interface");
    Ok(name)
}

/// Opens everything that the daemon works with.
fn prepare(options: &Options, title: &str) -> Result<Engine, SetupError> {
    let mut wanted = vec![Signal::Usr1, Signal::Usr2, Signal::Child];
    if options.shutdown {
        wanted.extend([Signal::Hup, Signal::Int, Signal::Quit, Signal::Term]);
    }
    let signals = Signals::catch(&wanted).map_err(SetupError::Signals)?;
    // The monitor comes first, so that no change between looking and watching is missed.
    let monitor = Monitor::open().map_err(SetupError::Monitor)?;
    let interface = open_interface(options, title)?;
    let mut node = Node::new(clock::random_seed());
    let host = node.add(VirtualHostConfig {
        link: LINK,
        vhid: options.vhid,
        credentials: Credentials::new(
            Key::from_password(options.password.as_bytes())?,
            AddressList::new([IpAddr::V4(options.address)]),
        ),
        local: Local::v4(options.source),
        transport: Transport::Multicast { v4: options.group, v6: CARP_GROUP_V6, broadcast: options.no_multicast },
        mac: MacMode::Interface,
        interval: Interval { advbase: options.advbase, advskew: options.advskew },
        dead_ratio: options.dead_ratio,
        preempt: options.preempt,
        tie: TieRule::UcarpLittleEndian,
        pseudo_header_checksum: false,
    });
    Ok(Engine::new(Parts {
        node,
        host,
        interface,
        monitor,
        signals,
        scripts: Runner::new(scripts(options, title)),
        title: format!("{title} id {}", options.vhid),
        source: IpAddr::V4(options.source),
        address: IpAddr::V4(options.address),
    }))
}

fn open_interface(options: &Options, title: &str) -> Result<Interface, SetupError> {
    let mut interface = Interface::new(title, options.vhid, options.group, options.ignore_interface_state);
    interface.look()?;
    let name = interface.name().to_owned();
    match interface.state() {
        LinkState::Gone => return Err(SetupError::UnknownInterface(name)),
        LinkState::Down => warn!("Interface [{name}] is down: waiting until it is up"),
        LinkState::NoCarrier => warn!("Interface [{name}] has no carrier: waiting until it has"),
        LinkState::Up(mac) => info!("Local advertised ethernet address is [{mac}]"),
    }
    interface.open_or_close().map_err(|source| SetupError::Port { name, source })?;
    match link::addresses() {
        Ok(addresses) if !addresses.iter().any(|(_, address)| *address == options.source) => {
            warn!("The own address {} (-s) is not on this host yet", options.source);
        }
        Ok(_) => {}
        Err(error) => debug!("Unable to list addresses: {error}"),
    }
    Ok(interface)
}

fn scripts(options: &Options, title: &str) -> Scripts {
    let mut arguments = vec![OsString::from(title), OsString::from(options.address.to_string())];
    arguments.extend(options.xparam.clone());
    Scripts {
        up: options.up_script.clone(),
        down: options.down_script.clone(),
        arguments,
        time_limit: options.script_timeout,
    }
}
