//! The virtual hosts at work: how they come, change and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::time::Duration;

use carp_core::election::State;
use carp_core::host::{GroupId, Local, VirtualHostConfig};
use carp_core::node::{Command, LinkState};
use carp_core::time::Instant;
use log::{info, warn};
use ucarp_sys::address::Found;

use super::wills::Will;
use super::{Guardian, Reading, Style, link_id, now};
use crate::interface::Interface;
use crate::protocol::control::Kind;
use crate::protocol::{HostNumber, Order, Profile};
use crate::scripts::{Action, Runner};
use crate::settings::{Holding, HostSettings, Settings, Transport};
use crate::tuning;

/// One virtual host and what the daemon does for it.
pub(super) struct Hosted {
    pub(super) settings: HostSettings,
    pub(super) profile: Profile,
    /// Which interface of the guardian's.
    pub(super) interface: usize,
    /// The virtual hosts that it moves together with.
    group: Option<GroupId>,
    /// The own addresses that its advertisements come from.
    local: Local,
    /// What the engine last said of it.
    pub(super) state: State,
    /// What to send if the engine dies while it is MASTER.
    pub(super) wills: Vec<Will>,
    /// The engine has died while it was MASTER.
    pub(super) orphaned: bool,
    pub(super) scripts: Runner,
    /// The last script that was wished for, where addresses are held without scripts.
    pub(super) last_action: Option<Action>,
}

impl Hosted {
    fn new(settings: HostSettings, style: Style, interface: usize, group: Option<GroupId>) -> Self {
        Self {
            profile: profile(style, &settings),
            scripts: Runner::new(settings.scripts.clone()),
            settings,
            interface,
            group,
            local: Local::v4(Ipv4Addr::UNSPECIFIED),
            state: State::Init,
            wills: Vec::new(),
            orphaned: false,
            last_action: None,
        }
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
            Transport::Unicast { peers, .. } => peers.iter().any(|peer| peer.is_ipv4() == v4),
            _ => self.settings.addresses.iter().any(|address| address.ip.is_ipv4() == v4),
        };
        (self.settings.source_v4.is_some() || !speaks(true)) && (self.settings.source_v6.is_some() || !speaks(false))
    }

    /// Whether it can become what `new` says of the same vhid on the same interface, without leaving the group.
    fn can_become(&self, new: &HostSettings) -> bool {
        mem::discriminant(&self.settings.holding) == mem::discriminant(&new.holding) && self.settings.mac == new.mac
    }

    fn config(&self) -> VirtualHostConfig {
        self.settings.virtual_host(link_id(self.interface), self.local, self.group)
    }
}

fn profile(style: Style, settings: &HostSettings) -> Profile {
    let lease = match &settings.holding {
        Holding::Native(native) => (native.lease > 0).then(|| Duration::from_secs(native.lease.into())),
        Holding::Scripts => None,
    };
    Profile {
        who: match style {
            Style::Classic => String::new(),
            Style::Named => format!("{}: ", settings.name),
        },
        // The interface and the vhid, as UCARP names them on SIGUSR1.
        title: format!("{} id {}", settings.title, settings.vhid),
        native: matches!(settings.holding, Holding::Native(_)),
        lease,
        penalty: settings.penalty,
    }
}

impl Guardian {
    /// Takes on virtual hosts and opens their interfaces, without a word to anybody yet. Returns each interface with
    /// its state and, if it could not be opened, the reason.
    pub fn prepare(&mut self, settings: Settings) -> Vec<(String, LinkState, Option<io::Error>)> {
        tuning::apply(&settings.process, "guardian");
        self.child.tuning = settings.process;
        self.add_all(settings.hosts);
        self.checks.replace(now(), &settings.checks);
        self.interfaces
            .iter_mut()
            .map(|interface| {
                let failure = interface.open_or_close().err();
                (interface.name().to_owned(), interface.state(), failure)
            })
            .collect()
    }

