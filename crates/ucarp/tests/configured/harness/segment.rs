//! Hosts on one switch.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use netlab::{Host, Lab, Tap};
use tempfile::TempDir;

use super::Node;

/// Hosts on one switch, and everything that its ports carry.
pub struct Segment {
    pub lab: Lab,
    pub tap: Tap,
    directory: TempDir,
}

impl Segment {
    pub fn new() -> Self {
        let lab = Lab::new().expect("a lab can be made: this suite needs root");
        let tap = Tap::new(&lab).expect("the switch can be watched");
        Self { lab, tap, directory: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// A host without a daemon, `hOCTET` with the address 10.0.0.`octet`. Strict filters of reverse paths are on.
    pub fn host(&self, octet: u8) -> Host {
        self.host_at(octet, Ipv4Addr::new(10, 0, 0, octet), 24)
    }

    pub fn host_at(&self, octet: u8, address: impl Into<IpAddr>, prefix: u8) -> Host {
        let host = self.lab.host(&format!("h{octet}"), octet, address, prefix).expect("a host can be added");
        for interface in ["all", "default", "eth0"] {
            host.set_sysctl(&format!("ipv4/conf/{interface}/rp_filter"), "1").expect("it can be set");
        }
        host.wait_connected().expect("the host gets carrier");
        host
    }

    /// A host with one daemon, which is not started yet.
    pub fn node(&self, octet: u8) -> Node {
        self.daemon(&self.host(octet), "daemon")
    }

    /// Two hosts with a daemon each.
    pub fn pair(&self) -> (Node, Node) {
        (self.node(2), self.node(3))
    }

    /// A daemon, not started yet, which on its host has a name of its own.
    pub fn daemon(&self, host: &Host, name: &str) -> Node {
        let directory = self.directory.path().join(host.name()).join(name);
        fs::create_dir_all(&directory).expect("a directory can be made");
        Node::new(host.clone(), directory)
    }
}
