//! The virtual hosts of the fuzz targets `guardian` and `engine`, of which each plays one of the two processes.

use std::io::Write;

use carp_core::auth::{AddressList, Authenticator};
use carp_core::timing::Interval;
use carp_core::wire::advertisement::Repr;
use carp_core::wire::frame::{AdvertisementFrame, CARP_GROUP_V4, CARP_GROUP_V6, kernel_mac, multicast_mac};
use ucarp::config::{self, Purpose};
use ucarp::settings::Settings;

use crate::tape::Tape;

/// The interface of all virtual hosts.
pub const INTERFACE: &str = "fuzz0";

/// Its own addresses.
pub const OWN: [&str; 2] = ["10.9.0.1", "fd00:9::1"];

/// The virtual addresses.
pub const VIRTUAL: [&str; 4] = ["10.9.0.100", "fd00:9::100", "10.9.0.101", "10.9.0.102"];

/// The vhids of the virtual hosts.
pub const VHIDS: [u8; 3] = [1, 2, 3];

/// Three virtual hosts: both families and strict, unicast, and one whose address is a matter of `script`.
///
/// # Panics
///
/// If the configuration is refused.
#[must_use]
pub fn settings(script: &str) -> Settings {
    let mut file = tempfile::NamedTempFile::new().expect("there is room");
    let text = format!(
        "[defaults]\ninterface = \"{INTERFACE}\"\npassword = \"secret\"\nsource = \"10.9.0.1\"\n\
         [virtual-host.both]\nvhid = 1\naddresses = [\"10.9.0.100\", \"fd00:9::100\"]\nauthentication = \"strict\"\n\
         [virtual-host.peers]\nvhid = 2\naddresses = [\"10.9.0.101\"]\ntransport = \"unicast\"\npeers = [\"10.9.0.2\"]\n\
         [virtual-host.script]\nvhid = 3\naddresses = [\"10.9.0.102\"]\nhold = \"scripts\"\n\
         up = \"{script}\"\ndown = \"{script}\"\n"
    );
    file.write_all(text.as_bytes()).expect("there is room");
    match config::load(file.path(), Purpose::Run) {
        Ok(loaded) => loaded.settings,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// An advertisement of these virtual hosts with what is on the tape, signed with their password: a frame, or a packet.
pub fn advertisement(tape: &mut Tape, settings: &Settings) -> Vec<u8> {
    let host = tape.one_of(&settings.hosts);
    let addresses = AddressList::new(host.addresses.iter().map(|address| address.ip));
    let vhid = tape.one_of(&[host.vhid, host.vhid, 9]);
    let counter = u64::from(tape.byte()) + 1;
    let digest = Authenticator::new(&host.key, host.vhid, &addresses).sign(counter);
    let usual = Interval { advbase: 1, advskew: tape.byte() };
    let Interval { advbase, advskew } = tape.one_of(&[Interval::BOW_OUT, usual]);
    let v4 = tape.one_of(&[true, true, false]);
    let dst = if v4 { CARP_GROUP_V4.into() } else { CARP_GROUP_V6.into() };
    let frame = AdvertisementFrame {
        src_mac: kernel_mac(vhid),
        dst_mac: multicast_mac(dst),
        src: (if v4 { "10.9.0.2" } else { "fe80::2" }).parse().expect("it is an address"),
        dst,
        tos: 0,
        netbsd_checksum: false,
        advertisement: Repr { vhid, advbase, advskew, demotion: tape.one_of(&[0, 0, 7]), counter, digest },
    };
    let is_packet = tape.one_of(&[false, true]);
    let octets = if is_packet { frame.emit_packet() } else { frame.emit() };
    octets.map(|octets| octets.to_vec()).unwrap_or_default()
}
