//! The virtual hosts at work: how they come, change and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::time::{Duration, UNIX_EPOCH};

use carp_core::auth::AddressList;
use carp_core::host::{Credentials, Local, MacMode, Transport, VirtualHostConfig};
use carp_core::node::{Command, HostId, LinkState};
use carp_core::time::Instant;
use log::{info, warn};
use ucarp_sys::address::Found;

use super::{Engine, Style, link_id, now};
use crate::interface::Interface;
use crate::scripts::{Action, Runner};
use crate::settings::{self, Holding, HostSettings, Mac, Settings};

/// One virtual host and what the daemon does for it.
pub(super) struct Hosted {
    pub(super) settings: HostSettings,
    /// What begins its lines in the log: its name and a colon, or nothing.
    pub(super) who: String,
    /// Which interface of the engine's.
    pub(super) interface: usize,
    pub(super) scripts: Runner,
    /// The last script that was wished for, where addresses are held without scripts.
    pub(super) last_action: Option<Action>,
}

impl Hosted {
    fn new(settings: HostSettings, style: Style, interface: usize) -> Self {
        Self {
            who: who(style, &settings),
            scripts: Runner::new(settings.scripts.clone()),
            settings,
            interface,
            last_action: None,
        }
    }

    /// The interface and the vhid, as UCARP names them on SIGUSR1.
    pub(super) fn title(&self) -> String {
        format!("{} id {}", self.settings.title, self.settings.vhid)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.scripts.next_deadline()
    }

    /// How long its advertisements can be late without another host taking over.
    pub(super) fn patience(&self) -> Duration {
        let HostSettings { interval, dead_ratio, .. } = &self.settings;
        interval.peers_dead_time(*dead_ratio).saturating_sub(interval.duration())
    }

    /// Whether nobody has to look for the addresses that its advertisements come from.
    pub(super) fn knows_its_sources(&self) -> bool {
        let speaks = |v4: bool| match &self.settings.transport {
            settings::Transport::Unicast { peers, .. } => peers.iter().any(|peer| peer.is_ipv4() == v4),
            _ => self.settings.addresses.iter().any(|address| address.ip.is_ipv4() == v4),
        };
        (self.settings.source_v4.is_some() || !speaks(true)) && (self.settings.source_v6.is_some() || !speaks(false))
    }

    /// Whether it can become what `new` says of the same vhid on the same interface, without leaving the group.
    fn can_become(&self, new: &HostSettings) -> bool {
        mem::discriminant(&self.settings.holding) == mem::discriminant(&new.holding) && self.settings.mac == new.mac
    }

    fn config(&self, local: Local) -> VirtualHostConfig {
        let settings = &self.settings;
        VirtualHostConfig {
            link: link_id(self.interface),
            vhid: settings.vhid,
            credentials: Credentials {
                key: settings.key.clone(),
                addresses: AddressList::new(settings.addresses.iter().map(|address| address.ip)),
                link_local_in_digest: settings.dialect.link_local_in_digest,
                lladdr: settings.dialect.lladdr,
            },
            local,
            transport: match &settings.transport {
                settings::Transport::Multicast { v4, v6 } => {
                    Transport::Multicast { v4: *v4, v6: *v6, broadcast: false }
                }
                settings::Transport::Broadcast { v4, v6 } => Transport::Multicast { v4: *v4, v6: *v6, broadcast: true },
                settings::Transport::Unicast { peers, any_ttl } => {
                    Transport::Unicast { peers: peers.clone(), any_ttl: *any_ttl }
                }
            },
            mac: match settings.mac {
                Mac::Interface => MacMode::Interface,
                Mac::Virtual { .. } => MacMode::Virtual,
            },
            interval: settings.interval,
            dead_ratio: settings.dead_ratio,
            preempt: settings.preempt,
            tie: settings.tie,
            pseudo_header_checksum: settings.dialect.pseudo_header_checksum,
            authentication: settings.authentication,
        }
    }
}

