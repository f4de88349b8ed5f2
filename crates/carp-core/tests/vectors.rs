//! Test vectors that were computed with an independent HMAC library (`data/carp-vectors.json`), and advertisements of
//! live NetBSD and FreeBSD kernels (`data/bsd-adverts.tsv`).
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use carp_core::auth::{AddressList, Authenticator, Key, KeyError};
use carp_core::wire::frame::{self, AdvertisementFrame};
use carp_core::wire::{MacAddr, advertisement, ethernet, ipv4};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;

mod support;

/// Digests over addresses in configuration order: FreeBSD of 2005 and 2006, and DragonFly. We sort, as all others do,
/// so these must not match.
const OTHER_ORDER: [&str; 2] = ["V05", "V08"];
/// The digest that leaves link-local addresses out: OpenBSD.
const WITHOUT_LINK_LOCAL: &str = "V10";

fn vectors() -> Vec<Vector> {
    let text = std::fs::read_to_string(support::data("carp-vectors.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let vectors: Vec<Vector> = file["vectors"].as_array().unwrap().iter().cloned().map(Vector).collect();
    let ids: BTreeSet<String> = vectors.iter().map(Vector::id).collect();
    assert_eq!(ids, (1..=29).map(|number| format!("V{number:02}")).collect());
    vectors
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

/// One entry of the JSON file.
struct Vector(Value);

impl Vector {
    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{} has no {pointer}", self.0["id"]))
    }

    fn number<T: TryFrom<u64>>(&self, pointer: &str) -> T {
        let number = self.0.pointer(pointer).and_then(Value::as_u64);
        number.and_then(|number| number.try_into().ok()).unwrap_or_else(|| panic!("{} has no {pointer}", self.0["id"]))
    }

    /// The `V01` of `V01-basic`.
    fn id(&self) -> String {
        self.text("/id")[..3].to_owned()
    }

    fn counter(&self) -> u64 {
        u64::from_be_bytes(hex_array(self.text("/counter_hex")))
    }

    fn digest(&self) -> [u8; 20] {
        hex_array(self.text("/hmac_sha1_hex"))
    }

    fn authenticator(&self, key: &Key) -> Authenticator {
        let addresses = self.0["vips_config_order"].as_array().unwrap().iter();
        let mut list = AddressList::new(addresses.map(|address| address.as_str().unwrap().parse().unwrap()));
        if self.id() == WITHOUT_LINK_LOCAL {
            list = list.without_link_local();
        }
        match self.text("/lladdr_hashed_hex") {
            "" => Authenticator::new(key, self.number("/vhid"), &list),
            lladdr => Authenticator::with_lladdr(key, self.number("/vhid"), &list, MacAddr(hex_array(lladdr))),
        }
    }

    fn advertisement(&self) -> advertisement::Repr {
        advertisement::Repr {
            vhid: self.number("/vhid"),
            advbase: self.number("/advbase"),
            advskew: self.number("/advskew"),
            demotion: self.number("/demote_or_reserved"),
            counter: self.counter(),
            digest: self.digest(),
        }
    }

    fn src_mac(&self) -> MacAddr {
        let mac = if self.id() == "V25" { frame::ucarp_mac } else { frame::kernel_mac };
        mac(self.number("/vhid"))
    }

    fn frame_v4(&self) -> AdvertisementFrame {
        AdvertisementFrame {
            src_mac: self.src_mac(),
            dst_mac: frame::multicast_mac(frame::CARP_GROUP_V4.into()),
            src: self.text("/ipv4/src").parse().unwrap(),
            dst: self.text("/ipv4/dst").parse().unwrap(),
            tos: self.number("/ipv4/tos"),
            netbsd_checksum: false,
            advertisement: self.advertisement(),
        }
    }

    fn frame_v6(&self) -> AdvertisementFrame {
        AdvertisementFrame {
            dst_mac: frame::multicast_mac(frame::CARP_GROUP_V6.into()),
            src: self.text("/ipv6/src").parse().unwrap(),
            dst: self.text("/ipv6/dst").parse().unwrap(),
            tos: 0,
            ..self.frame_v4()
        }
    }
}

#[test]
fn digests() {
    for vector in vectors() {
        let (id, counter, digest) = (vector.id(), vector.counter(), vector.digest());
        let key_field: [u8; 20] = hex_array(vector.text("/key_field_hex"));
        let message = hex(vector.text("/hmac_message_hex"));
        let mac = Hmac::<Sha1>::new_from_slice(&key_field).unwrap().chain_update(message);
        assert_eq!(mac.finalize().into_bytes()[..], digest, "{id}: its message gives its digest");

        let authenticator = vector.authenticator(&Key::from_bytes(key_field));
        let applies = !OTHER_ORDER.contains(&id.as_str());
        assert_eq!(authenticator.sign(counter) == digest, applies, "{id}: sign");
        assert_eq!(authenticator.verify(counter, &digest), applies, "{id}: verify");
    }
}

#[test]
fn passwords() {
    for vector in vectors() {
        let id = vector.id();
        let key = Key::from_password(vector.text("/password_ascii").as_bytes());
        match id.as_str() {
            // Reachable through an ioctl only, or cut by ifconfig; UCARP refuses them too.
            "V13" | "V14" => assert_eq!(key.unwrap_err(), KeyError::TooLong(20), "{id}"),
            "V15" => assert_eq!(key.unwrap_err(), KeyError::TooLong(25), "{id}"),
            // Kernels run without password, UCARP does not.
            "V29" => assert_eq!(key.unwrap_err(), KeyError::Empty, "{id}"),
            // The key has bytes of an older password behind this one.
            "V16" => assert_ne!(vector.authenticator(&key.unwrap()).sign(vector.counter()), vector.digest(), "{id}"),
            "V05" | "V08" => assert!(key.is_ok(), "{id}"),
            _ => assert_eq!(vector.authenticator(&key.unwrap()).sign(vector.counter()), vector.digest(), "{id}"),
        }
    }
}

#[test]
fn payloads() {
    for vector in vectors() {
        let payload = hex(vector.text("/carp_payload_hex"));
        assert_eq!(vector.advertisement().emit()[..], payload, "{}", vector.id());
        assert_eq!(payload[6..8], hex(vector.text("/carp_checksum_hex")), "{}", vector.id());
        let packet = advertisement::Packet::new_checked(&payload).unwrap();
        assert!(packet.verify_checksum(), "{}", vector.id());
        assert_eq!(advertisement::Repr::parse(&packet), vector.advertisement(), "{}", vector.id());
    }
}

#[test]
fn ipv4_packets_and_frames() {
    for vector in vectors() {
        let (id, sent) = (vector.id(), vector.frame_v4());
        let identification: u16 = vector.number("/ipv4/id");
        let header = ipv4::Repr {
            tos: vector.number("/ipv4/tos"),
            identification,
            dont_fragment: vector.0["ipv4"]["df"].as_bool().unwrap(),
            ttl: vector.number("/ipv4/ttl"),
            protocol: advertisement::PROTOCOL,
            src: vector.text("/ipv4/src").parse::<Ipv4Addr>().unwrap(),
            dst: vector.text("/ipv4/dst").parse::<Ipv4Addr>().unwrap(),
            payload_len: 36,
        };
        let packet = [&header.emit()[..], &sent.advertisement.emit()].concat();
        assert_eq!(packet, hex(vector.text("/ipv4/packet_hex")), "{id}");
        let ethernet =
            ethernet::Repr { dst: sent.dst_mac, src: sent.src_mac, ethertype: ethernet::EtherType::Ipv4 }.emit();
        let bytes = hex(vector.text("/ipv4/frame_hex"));
        assert_eq!([&ethernet[..], &packet].concat(), bytes, "{id}");

        let received = frame::parse(&bytes).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!((received.src, received.dst, received.ttl), (sent.src, sent.dst, 255), "{id}");
        assert_eq!((received.src_mac, received.dst_mac), (sent.src_mac, sent.dst_mac), "{id}");
        assert_eq!((received.ip_id, received.advertisement), (Some(identification), sent.advertisement), "{id}");

        // Ours have identification 0, and for that another header checksum.
        let mut emitted = sent.emit().unwrap().to_vec();
        if identification != 0 {
            emitted[18..20].copy_from_slice(&bytes[18..20]);
            emitted[24..26].copy_from_slice(&bytes[24..26]);
        }
        assert_eq!(emitted, bytes, "{id}");
    }
}

#[test]
fn ipv6_frames_with_both_forms_of_the_checksum() {
    let vectors: Vec<Vector> = vectors().into_iter().filter(|vector| vector.0.get("ipv6").is_some()).collect();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let (id, sent) = (vector.id(), vector.frame_v6());
        let plain = hex(vector.text("/ipv6/frame_hex"));
        assert_eq!(sent.emit().unwrap()[..], plain, "{id}");
        assert_eq!(plain[14..], hex(vector.text("/ipv6/packet_hex")), "{id}");

        let netbsd = AdvertisementFrame { netbsd_checksum: true, ..sent }.emit().unwrap().to_vec();
        assert_eq!(netbsd[14..], hex(vector.text("/ipv6/netbsd_pseudo_header/packet_hex")), "{id}");
        let (src, dst): (Ipv6Addr, Ipv6Addr) =
            (vector.text("/ipv6/src").parse().unwrap(), vector.text("/ipv6/dst").parse().unwrap());
        let payload = hex(vector.text("/ipv6/netbsd_pseudo_header/carp_payload_hex"));
        assert_eq!(sent.advertisement.emit_with_pseudo_header(src, dst)[..], payload, "{id}");

        for bytes in [plain, netbsd] {
            let received = frame::parse(&bytes).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!((received.src, received.dst, received.ip_id), (sent.src, sent.dst, None), "{id}");
            assert_eq!(received.advertisement, sent.advertisement, "{id}");
        }
    }
}

#[test]
fn advertisements_of_live_kernels() {
    let text = std::fs::read_to_string(support::data("bsd-adverts.tsv")).unwrap();
    let mut rows = 0;
    for row in text.lines().skip(1) {
        let [file, number, family, vhid, password, vips, advbase, advskew, counter, digest, checksum, payload] =
            row.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("not 12 columns: {row}");
        };
        let sent = advertisement::Repr {
            vhid: vhid.parse().unwrap(),
            advbase: advbase.parse().unwrap(),
            advskew: advskew.parse().unwrap(),
            demotion: 0,
            counter: u64::from_be_bytes(hex_array(counter)),
            digest: hex_array(digest),
        };
        assert_eq!(sent.emit()[..], hex(payload), "{row}");
        assert_eq!(sent.emit()[6..8], hex(checksum), "{row}");
        let key = Key::from_password(password.as_bytes()).unwrap();
        let list = AddressList::new(support::addresses(vips));
        assert!(Authenticator::new(&key, sent.vhid, &list).verify(sent.counter, &sent.digest), "{row}");

        let frames = support::pcap(&format!("captures/bsd/{file}"));
        let received = frame::parse(&frames[number.parse::<usize>().unwrap() - 1]).unwrap();
        assert_eq!(received.advertisement, sent, "{row}");
        assert_eq!(if received.src.is_ipv4() { "4" } else { "6" }, family, "{row}");
        rows += 1;
    }
    assert_eq!(rows, 217);
}
