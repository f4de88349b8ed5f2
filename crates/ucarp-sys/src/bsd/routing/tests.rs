use super::super::testing::buffers;
use super::*;

const KERNELS: [&str; 2] = ["10.4", "15.0"];

fn snapshot(kernel: &str, step: &str) -> Snapshot {
    Snapshot::from_list(&buffers(kernel, step, "NET_RT_IFLIST").remove(0))
}

/// All that a routing socket told in one step.
fn told(kernel: &str, step: &str) -> Vec<Message> {
    buffers(kernel, step, "rt").iter().flat_map(|buffer| messages(buffer).collect::<Vec<_>>()).collect()
}

fn own(index: u32, address: &str, prefix_len: u8) -> Own {
    Own { index, address: address.parse().unwrap(), prefix_len }
}

fn vtnet0(kernel: &str) -> Link {
    let last = if kernel == "10.4" { 1 } else { 2 };
    Link {
        index: 1,
        name: "vtnet0".into(),
        up: true,
        running: true,
        mac: Some([0x52, 0x54, 0x00, 0xfb, 0x01, last]),
        hardware_type: ETHERNET.into(),
        loopback: false,
    }
}

#[test]
fn interfaces_and_addresses_are_listed() {
    for (kernel, v6) in [("10.4", "fe80::5054:ff:fefb:101"), ("15.0", "fe80::5054:ff:fefb:102")] {
        let all = snapshot(kernel, "52-iflist");
        assert_eq!(all.links[0], vtnet0(kernel));
        let lo0 = &all.links[1];
        assert_eq!((&*lo0.name, lo0.index, lo0.loopback, lo0.up, lo0.running), ("lo0", 2, true, false, false));
        assert_eq!(lo0.mac, None);
        // The order is the kernel's.
        let mut addresses = all.addresses;
        addresses.sort_by_key(|own| own.address);
        assert_eq!(addresses, [own(1, "192.168.77.11", 24), own(1, v6, 64)], "{kernel}");
        let only_v4 = snapshot(kernel, "53-iflist-inet");
        assert_eq!(only_v4.addresses, [own(1, "192.168.77.11", 24)], "{kernel}");
    }
}

#[test]
fn an_alias_is_listed_with_its_own_prefix() {
    for kernel in KERNELS {
        let all = snapshot(kernel, "40-iflist-with-vip32");
        assert!(all.addresses.contains(&own(1, "192.168.77.254", 32)), "{kernel}: {:?}", all.addresses);
        assert!(all.addresses.contains(&own(1, "192.168.77.11", 24)), "{kernel}: {:?}", all.addresses);
    }
}

#[test]
fn addresses_of_kernel_carp_are_listed_as_all_others() {
    for kernel in KERNELS {
        let all = snapshot(kernel, "56-iflist-carp");
        assert!(all.addresses.iter().any(|own| own.address.to_string() == "192.168.77.254"), "{kernel}: {all:?}");
    }
}

#[test]
fn an_address_comes_and_goes() {
    let at = own(1, "192.168.77.254", 32);
    for kernel in KERNELS {
        assert_eq!(told(kernel, "39-rt-vip32-add"), [Message::Present(at)], "{kernel}");
        let with = snapshot(kernel, "40-iflist-with-vip32");
        let (index, address) = (at.index, at.address);
        assert_eq!(events(&[Message::Present(at)], &with), [Event::AddressAdded { index, address }]);
        assert_eq!(told(kernel, "42-rt-vip32-del"), [Message::Removed(at)], "{kernel}");
        let without = snapshot(kernel, "52-iflist");
        assert_eq!(
            events(&told(kernel, "42-rt-vip32-del"), &without),
            [Event::AddressRemoved { index, address, by: None }]
        );
        let added = told(kernel, "30-rt-addr-add-v4");
        assert_eq!(
            added,
            [Message::Present(own(1, "192.168.77.200", 32))],
            "{kernel}: what is not there is not told of"
        );
    }
}