fn who(style: Style, settings: &HostSettings) -> String {
    match style {
        Style::Classic => String::new(),
        Style::Named => format!("{}: ", settings.name),
    }
}

impl Engine {
    /// Takes on virtual hosts and opens their interfaces, without a word to anybody yet. Returns each interface with
    /// its state and, if it could not be opened, the reason.
    pub fn prepare(&mut self, settings: Settings) -> Vec<(String, LinkState, Option<io::Error>)> {
        self.add_all(settings.hosts);
        self.interfaces
            .iter_mut()
            .map(|interface| {
                let failure = interface.open_or_close().err();
                (interface.name().to_owned(), interface.state(), failure)
            })
            .collect()
    }

    /// Starts the virtual hosts that were prepared.
    pub(super) fn start(&mut self) {
        let now = now();
        self.pulse.begin(now);
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            self.begin(now, host);
        }
        for index in 0..self.interfaces.len() {
            self.link_changed(now, index);
        }
        self.settle(now);
    }

    /// Says that a virtual host is there, and lets its script undo what an earlier run may have left.
    fn begin(&mut self, now: Instant, host: HostId) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        warn!("{}Switching to state: BACKUP", hosted.who);
        hosted.last_action = Some(Action::Down);
        if !hosted.settings.scripts.neutral {
            self.request(now, host, Action::Down);
        }
    }

    /// Adds virtual hosts to the core. Their interfaces know of them afterwards.
    fn add_all(&mut self, all: Vec<HostSettings>) -> BTreeSet<HostId> {
        let mut added = BTreeSet::new();
        self.node.set_clock(now(), UNIX_EPOCH.elapsed().unwrap_or_default());
        for settings in all {
            let index = self.interface(&settings.interface);
            let hosted = Hosted::new(settings, self.parts.style, index);
            // Those that are not named are found afterwards: an address may turn out to be shared.
            let local = self.local(&hosted, &[]);
            let host = self.node.add(hosted.config(local));
            if let Holding::Native(native) = &hosted.settings.holding {
                self.keeper.add(host, &hosted.who, &hosted.settings, native);
            }
            self.hosts.insert(host, hosted);
            added.insert(host);
        }
        for index in 0..self.interfaces.len() {
            let needs = self.needs_of(index);
            self.interfaces[index].need(needs);
            let new: Vec<_> = self.hosts_on(index).into_iter().filter(|host| added.contains(host)).collect();
            self.keeper.interface_is(&new, self.interfaces[index].link());
        }
        self.find_sources(now());
        added
    }

    /// The place of the interface of this name, looked at once.
    fn interface(&mut self, name: &str) -> usize {
        if let Some(index) = self.interfaces.iter().position(|interface| interface.name() == name) {
            return index;
        }
        let mut interface = Interface::new(name);
        match ucarp_sys::link::by_name(name) {
            Ok(link) => interface.saw(link),
            Err(error) => self.complain("Unable to look at the interface", name, &error),
        }
        self.interfaces.push(interface);
        self.interfaces.len() - 1
    }

    /// Reads the settings anew and becomes what they say. Bad ones change nothing.
    pub(super) fn reload(&mut self) {
        let Some(settings) = self.parts.reload.as_mut().and_then(|reload| reload()) else {
            warn!("Reload: the configuration has errors, so nothing has changed");
            return;
        };
        // Reading it may have taken its time.
        let now = now();
        self.pulse.begin(now);
        let candidates = self.candidates();
        let present: BTreeMap<_, _> = self
            .hosts
            .iter()
            .filter(|(host, _)| !self.leaving.contains(host))
            .map(|(host, hosted)| ((hosted.settings.interface.clone(), hosted.settings.vhid), *host))
            .collect();
        let mut fresh = Vec::new();
        let mut kept = BTreeSet::new();
        let (mut changed, mut same) = (0, 0);
        for new in settings.hosts {
            let namesake = present.get(&(new.interface.clone(), new.vhid)).copied();
            let Some(host) = namesake.filter(|host| self.hosts[host].can_become(&new)) else {
                fresh.push(new);
                continue;
            };
            let is_same = self.hosts[&host].settings == new;
            kept.insert(host);
            if is_same {
                same += 1;
                if settings.grace.is_zero() {
                    self.end_grace(now, host);
                }
            } else {
                changed += 1;
                self.change(now, host, new, settings.grace, &candidates);
            }
        }
        let gone: Vec<_> = self
            .hosts
            .iter()
            .filter(|(host, _)| !kept.contains(host) && !self.leaving.contains(host))
            .map(|(host, _)| *host)
            .collect();
        info!(
            "Reload: {} virtual hosts added, {changed} changed, {} removed, {same} as before",
            fresh.len(),
            gone.len()
        );
        for host in gone {
            self.dismiss(now, host);
        }
        for host in self.add_all(fresh) {
            self.begin(now, host);
        }
        for index in 0..self.interfaces.len() {
            self.use_interface(now, index);
        }
        self.carry_out(now);
    }

    fn change(&mut self, now: Instant, host: HostId, new: HostSettings, grace: Duration, candidates: &[Found]) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let old = mem::replace(&mut hosted.settings, new);
        hosted.who = who(self.parts.style, &hosted.settings);
        if old.scripts != hosted.settings.scripts {
            hosted.scripts.replace(hosted.settings.scripts.clone());
        }
        let hosted = &self.hosts[&host];
        if let Holding::Native(native) = &hosted.settings.holding {
            self.keeper.change(host, &hosted.who, &hosted.settings, native);
        }
        let config = hosted.config(self.local(hosted, candidates));
        let grace_matters = config.credentials != self.node.config(host).credentials && !grace.is_zero();
        if grace_matters {
            info!(
                "{}Password or addresses changed: what other hosts know is sent until one of them sends the new, or for {grace:?}",
                hosted.who
            );
        }
        self.node.reconfigure(now, host, config, grace);
        let index = hosted.interface;
        let needs = self.needs_of(index);
        self.interfaces[index].need(needs);
    }

    /// Ends the grace time of an earlier reload, if there is one.
    fn end_grace(&mut self, now: Instant, host: HostId) {
        if self.node.is_changing_credentials(now, host) {
            info!("{}What other hosts knew before is not sent any more", self.who(host));
        }
        let config = self.node.config(host).clone();
        self.node.reconfigure(now, host, config, Duration::ZERO);
    }

    /// Lets a virtual host leave its group.
    fn dismiss(&mut self, now: Instant, host: HostId) {
        let Some(hosted) = self.hosts.get(&host) else { return };
        info!("{}Not in the configuration any more: leaving", hosted.who);
        self.leaving.insert(host);
        self.node.handle_command(now, host, Command::ShutDown);
    }

    /// Forgets virtual hosts that have left.
    pub(super) fn forget_the_gone(&mut self) {
        let is_gone =
            |host: &&HostId| self.is_silent(**host) && !self.busy.contains(host) && !self.keeper.is_wishing(**host);
        let gone: Vec<_> = self.leaving.iter().filter(is_gone).copied().collect();
        for host in gone {
            self.forget(host);
        }
    }

    /// Forgets all virtual hosts, at the end.
    pub(super) fn forget_all(&mut self) {
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            self.forget(host);
        }
    }

    fn forget(&mut self, host: HostId) {
        self.leaving.remove(&host);
        self.keeper.remove(host);
        self.node.remove(host);
        let Some(hosted) = self.hosts.remove(&host) else { return };
        let needs = self.needs_of(hosted.interface);
        self.interfaces[hosted.interface].need(needs);
        self.use_interface(now(), hosted.interface);
    }
}
