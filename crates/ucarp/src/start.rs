//! From checked options to a running daemon.

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use carp_core::auth::{Key, KeyError};
use carp_core::election::TieRule;
use carp_core::host::{Authentication, ConflictAnswer, ConflictPolicy, Policy};
use carp_core::node::LinkState;
use carp_core::timing::Interval;
use carp_core::wire::frame::CARP_GROUP_V6;
use log::{debug, error, info, log, warn};
use ucarp_sys::kernel::KernelError;
use ucarp_sys::monitor::Monitor;
use ucarp_sys::signals::{self, Signal, Signals};
use ucarp_sys::{link, process};

use crate::config::{self, Purpose, Secret, Severity};
use crate::guardian::{Guardian, Parts, Place, Player, Reading, Style};
use crate::interface::without_label;
use crate::logging;
use crate::options::{Configured, ControlSocket, Options, Warning};
use crate::pid_file::{PidFile, PidFileError};
use crate::settings::{
    Dialect, Holding, HostSettings, Mac, Process, REFRESH, Script, Scripts, Settings, Transport, VirtualAddress,
};

/// Exit status when the options were accepted but the daemon could not be set up, as UCARP's.
const SETUP_FAILED: u8 = 2;

/// Exit status when the configuration has errors.
const CONFIGURATION_REFUSED: u8 = 1;

/// Why the daemon could not be set up.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error("No usable network interface found: name one with -i")]
    NoInterface,
    #[error("Unable to find MAC address of [{0}]: no such interface; `{LIST_OF_LINKS}` lists those that exist")]
    UnknownInterface(String),
    #[error("Unable to ask the kernel for its interfaces: {0}")]
    Links(#[from] KernelError),
    #[error("Unable to open interface [{name}]: {source}{}", remedy(.source))]
    Port { name: String, source: io::Error },
    #[error("Unable to watch links: {0}")]
    Monitor(io::Error),
    #[error("Unable to catch signals: {0}")]
    Signals(io::Error),
    #[error("Unable to use the password: {0}")]
    Key(#[from] KeyError),
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    #[error("Unable to become a daemon: {0}")]
    Daemon(io::Error),
}

/// With UCARP's options nothing is sent that UCARP would not send, and nothing done: other owners are told of.
const LISTEN: ConflictPolicy = ConflictPolicy { answer: ConflictAnswer::Report, probes: false };

/// What an administrator types to see the interfaces.
const LIST_OF_LINKS: &str = if cfg!(target_os = "linux") { "ip link" } else { "ifconfig" };

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied if cfg!(target_os = "linux") => " (run as root or give CAP_NET_RAW)",
        io::ErrorKind::PermissionDenied => " (run as root)",
        _ => "",
    }
}

/// Runs the daemon of a command line and returns its exit status.
#[must_use]
pub fn run(options: &Options) -> u8 {
    logging::configure(options.facility, options.debug, options.daemonize);
    tell(&options.warnings);
    match title(options) {
        Ok(title) => serve(options.daemonize, options.pid_file.as_deref(), || prepare_classic(options, &title)),
        Err(error) => failed(&error),
    }
}

/// Runs the daemon of configuration files and returns its exit status.
#[must_use]
pub fn run_configured(configured: &Configured) -> u8 {
    logging::configure(configured.facility, configured.debug, configured.daemonize);
    tell(&configured.warnings);
    // Files are looked at before the first process ends, so that their errors reach the person who typed the command.
    match load(&configured.file).settings {
        Some(settings) => {
            serve(configured.daemonize, configured.pid_file.as_deref(), || prepare_configured(configured, settings))
        }
        None => CONFIGURATION_REFUSED,
    }
}

fn tell(warnings: &[Warning]) {
    for warning in warnings {
        log!(warning.level, "{}", warning.text);
    }
}

/// The settings of a configuration file, after the log has been told all that is wrong with it.
fn load(file: &Path) -> Reading {
    let (problems, settings) = match config::load(file, Purpose::Run) {
        Ok(loaded) => (loaded.warnings, Some((loaded.settings, loaded.secrets))),
        Err(problems) => (problems, None),
    };
    for problem in problems.iter() {
        match problem.severity() {
            Severity::Error => error!("{problem}"),
            Severity::Warning => warn!("{problem}"),
        }
    }
    Reading { settings, problems: problems.iter().map(ToString::to_string).collect() }
}

