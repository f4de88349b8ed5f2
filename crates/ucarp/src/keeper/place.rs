//! Where the addresses of a virtual host are: on the interface that it advertises on, or on one of its own with the
//! virtual Ethernet address, which is there only while this host is MASTER.

use std::collections::BTreeMap;

use carp_core::wire::frame;
use log::{error, info, warn};
use ucarp_sys::kernel::Connection;
use ucarp_sys::link::Link;
use ucarp_sys::virtual_interface::settings::{self as needed, Setting};
use ucarp_sys::virtual_interface::{self, VirtualInterface};

use super::{HostSettings, Mac};

/// The interface that carries addresses.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The one that advertisements leave by, if it exists.
    Interface(Option<u32>),
    /// One with the virtual Ethernet address.
    Virtual(Virtual),
}

/// An interface with the virtual Ethernet address.
#[derive(Clone, Debug)]
pub(super) struct Virtual {
    name: String,
    vhid: u8,
    /// Index and name of the interface that advertisements leave by.
    parent: Option<(u32, String)>,
    /// Its index while it exists.
    index: Option<u32>,
}

impl Place {
    pub(super) fn new(settings: &HostSettings) -> Self {
        match &settings.mac {
            Mac::Interface => Self::Interface(None),
            Mac::Virtual { name } => {
                Self::Virtual(Virtual { name: name.clone(), vhid: settings.vhid, parent: None, index: None })
            }
        }
    }

    /// The index of the interface that carries the addresses, if it exists.
    pub(super) fn index(&self) -> Option<u32> {
        match self {
            Self::Interface(index) => *index,
            Self::Virtual(place) => place.index,
        }
    }

    /// Whether the interface that advertisements leave by was another one until now.
    pub(super) fn would_move_to(&self, link: Option<&Link>) -> bool {
        match self {
            Self::Interface(index) => *index != link.map(|link| link.index),
            Self::Virtual(place) => {
                place.parent.as_ref().map(|(index, name)| (*index, name)) != link.map(|link| (link.index, &link.name))
            }
        }
    }

    /// The interface that advertisements leave by is this one.
    pub(super) fn follow(&mut self, link: Option<&Link>) {
        match self {
            Self::Interface(index) => *index = link.map(|link| link.index),
            Self::Virtual(place) => {
                place.parent = link.map(|link| (link.index, link.name.clone()));
                place.index = None;
            }
        }
    }

    /// Somebody has removed addresses here, and perhaps the interface too: look for it when it is needed.
    pub(super) fn doubt(&mut self) {
        if let Self::Virtual(place) = self {
            place.index = None;
        }
    }

    pub(super) fn virtual_one(&mut self) -> Option<&mut Virtual> {
        match self {
            Self::Interface(_) => None,
            Self::Virtual(place) => Some(place),
        }
    }
}

impl Virtual {
    pub(super) fn exists(&self) -> bool {
        self.index.is_some()
    }

    pub(super) fn parent(&self) -> Option<&str> {
        self.parent.as_ref().map(|(_, name)| name.as_str())
    }

    fn plan(&self) -> Option<VirtualInterface> {
        let (parent, parent_name) = self.parent.as_ref()?;
        let note = format!("vhid {} on {parent_name}", self.vhid);
        Some(VirtualInterface { name: self.name.clone(), parent: *parent, mac: frame::kernel_mac(self.vhid).0, note })
    }
}

/// Makes those of the interfaces that do not exist and sets them up. What fails has no index afterwards.
pub(super) fn raise<'a>(connection: &mut Connection, places: impl Iterator<Item = (&'a str, &'a mut Virtual)>) {
    let missing: Vec<_> = places
        .filter(|(_, place)| place.index.is_none())
        .filter_map(|(who, place)| place.plan().map(|plan| (who, place, plan)))
        .collect();
    let plans: Vec<_> = missing.iter().map(|(_, _, plan)| plan.clone()).collect();
    let made = virtual_interface::create(connection, &plans);
    let mut ready = Vec::new();
    for ((who, place, plan), made) in missing.into_iter().zip(made) {
        let index = match made {
            Ok(index) => Some(index),
            Err(failure) => find_own(connection, &plan).or_else(|| {
                error!("{who}{failure}");
                None
            }),
        };
        let Some(index) = index else { continue };
        if let Err(failure) = needed::apply(&place.name, place.parent().unwrap_or_default()) {
            warn!("{who}{failure}");
        }
        place.index = Some(index);
        ready.push((who, place));
    }
    let indices: Vec<_> = ready.iter().filter_map(|(_, place)| place.index).collect();
    for ((who, place), result) in ready.into_iter().zip(virtual_interface::set_up(connection, &indices, true)) {
        if let Err(failure) = result {
            error!("{who}{failure}");
            place.index = None;
        }
    }
}

/// The interface of this plan, if it is there already and ours.
fn find_own(connection: &mut Connection, plan: &VirtualInterface) -> Option<u32> {
    let found = virtual_interface::find(connection, &plan.name).ok()??;
    let fits = found.is_ours && found.parent == Some(plan.parent) && found.link.mac == Some(plan.mac);
    fits.then_some(found.link.index)
}

/// Removes interfaces, with all addresses that are on them.
pub(super) fn lower<'a>(connection: &mut Connection, places: impl Iterator<Item = (&'a str, &'a mut Virtual)>) {
    let places: Vec<_> = places.collect();
    let indices: Vec<_> = places.iter().filter_map(|(_, place)| place.index).collect();
    let mut results = virtual_interface::remove(connection, &indices).into_iter();
    for (who, place) in places {
        let result = if place.index.is_some() { results.next() } else { None };
        if let Some(Err(failure)) = &result {
            error!("{who}{failure}: trying again");
        } else {
            place.index = None;
        }
    }
}

/// Removes interfaces of these names that an earlier run has left.
pub(super) fn sweep<'a>(connection: &mut Connection, places: impl Iterator<Item = (&'a str, &'a Virtual)>) {
    let Ok(ours) = virtual_interface::ours(connection) else { return };
    let mut leftovers = Vec::new();
    for (who, place) in places.filter(|(_, place)| place.index.is_none()) {
        if let Some(found) = ours.iter().find(|found| found.link.name == place.name) {
            info!("{who}Removing the interface {}, which an earlier run left behind", place.name);
            leftovers.push(found.link.index);
        }
    }
    for failure in virtual_interface::remove(connection, &leftovers).into_iter().filter_map(Result::err) {
        error!("{failure}");
    }
}

/// What the interfaces beneath virtual ones had to be set to, and what they were before.
#[derive(Default)]
pub(super) struct Parents(BTreeMap<String, Vec<(Setting, String)>>);

impl Parents {
    /// Gives an interface the settings that virtual ones on it need.
    pub(super) fn prepare(&mut self, parent: &str) {
        if self.0.contains_key(parent) {
            return;
        }
        match needed::apply_to_parent(parent) {
            Ok(changed) => {
                for (setting, before) in &changed {
                    info!("Set {} of {parent} from {before} to {} for its virtual MAC", setting.key, setting.value);
                }
                self.0.insert(parent.to_owned(), changed);
            }
            Err(failure) => warn!("{failure}: clients may learn the MAC of {parent} for virtual addresses"),
        }
    }

    /// Puts the settings back on interfaces that have no virtual ones any more.
    pub(super) fn restore_unless(&mut self, is_used: impl Fn(&str) -> bool) {
        for (parent, changed) in self.0.extract_if(.., |parent, _| !is_used(parent)) {
            if let Err(failure) = needed::restore(&parent, &changed) {
                warn!("{failure}");
            }
        }
    }
}
