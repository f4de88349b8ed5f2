use std::net::IpAddr;

use super::*;
use crate::filter::advertisements;
use crate::filter::tests::ADVERTISEMENT;
use crate::packet::PacketSocket;
use crate::packet::tests::{cable, flush, in_new_network, ip};

pub(super) const VIRTUAL_MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];

pub(super) fn carp(parent: u32) -> VirtualInterface {
    VirtualInterface { name: "carp7".into(), parent, mac: VIRTUAL_MAC, note: "vhid 7 on left".into() }
}

fn create_one(connection: &mut Connection, interface: VirtualInterface) -> u32 {
    create(connection, &[interface]).pop().unwrap().unwrap()
}

#[test]
fn it_is_made_marked_and_found() {
    in_new_network(|| {
        let (left, _) = cable();
        let mut connection = Connection::open().unwrap();
        assert_eq!(find(&mut connection, "carp7").unwrap(), None);
        let index = create_one(&mut connection, carp(left));
        let found = find(&mut connection, "carp7").unwrap().unwrap();
        assert_eq!((found.link.index, found.link.mac, found.link.up), (index, Some(VIRTUAL_MAC), false));
        assert_eq!((found.parent, found.alias.as_deref()), (Some(left), Some("ucarp vhid 7 on left")));
        assert!(found.is_ours);
        assert_eq!(ours(&mut connection).unwrap(), [found]);

        // Others' macvlans, and others' interfaces that are called ours.
        ip("link add link left name other type macvlan mode bridge");
        ip("link set left alias ucarp");
        ip("link add vethX type veth peer name vethY");
        std::fs::write("/sys/class/net/lo/ifalias", "").ok();
        for name in ["other", "left", "lo"] {
            assert!(!find(&mut connection, name).unwrap().unwrap().is_ours, "{name}");
        }
        assert_eq!(ours(&mut connection).unwrap().len(), 1);
    });
}

#[test]
fn it_goes_up_without_addresses_and_down() {
    in_new_network(|| {
        let (left, _) = cable();
        let mut connection = Connection::open().unwrap();
        let index = create_one(&mut connection, carp(left));
        set_up(&mut connection, &[index], true).pop().unwrap().unwrap();
        assert!(find(&mut connection, "carp7").unwrap().unwrap().link.up);
        // The parent gets its link-local address in the same moment or later, as it went up before.
        let has_address = |of: u32, connection: &mut Connection| {
            let all = link::list_addresses(connection).unwrap();
            all.iter().any(|(index, address)| *index == of && matches!(address, IpAddr::V6(_)))
        };
        crate::packet::tests::until("link-local address", || has_address(left, &mut connection).then_some(()));
        assert!(!has_address(index, &mut connection));
        set_up(&mut connection, &[index], false).pop().unwrap().unwrap();
        assert!(!find(&mut connection, "carp7").unwrap().unwrap().link.up);

        // It does not need its parent up, but then it has no carrier.
        ip("link set left down");
        set_up(&mut connection, &[index], true).pop().unwrap().unwrap();
        let link = find(&mut connection, "carp7").unwrap().unwrap().link;
        assert!(link.up && !link.running, "{link:?}");

        let error = set_up(&mut connection, &[index, 4_000], false).pop().unwrap().unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENODEV));
        assert!(error.to_string().starts_with("setting interface 4000 down: RTM_SETLINK refused: No such"), "{error}");
    });
}