/// Prepares a guardian, in the background if asked for, and runs it. The pid file is there before anybody is told that the
/// daemon is ready, and gone when it ends, unless it is killed.
fn serve(daemonize: bool, pid_file: Option<&Path>, prepare: impl FnOnce() -> Result<Guardian, SetupError>) -> u8 {
    let readiness = match daemonize.then(process::daemonize).transpose() {
        Ok(readiness) => readiness,
        Err(error) => return failed(&SetupError::Daemon(error)),
    };
    let claimed = pid_file.map(PidFile::claim).transpose().map_err(SetupError::from);
    let prepared = claimed.and_then(|pid_file| Ok((prepare()?, pid_file)));
    let status = prepared.as_ref().err().map_or(0, failed);
    if let Some(readiness) = readiness {
        let told = if status == 0 { readiness.ready() } else { readiness.failed(status) };
        logging::leave_terminal();
        if let Err(error) = told {
            return failed(&SetupError::Daemon(error));
        }
    }
    if let Ok((guardian, pid_file)) = prepared {
        let signal = guardian.run();
        drop(pid_file);
        if let Some(signal) = signal {
            signals::die_by(signal);
        }
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

/// Opens everything that virtual hosts of configuration files work with. An interface that does not exist is waited for.
fn prepare_configured(
    configured: &Configured,
    (settings, secrets): (Settings, Vec<Secret>),
) -> Result<Guardian, SetupError> {
    let wanted = [Signal::Usr1, Signal::Usr2, Signal::Child, Signal::Hup, Signal::Int, Signal::Quit, Signal::Term];
    let signals = Signals::catch(&wanted).map_err(SetupError::Signals)?;
    let monitor = Monitor::open().map_err(SetupError::Monitor)?;
    let file = configured.file.clone();
    let reload = Some(Box::new(move || load(&file)) as Box<dyn FnMut() -> Reading>);
    let engine = player(configured.split);
    let mut guardian = Guardian::new(Parts { monitor, signals, style: Style::Named, reload, orderly: true, engine });
    guardian.remember_configuration(&settings, secrets);
    let configured_path = settings.control.clone();
    for (name, state, failure) in guardian.prepare(settings) {
        match state {
            LinkState::Gone => warn!("Interface [{name}] does not exist: waiting for it"),
            LinkState::Down => warn!("Interface [{name}] is down: waiting until it is up"),
            LinkState::NoCarrier => warn!("Interface [{name}] has no carrier: waiting until it has"),
            LinkState::Up(_) => {}
        }
        if let Some(source) = failure {
            return Err(SetupError::Port { name, source });
        }
    }
    let file = Some(configured.file.clone());
    guardian.open_control(match &configured.control {
        Some(ControlSocket::At(path)) => Place { path: Some(path.clone()), is_fixed: true, file },
        Some(ControlSocket::Nowhere) => Place { path: None, is_fixed: true, file },
        None => Place { path: configured_path, is_fixed: false, file },
    });
    Ok(guardian)
}

/// Opens everything that the virtual host of a command line works with.
fn prepare_classic(options: &Options, title: &str) -> Result<Guardian, SetupError> {
    // Without -z the others end this process at once, but not without the engine.
    let wanted = [Signal::Usr1, Signal::Usr2, Signal::Child, Signal::Hup, Signal::Int, Signal::Quit, Signal::Term];
    let signals = Signals::catch(&wanted).map_err(SetupError::Signals)?;
    // The monitor comes first, so that no change between looking and watching is missed.
    let monitor = Monitor::open().map_err(SetupError::Monitor)?;
    let mut guardian = Guardian::new(Parts {
        monitor,
        signals,
        style: Style::Classic,
        reload: None,
        orderly: options.shutdown,
        engine: player(options.split),
    });
    for (name, state, failure) in guardian.prepare(Settings {
        hosts: vec![classic(options, title)?],
        grace: Duration::ZERO,
        checks: Vec::new(),
        process: Process::default(),
        control: None,
    }) {
        match state {
            LinkState::Gone => return Err(SetupError::UnknownInterface(name)),
            LinkState::Down => warn!("Interface [{name}] is down: waiting until it is up"),
            LinkState::NoCarrier => warn!("Interface [{name}] has no carrier: waiting until it has"),
            LinkState::Up(mac) => info!("Local advertised ethernet address is [{mac}]"),
        }
        if let Some(source) = failure {
            return Err(SetupError::Port { name, source });
        }
    }
    if let Some(ControlSocket::At(path)) = &options.control {
        guardian.open_control(Place { path: Some(path.clone()), is_fixed: true, file: None });
    }
    match link::addresses() {
        Ok(addresses) if !addresses.iter().any(|(_, address)| *address == options.source) => {
            warn!("The own address {} (-s) is not on this host yet", options.source);
        }
        Ok(_) => {}
        Err(error) => debug!("Unable to list addresses: {error}"),
    }
    Ok(guardian)
}

fn player(split: bool) -> Player {
    if split { Player::Process } else { Player::Thread }
}

/// The virtual host of the command line.
fn classic(options: &Options, title: &str) -> Result<HostSettings, SetupError> {
    let script = |path: &Option<OsString>| {
        let mut arguments = vec![OsString::from(title), OsString::from(options.address.to_string())];
        arguments.extend(options.xparam.clone());
        path.clone().map(|path| Script { path, arguments })
    };
    let (v4, v6) = (options.group, CARP_GROUP_V6);
    Ok(HostSettings {
        name: title.to_owned(),
        interface: without_label(title).to_owned(),
        title: title.to_owned(),
        vhid: options.vhid,
        key: Key::from_password(options.password.as_bytes())?,
        addresses: vec![VirtualAddress { ip: IpAddr::V4(options.address), prefix_len: 32 }],
        interval: Interval { advbase: options.advbase, advskew: options.advskew },
        dead_ratio: options.dead_ratio,
        preempt: options.preempt,
        transport: if options.no_multicast { Transport::Broadcast { v4, v6 } } else { Transport::Multicast { v4, v6 } },
        source_v4: Some(options.source),
        source_v6: None,
        holding: Holding::Scripts,
        mac: Mac::Interface,
        tie: TieRule::UcarpLittleEndian,
        scripts: Scripts {
            up: script(&options.up_script),
            down: script(&options.down_script),
            neutral: options.neutral,
            time_limit: options.script_timeout,
        },
        ignore_carrier: options.ignore_interface_state,
        // A drop-in for UCARP on the wire and in the log; a configuration file can ask for more.
        authentication: Authentication::Classic,
        policy: Policy { refresh: Some(REFRESH), conflict: Some(LISTEN), ..Policy::default() },
        penalty: Duration::ZERO,
        sync_group: None,
        dialect: Dialect::default(),
        checks: Vec::new(),
    })
}