    /// Starts the virtual hosts that were prepared, as [`Guardian::run`] does.
    pub fn start(&mut self) {
        let now = now();
        self.decided = now;
        for host in self.hosts.keys().copied().collect::<Vec<_>>() {
            self.begin(now, host);
        }
        for index in 0..self.interfaces.len() {
            self.link_changed(now, index);
        }
        self.find_own();
        self.launch(now);
    }

    /// Says that a virtual host is there, and lets its script undo what an earlier run may have left.
    fn begin(&mut self, now: Instant, host: HostNumber) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        warn!("{}Switching to state: BACKUP", hosted.profile.who);
        hosted.last_action = Some(Action::Down);
        if !hosted.settings.scripts.neutral {
            self.request(now, host, Action::Down);
        }
    }

    /// Takes on virtual hosts. Their interfaces know of them afterwards.
    fn add_all(&mut self, all: Vec<HostSettings>) -> BTreeSet<HostNumber> {
        let mut added = BTreeSet::new();
        for settings in all {
            let index = self.interface(&settings.interface);
            let group = self.group_of(&settings);
            let mut hosted = Hosted::new(settings, self.parts.style, index, group);
            // Those that are not named are found afterwards: an address may turn out to be shared.
            hosted.local = self.local(&hosted, &[]);
            let host = HostNumber(self.next_number);
            self.next_number += 1;
            if let Holding::Native(native) = &hosted.settings.holding {
                self.keeper.add(host, &hosted.profile.who, &hosted.settings, native);
            }
            self.hosts.insert(host, Box::new(hosted));
            added.insert(host);
        }
        for index in 0..self.interfaces.len() {
            let needs = self.needs_of(index);
            self.interfaces[index].need(needs);
            let new: Vec<_> = self.hosts_on(index).into_iter().filter(|host| added.contains(host)).collect();
            self.keeper.interface_is(&new, self.interfaces[index].link());
        }
        self.find_sources();
        for host in &added {
            self.introduce(*host);
        }
        self.expect_beat();
        added
    }

    /// Tells the engine of a virtual host.
    pub(super) fn introduce(&mut self, host: HostNumber) {
        let Some(hosted) = self.hosts.get(&host) else { return };
        let (profile, config) = (hosted.profile.clone(), Box::new(hosted.config()));
        self.child.order(&Order::Add { host, profile, config });
        self.remind(host);
    }

    /// Tells the engine of the own addresses of a virtual host, if they are other ones than before.
    pub(super) fn locate(&mut self, host: HostNumber, local: Local) {
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        if mem::replace(&mut hosted.local, local) != local {
            self.child.order(&Order::Local { host, local });
        }
    }

    /// The core's number of the group of this name. Numbers are not used again.
    fn group_of(&mut self, settings: &HostSettings) -> Option<GroupId> {
        let name = settings.sync_group.as_ref()?;
        let index = self.groups.iter().position(|known| known == name).unwrap_or_else(|| {
            self.groups.push(name.clone());
            self.groups.len() - 1
        });
        Some(GroupId(u32::try_from(index).expect("there are fewer groups")))
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

    /// Reads the settings anew and becomes what they say. Bad ones change nothing. Returns whether it did, and what is wrong
    /// with them.
    pub(super) fn reload(&mut self) -> (bool, Vec<String>) {
        let Reading { settings, problems } = self.parts.reload.as_mut().map(|reload| reload()).unwrap_or_default();
        let Some((settings, secrets)) = settings else {
            warn!("Reload: the configuration has errors, so nothing has changed");
            self.happened(None, Kind::Daemon, "Reload: the configuration has errors, so nothing has changed".into());
            return (false, problems);
        };
        self.remember_configuration(&settings, secrets);
        self.move_control(settings.control.as_deref());
        self.become_what(settings);
        (true, problems)
    }

    /// Becomes what the settings say, as far as it is something else.
    fn become_what(&mut self, settings: Settings) {
        // Reading it may have taken its time.
        let now = now();
        self.decided = now;
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
                    self.retell(host, Duration::ZERO);
                }
            } else {
                changed += 1;
                self.change(host, new, settings.grace, candidates.as_deref());
            }
        }
        let gone: Vec<_> = self
            .hosts
            .iter()
            .filter(|(host, _)| !kept.contains(host) && !self.leaving.contains(host))
            .map(|(host, _)| *host)
            .collect();
        let (added, removed) = (fresh.len(), gone.len());
        let summary =
            format!("Reload: {added} virtual hosts added, {changed} changed, {removed} removed, {same} as before");
        info!("{summary}");
        self.happened(None, Kind::Daemon, summary);
        for host in gone {
            self.dismiss(host);
        }
        for host in self.add_all(fresh) {
            self.begin(now, host);
        }
        for index in 0..self.interfaces.len() {
            self.use_interface(now, index);
        }
        if settings.process != self.child.tuning {
            warn!(
                "Reload: realtime-priority, lock-memory and timer-slack stay as they were until the daemon is restarted"
            );
        }
        self.use_checks(now, &settings.checks);
        self.expect_beat();
    }

    fn change(&mut self, host: HostNumber, new: HostSettings, grace: Duration, candidates: Option<&[Found]>) {
        let group = self.group_of(&new);
        let Some(hosted) = self.hosts.get_mut(&host) else { return };
        let before = hosted.config();
        hosted.group = group;
        let old = mem::replace(&mut hosted.settings, new);
        hosted.profile = profile(self.parts.style, &hosted.settings);
        if old.scripts != hosted.settings.scripts {
            hosted.scripts.replace(hosted.settings.scripts.clone());
        }
        let hosted = &self.hosts[&host];
        if let Holding::Native(native) = &hosted.settings.holding {
            self.keeper.change(host, &hosted.profile.who, &hosted.settings, native);
        }
        // What is known stays when addresses cannot be listed.
        let local = candidates.map_or(hosted.local, |candidates| self.local(hosted, candidates));
        let hosted = self.hosts.get_mut(&host).expect("it was there just now");
        hosted.local = local;
        if hosted.config().credentials != before.credentials && !grace.is_zero() {
            info!(
                "{}Password or addresses changed: what other hosts know is sent until one of them sends the new, or for {grace:?}",
                hosted.profile.who
            );
        }
        let index = hosted.interface;
        self.retell(host, grace);
        let needs = self.needs_of(index);
        self.interfaces[index].need(needs);
    }

    /// Tells the engine what a virtual host is from now on. Without a grace time an earlier one is over.
    fn retell(&mut self, host: HostNumber, grace: Duration) {
        let Some(hosted) = self.hosts.get(&host) else { return };
        let (profile, config) = (hosted.profile.clone(), Box::new(hosted.config()));
        self.child.order(&Order::Change { host, profile, config, grace });
    }

    /// Lets a virtual host leave its group.
    fn dismiss(&mut self, host: HostNumber) {
        let Some(hosted) = self.hosts.get(&host) else { return };
        info!("{}Not in the configuration any more: leaving", hosted.profile.who);
        self.leaving.insert(host);
        self.child.order(&Order::Command { host, command: Command::ShutDown });
    }

    /// Forgets virtual hosts that have left.
    pub(super) fn forget_the_gone(&mut self) {
        let is_gone = |host: &&HostNumber| {
            self.is_silent(**host)
                && !self.busy.contains(host)
                && !self.awaiting.contains_key(host)
                && !self.keeper.is_wishing(**host)
        };
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

    fn forget(&mut self, host: HostNumber) {
        self.leaving.remove(&host);
        self.keeper.remove(host);
        self.forget_control(host);
        self.child.order(&Order::Remove { host });
        let Some(hosted) = self.hosts.remove(&host) else { return };
        let needs = self.needs_of(hosted.interface);
        self.interfaces[hosted.interface].need(needs);
        self.use_interface(now(), hosted.interface);
    }
}