#[test]
fn many_are_made_and_removed_in_one_go() {
    in_new_network(|| {
        let (left, right) = cable();
        let mut connection = Connection::open().unwrap();
        let all: Vec<VirtualInterface> = (1..=255)
            .map(|vhid| VirtualInterface {
                name: format!("carp{vhid}"),
                parent: if vhid % 2 == 0 { left } else { right },
                mac: [0, 0, 0x5e, 0, 1, vhid],
                note: format!("vhid {vhid}"),
            })
            .collect();
        let made: Vec<u32> = create(&mut connection, &all).into_iter().map(|made| made.unwrap()).collect();
        for (interface, index) in all.iter().zip(&made) {
            let found = find(&mut connection, &interface.name).unwrap().unwrap();
            assert_eq!((found.link.index, found.parent), (*index, Some(interface.parent)));
            assert_eq!(found.link.mac, Some(interface.mac));
        }
        set_up(&mut connection, &made, true).into_iter().for_each(|outcome| outcome.unwrap());
        assert!(ours(&mut connection).unwrap().iter().all(|found| found.link.up));
        // Half of them, with one twice and one that never was; the others stay.
        let (some, rest) = made.split_at(100);
        let doomed = [some, &some[..1], &[4_000]].concat();
        let outcomes = remove(&mut connection, &doomed);
        assert_eq!(outcomes.len(), 102);
        outcomes.into_iter().for_each(|outcome| outcome.unwrap());
        let left_over: Vec<u32> = ours(&mut connection).unwrap().iter().map(|found| found.link.index).collect();
        assert_eq!(left_over, rest);
        // Again, when they are gone.
        remove(&mut connection, some).into_iter().for_each(|outcome| outcome.unwrap());
        remove(&mut connection, rest).into_iter().for_each(|outcome| outcome.unwrap());
        assert_eq!(ours(&mut connection).unwrap(), []);
        assert!(link::find(&mut connection, "left").unwrap().is_some());
    });
}

#[test]
fn refusals_name_the_interface() {
    in_new_network(|| {
        let (left, right) = cable();
        let mut connection = Connection::open().unwrap();
        create_one(&mut connection, carp(left));
        ip("link add bridge type bridge");
        ip("link set right master bridge");
        let wishes = [
            carp(left),
            VirtualInterface { parent: 4_000, name: "carp8".into(), ..carp(left) },
            VirtualInterface { name: "sixteen-letters!".into(), ..carp(left) },
            VirtualInterface { name: "carp9".into(), mac: [0, 0, 0x5e, 0, 1, 9], ..carp(left) },
            VirtualInterface { name: "carp10".into(), parent: 1, ..carp(left) },
            VirtualInterface { name: "carp11".into(), parent: right, ..carp(left) },
            VirtualInterface {
                name: "carp12".into(),
                mac: [0, 0, 0x5e, 0, 1, 12],
                note: "x".repeat(250),
                parent: left,
            },
        ];
        let outcomes = create(&mut connection, &wishes);
        let errno = |number: usize| outcomes[number].as_ref().err().and_then(Failure::errno);
        assert_eq!((errno(0), errno(1)), (Some(libc::EEXIST), Some(libc::ENODEV)));
        assert!(outcomes[2].is_err() && outcomes[3].is_ok());
        assert_eq!((errno(4), errno(5), errno(6)), (Some(libc::EINVAL), Some(libc::EBUSY), Some(libc::ERANGE)));
        assert_eq!(find(&mut connection, "carp12").unwrap(), None, "nothing without a mark is left");
        let text = outcomes[0].as_ref().unwrap_err().to_string();
        assert!(text.starts_with("creating interface carp7: RTM_NEWLINK refused: File exists"), "{text}");
    });
}

/// The reason for bridge mode: two masters with the same virtual MAC must hear each other.
#[test]
fn the_parent_hears_an_advertisement_from_the_virtual_mac_itself() {
    in_new_network(|| {
        let (left, right) = cable();
        let mut connection = Connection::open().unwrap();
        let index = create_one(&mut connection, carp(left));
        set_up(&mut connection, &[index], true).pop().unwrap().unwrap();
        let receiver = PacketSocket::open(left, &advertisements(1)).unwrap();
        let sender = PacketSocket::open(right, &crate::filter::nothing()).unwrap();
        let mut frame = ADVERTISEMENT.to_vec();
        frame[6..12].copy_from_slice(&VIRTUAL_MAC);
        // As multicast, as broadcast and to this host alone.
        flush(&sender, &receiver, &frame);
        frame[..6].copy_from_slice(&[0xff; 6]);
        flush(&sender, &receiver, &frame);
        frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x0a]);
        flush(&sender, &receiver, &frame);
    });
}
