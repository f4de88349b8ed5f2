//! What is wrong between virtual hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::merged::Merged;
use super::problem::{Findings, Site};
use super::table::KeyId;
use crate::settings::{HostSettings, Mac};

/// Tells what no two virtual hosts can have in common.
pub(super) fn check(hosts: &[(Merged<'_>, HostSettings)], findings: &mut Findings<'_>) {
    let mut taken = Taken::default();
    for (host, settings) in hosts {
        taken.name(host, findings);
        if settings.interface.is_empty() {
            continue;
        }
        taken.vhid(host, settings, findings);
        taken.addresses(host, settings, findings);
        taken.virtual_interface(host, settings, findings);
    }
    for (host, settings) in hosts {
        taken.interface_as_virtual(host, settings, findings);
    }
}

/// What virtual hosts have, and where that is said.
#[derive(Default)]
struct Taken<'d> {
    names: BTreeMap<&'d str, &'d Site>,
    vhids: BTreeMap<(&'d str, u8), &'d Site>,
    addresses: BTreeMap<(&'d str, IpAddr), Site>,
    virtual_interfaces: BTreeMap<&'d str, &'d Site>,
}

impl<'d> Taken<'d> {
    fn name(&mut self, host: &Merged<'d>, findings: &mut Findings<'_>) {
        if let Some(first) = self.names.insert(host.name, host.site) {
            let message = format!("the virtual host `{}` is there twice: give one of them another name", host.name);
            findings.error(host.site, message).also(first, "first here").tell();
        }
    }

    fn vhid(&mut self, host: &Merged<'d>, settings: &'d HostSettings, findings: &mut Findings<'_>) {
        let interface = settings.interface.as_str();
        if settings.vhid == 0 {
            return;
        }
        let site = host.site(KeyId::Vhid);
        if let Some(first) = self.vhids.insert((interface, settings.vhid), site) {
            let message =
                format!("vhid {} is there twice on {interface}: each virtual host needs its own", settings.vhid);
            findings.error(site, message).also(first, "first here").tell();
        }
    }

    fn addresses(&mut self, host: &Merged<'d>, settings: &'d HostSettings, findings: &mut Findings<'_>) {
        let Some(entry) = host.entry(KeyId::Addresses) else { return };
        for (address, span) in host.addresses() {
            let site = Site::new(entry.site.source, span.clone());
            let key = (settings.interface.as_str(), address.ip);
            if let Some(first) = self.addresses.get(&key) {
                let message = format!("{} is shared by another virtual host of {} already", address.ip, key.0);
                findings.error(&site, message).also(first, "shared here").tell();
            } else {
                self.addresses.insert(key, site);
            }
        }
    }

    fn virtual_interface(&mut self, host: &Merged<'d>, settings: &'d HostSettings, findings: &mut Findings<'_>) {
        let Mac::Virtual { name } = &settings.mac else { return };
        if settings.vhid == 0 && host.given(KeyId::VirtualInterface).is_none() {
            return;
        }
        let site = if host.entry(KeyId::VirtualInterface).is_some() {
            host.site(KeyId::VirtualInterface)
        } else {
            host.site(KeyId::Mac)
        };
        if let Some(first) = self.virtual_interfaces.insert(name, site) {
            let draft = findings.error(site, format!("the virtual interface {name} belongs to another virtual host"));
            draft.also(first, "to this one").help("give each its own name with `virtual-interface`").tell();
        }
    }

    fn interface_as_virtual(&self, host: &Merged<'d>, settings: &HostSettings, findings: &mut Findings<'_>) {
        let Some(made) = self.virtual_interfaces.get(settings.interface.as_str()) else { return };
        let message =
            format!("{} is the virtual interface of a virtual host: nothing can advertise there", settings.interface);
        findings.error(host.site(KeyId::Interface), message).also(made, "made here").tell();
    }
}
