//! The control socket as far as it is the guardian's business: it opens the socket and hands it to each engine, tells what
//! the engine cannot know, and remembers what operators want.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use carp_core::election::Bar;
use carp_core::time::Instant;
use log::{info, warn};
use ucarp_sys::local::{self, Named};

use super::{Guardian, Style, now};
use crate::config::{self, Secret};
use crate::protocol::control::{AddressFacts, Asked, Facts, Kind, LONGEST_TEXT, Terms, Told, Wish};
use crate::protocol::{HostNumber, Order};
use crate::service::Stage;
use crate::settings::{Check, Settings};

/// Members of this group may read, if it exists.
const GROUP: &str = "ucarp";

/// The reason under which operators hold virtual hosts.
const OPERATOR: &str = "operator";

/// What is told of a bad configuration: so many problems, each of so many octets.
const MOST_PROBLEMS: usize = 20;
const LONGEST_PROBLEM: usize = 1000;

/// A socket that another process listens on is tried again after this time: it may be the engine of a daemon that was
/// killed, which stays until its leases are over.
const RETRY: Duration = Duration::from_secs(5);

/// Addresses of one virtual host that are told.
const MOST_ADDRESSES: usize = 1000;

/// Where the control socket is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `None`: nowhere.
    pub path: Option<PathBuf>,
    /// The command line says so, whatever the configuration says.
    pub is_fixed: bool,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
}

/// What the guardian has to do with the control socket.
#[derive(Default)]
pub(super) struct Control {
    place: Place,
    socket: Option<Named>,
    /// When it is tried again to open it.
    retry: Option<Instant>,
    group: Option<u32>,
    /// By interface and vhid, as these tell virtual hosts from each other in a reload.
    wishes: BTreeMap<(String, u8), Wish>,
    /// How often somebody else removed an address.
    removed: BTreeMap<(HostNumber, IpAddr), u32>,
    /// For the configuration in effect: where keys came from, by the names of virtual hosts, the grace time,
    /// and the checks.
    secrets: BTreeMap<String, Secret>,
    grace: Duration,
    checks: Vec<Check>,
}

impl Control {
    /// When there is something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.retry
    }
}

impl Guardian {
    /// Opens the control socket. A daemon without one serves its addresses all the same.
    pub fn open_control(&mut self, place: Place) {
        self.control.group = local::group(GROUP);
        self.control.place = place;
        self.reopen_control();
    }

    fn reopen_control(&mut self) {
        (self.control.socket, self.control.retry) = (None, None);
        let Some(path) = self.control.place.path.clone() else { return };
        match Named::listen(&path, self.control.group) {
            Ok(socket) => self.control.socket = Some(socket),
            Err(error) => {
                warn!("No control socket at {}: {error}", path.display());
                self.control.retry = (error.kind() == ErrorKind::AddrInUse).then(|| now() + RETRY);
            }
        }
    }

    /// Opens the control socket if it could not be opened before because somebody else had it.
    pub(super) fn retry_control(&mut self, now: Instant) {
        if self.control.retry.take_if(|retry| *retry <= now).is_none() {
            return;
        }
        let Some(path) = self.control.place.path.clone() else { return };
        match Named::listen(&path, self.control.group) {
            Ok(socket) => {
                info!("The control socket is at {}", path.display());
                self.control.socket = Some(socket);
                self.offer_control();
            }
            Err(_) => self.control.retry = Some(now + RETRY),
        }
    }

    /// The configuration has another place for the socket, perhaps.
    pub(super) fn move_control(&mut self, path: Option<&Path>) {
        let place = &mut self.control.place;
        if place.is_fixed || place.path.as_deref() == path {
            return;
        }
        place.path = path.map(Path::to_owned);
        self.reopen_control();
        self.offer_control();
    }

    /// Hands the socket to the engine.
    pub(super) fn offer_control(&mut self) {
        let descriptors: Vec<_> =
            self.control.socket.as_ref().and_then(|socket| socket.try_clone().ok()).into_iter().collect();
        let terms = Terms {
            listens: !descriptors.is_empty(),
            owner: local::user(),
            group: self.control.group,
            process: std::process::id(),
            host_name: local::host_name(),
            file: self.control.place.file.as_ref().map(|file| file.to_string_lossy().into_owned()),
        };
        self.child.order_with(&Order::Control(Told::Listen(terms)), descriptors);
    }

    /// Remembers what is needed to tell the configuration in effect.
    pub fn remember_configuration(&mut self, settings: &Settings, secrets: Vec<Secret>) {
        let names = settings.hosts.iter().map(|host| host.name.clone());
        self.control.secrets = names.zip(secrets).collect();
        self.control.grace = settings.grace;
        self.control.checks.clone_from(&settings.checks);
    }

    /// Tells the engine what operators want of a virtual host.
    pub(super) fn remind(&mut self, host: HostNumber) {
        let Some(hosted) = self.hosts.get(&host) else { return };
        let key = (hosted.settings.interface.clone(), hosted.settings.vhid);
        let Some(wish) = self.control.wishes.get(&key) else { return };
        for (name, by) in &wish.demotions {
            self.child.order(&Order::Demote { host, name: name.clone(), by: *by });
        }
        if wish.held {
            self.child.order(&Order::Bar { host, name: OPERATOR.into(), bar: Some(Bar::Held) });
        }
    }