#[test]
fn ipv6_addresses_come_and_go() {
    for kernel in KERNELS {
        let at = own(1, "fd77::200", 128);
        assert!(told(kernel, "35-rt-addr-add-v6").contains(&Message::Present(at)), "{kernel}");
        assert!(told(kernel, "36-rt-addr-del-v6").contains(&Message::Removed(at)), "{kernel}");
    }
}

#[test]
fn an_address_that_is_put_again_has_not_gone() {
    for kernel in KERNELS {
        let messages = told(kernel, "41-vip32-again-eexist");
        let at = own(1, "192.168.77.254", 32);
        assert!(messages.contains(&Message::Removed(at)) && messages.contains(&Message::Present(at)), "{kernel}");
        let events = events(&messages, &snapshot(kernel, "40-iflist-with-vip32"));
        assert_eq!(events, [Event::AddressAdded { index: at.index, address: at.address }], "{kernel}");
    }
}

#[test]
fn an_interface_that_goes_down_keeps_its_addresses() {
    for kernel in KERNELS {
        let messages = told(kernel, "44-rt-if-down");
        assert!(messages.contains(&Message::Removed(own(1, "192.168.77.11", 24))), "{kernel}: {messages:?}");
        let now = snapshot(kernel, "44-rt-if-down");
        let events = events(&messages, &now);
        let [Event::LinkChanged(link)] = &events[..] else { panic!("{kernel}: {events:?}") };
        assert_eq!((&*link.name, link.up), ("vtnet0", false));
    }
}

#[test]
fn a_cable_that_is_pulled_is_seen_in_the_state_of_the_link() {
    for kernel in KERNELS {
        let list = buffers(kernel, "52-iflist", "NET_RT_IFLIST").remove(0);
        let messages = told(kernel, "47-rt-link-down");
        assert_eq!(messages, [Message::Interface(1, None)], "{kernel}");
        // The list as it is while the cable is out: the recorded message's own header in place of that of the list.
        let change = buffers(kernel, "47-rt-link-down", "rt").remove(0);
        let pulled = [&list[..TYPE], &change[TYPE..INTERFACE_HEADER], &list[INTERFACE_HEADER..]].concat();
        let now = Snapshot::from_list(&pulled);
        assert_eq!(events(&messages, &now), [Event::LinkChanged(Link { running: false, ..vtnet0(kernel) })]);
        let back = told(kernel, "48-rt-link-up");
        let now = snapshot(kernel, "52-iflist");
        assert_eq!(events(&back, &now), [Event::LinkChanged(vtnet0(kernel))]);
    }
}

#[test]
fn interfaces_arrive_and_leave() {
    for kernel in KERNELS {
        assert_eq!(told(kernel, "60-rt-if-arrives"), [Message::Arrived(3)], "{kernel}");
        let messages = told(kernel, "61-rt-if-leaves-with-bpf");
        let now = snapshot(kernel, "52-iflist");
        let gone = Event::LinkGone { index: 3, name: "lo1".into() };
        assert!(events(&messages, &now).contains(&gone), "{kernel}: {messages:?}");
    }
}

#[test]
fn routes_and_memberships_are_none_of_our_business() {
    for kernel in KERNELS {
        for step in ["49-rt-route-add", "50-rt-route-del", "51-rt-default-add"] {
            assert_eq!(told(kernel, step), [], "{kernel} {step}");
        }
    }
}

#[test]
fn no_message_is_read_beyond_its_end_or_for_ever() {
    for kernel in KERNELS {
        let whole = buffers(kernel, "52-iflist", "NET_RT_IFLIST").remove(0);
        for length in 0..whole.len() {
            assert!(messages(&whole[..length]).count() <= 4);
        }
        let mut twisted = whole.clone();
        for position in 0..whole.len() {
            twisted[position] ^= 0xff;
            assert!(messages(&twisted).count() < 200);
            twisted[position] ^= 0xff;
        }
    }
    assert_eq!(messages(&[0; 4096]).count(), 0);
    assert_eq!(messages(&[0xff; 4096]).count(), 0);
}