    /// A client of the control socket wants something.
    pub(super) fn heed_control(&mut self, asked: Asked) {
        match asked {
            Asked::Facts(host) => {
                let facts = self.facts(host);
                self.child.order(&Order::Control(Told::Facts { host, facts }));
            }
            Asked::Remember(host, wish) => {
                if let Some(hosted) = self.hosts.get(&host) {
                    let key = (hosted.settings.interface.clone(), hosted.settings.vhid);
                    if wish == Wish::default() {
                        self.control.wishes.remove(&key);
                    } else {
                        self.control.wishes.insert(key, wish);
                    }
                }
            }
            Asked::Reload => {
                let (is_applied, problems) = self.reload_by_control();
                let problems = shortened(problems);
                self.child.order(&Order::Control(Told::Reloaded { is_applied, problems }));
            }
            Asked::Configuration => self.tell_configuration(),
            Asked::LogLevel(level) => log::set_max_level(level.to_level_filter()),
        }
    }

    /// As [`Guardian::reload`].
    fn reload_by_control(&mut self) -> (bool, Vec<String>) {
        let refused = |why: &str| (false, vec![why.to_owned()]);
        if self.parts.reload.is_none() {
            return refused("the daemon was started without a configuration file: there is nothing to read");
        }
        if self.shutting_down {
            return refused("the daemon is about to end");
        }
        info!("Told to reload by the control socket");
        self.service.stage(Stage::Reloading);
        let outcome = self.reload();
        self.service.stage(Stage::Ready);
        outcome
    }

    fn facts(&self, host: HostNumber) -> Facts {
        let Some(hosted) = self.hosts.get(&host) else { return Facts::default() };
        let address = |address: &crate::settings::VirtualAddress| AddressFacts {
            ip: address.ip,
            prefix_len: address.prefix_len,
            held: self.keeper.has(host, address.ip),
            removed: self.control.removed.get(&(host, address.ip)).copied().unwrap_or(0),
        };
        Facts {
            group: hosted.settings.sync_group.clone(),
            addresses: hosted.settings.addresses.iter().take(MOST_ADDRESSES).map(address).collect(),
            script: hosted.scripts.facts(now()),
        }
    }

    /// Tells the configuration in effect, in parts.
    fn tell_configuration(&mut self) {
        let text = self.configuration();
        let mut rest = text.as_str();
        loop {
            let (part, behind) = rest.split_at(rest.floor_char_boundary(LONGEST_TEXT));
            let is_last = behind.is_empty();
            self.child.order(&Order::Control(Told::Configuration { text: part.to_owned(), is_last }));
            if is_last {
                return;
            }
            rest = behind;
        }
    }

    fn configuration(&self) -> String {
        let present = self.hosts.iter().filter(|(host, _)| !self.leaving.contains(host));
        let hosts: Vec<_> = present.map(|(_, hosted)| hosted.settings.clone()).collect();
        let secret = |name: &String| self.control.secrets.get(name).cloned().unwrap_or(Secret::Inline);
        let secrets: Vec<_> = hosts.iter().map(|host| secret(&host.name)).collect();
        let (control, checks) = (self.control.place.path.clone(), self.control.checks.clone());
        let (grace, process) = (self.control.grace, self.child.tuning);
        let text = config::show(&Settings { hosts, grace, checks, process, control }, &secrets);
        match self.parts.style {
            Style::Named => text,
            Style::Classic => format!("# The daemon was started with UCARP's options, not with a file.\n{text}"),
        }
    }

    /// Somebody else has removed an address.
    pub(super) fn note_removal(&mut self, host: HostNumber, address: IpAddr) {
        let count = self.control.removed.entry((host, address)).or_insert(0);
        *count = count.saturating_add(1);
        self.happened(Some(host), Kind::Address, format!("{address} was removed by somebody else"));
    }

    /// Adds something to the history that the control socket tells.
    pub(super) fn happened(&mut self, host: Option<HostNumber>, kind: Kind, message: String) {
        self.child.order(&Order::Control(Told::Happened { host, kind, message }));
    }

    /// Notes what has become of the scripts of a virtual host.
    pub(super) fn scripts_happened(&mut self, host: HostNumber) {
        let news = self.hosts.get_mut(&host).map(|hosted| hosted.scripts.take_news()).unwrap_or_default();
        for message in news {
            self.happened(Some(host), Kind::Script, message);
        }
    }

    /// A virtual host is gone.
    pub(super) fn forget_control(&mut self, host: HostNumber) {
        self.control.removed.retain(|(known, _), _| *known != host);
    }
}

/// As much of the problems as goes into one message.
fn shortened(mut problems: Vec<String>) -> Vec<String> {
    let more = problems.len().saturating_sub(MOST_PROBLEMS);
    problems.truncate(MOST_PROBLEMS);
    for problem in &mut problems {
        problem.truncate(problem.floor_char_boundary(LONGEST_PROBLEM));
    }
    if more > 0 {
        problems.push(format!("{more} more: the log and `ucarp --check` have all of them"));
    }
    problems
}
