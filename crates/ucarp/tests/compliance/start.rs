//! From an accepted command line to a running daemon: what is looked at, and what is no reason to end.

use std::process::Command;
use std::time::Duration;

use carp_core::auth::{AddressList, Authenticator, Key};
use carp_core::wire::frame::Received;

use crate::harness::{Group, Node, Program, QUICK, SOON, VIP, differs, programs};

/// Starts without waiting for anything.
fn begin(node: &mut Node, more: &[&str]) {
    let mut command = node.program.command();
    command.args(node.arguments()).args(more);
    node.start_command(command);
}

/// The exit status of a process that ends by itself.
fn status(node: &Node) -> Option<i32> {
    let ended = node.process().wait(SOON).expect("it can be waited for");
    let status = ended.unwrap_or_else(|| panic!("it runs on:\n{}", node.said()));
    // A line may still be in the pipe.
    assert!(node.process().wait_for_end_of_output(SOON));
    status.code()
}

/// Whether it ended with status 2 before long; if not, it has said that it is BACKUP.
fn fails_to_start(node: &Node) -> bool {
    let told = |line: &netlab::Line| line.text.contains("Listening as BACKUP") || line.text.contains("waiting until");
    let runs = node.process().wait_for(told, SOON).is_some();
    !runs && status(node) == Some(2)
}

#[test]
fn a_missing_interface_ends_it_with_status_2() {
    for program in programs() {
        for name in ["nope0", "a-name-that-is-too-long"] {
            for more in [&["-i", name][..], &["-S", "-i", name]] {
                let ending = program.ending_with(more);
                ending.assert_error(2, &format!("Unable to find MAC address of [{name}]"));
            }
        }
    }
}

#[test]
fn without_the_right_to_open_a_packet_socket_it_ends_with_status_2() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"]).arg(program.path()).args(node.arguments());
        node.start_command(command);
        assert_eq!(status(&node), Some(2), "{}", node.said());
        assert!(node.said().contains("Operation not permitted"), "{}", node.said());
        assert_eq!(node.script_log(), "");
    }
}

#[test]
fn without_an_interface_it_takes_the_first_usable_one() {
    for program in programs() {
        for more in [&["-i", ""][..], &["--interface="]] {
            let group = Group::new();
            let mut node = group.node(2, program);
            begin(&mut node, more);
            node.wait_for_line("[INFO] Using [eth0] as a network interface");
            node.wait_for_line("Switching to state: BACKUP");
        }
    }
}

#[test]
fn an_interface_that_is_not_ethernet_is_complained_about_and_used() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-i", "lo"]);
        node.wait_for_line("[ERROR] Unknown hardware type [772]");
        assert_eq!(node.process().wait(Duration::ZERO).expect("it can be asked"), None, "it runs");
    }
}

#[test]
fn an_interface_that_is_down_is_waited_for() {
    for program in programs() {
        for more in [&[][..], &["-S"]] {
            let group = Group::new();
            let mut node = group.node(2, program);
            node.host.link_down().expect("the interface can be set down");
            begin(&mut node, &[&QUICK[..], more].concat());
            let fails = fails_to_start(&node);
            differs("S08", program, &fails, &true, &false);
            if !fails {
                node.host.link_up().expect("the interface can be set up");
                node.wait_for_line("Switching to state: MASTER");
                node.wait_for_vip();
            }
        }
    }
}

#[test]
fn a_source_address_that_is_not_there_yet_is_told_and_used() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        begin(&mut node, &[&QUICK[..], &["-s", "10.0.0.77"]].concat());
        let fails = fails_to_start(&node);
        differs("S09", program, &fails, &true, &false);
        if !fails {
            node.wait_for_line("[WARNING] The own address 10.0.0.77 (-s) is not on this host yet");
            group.wait_for_advertisement(SOON, |_, heard| heard.src.to_string() == "10.0.0.77");
        }
    }
}

#[test]
fn addresses_that_cannot_work_are_refused_before_anything_is_done() {
    for program in programs() {
        for more in
            [["-s", "224.0.0.5"], ["-s", "255.255.255.255"], ["--mcast", "10.0.0.5"], ["--mcast", "255.255.255.255"]]
        {
            let group = Group::new();
            let mut node = group.node(2, program);
            begin(&mut node, &more);
            let observed = (status(&node), node.script_log().contains("down eth0"));
            differs("S10", program, &observed, &(Some(2), true), &(Some(1), false));
        }
    }
}

/// Whether an advertisement is signed with this password.
fn is_signed_with(received: &Received, password: &[u8]) -> bool {
    let key = Key::from_password(password).expect("the password is a good one");
    let authenticator = Authenticator::new(&key, received.advertisement.vhid, &AddressList::new([VIP.into()]));
    authenticator.verify(received.advertisement.counter, &received.advertisement.digest)
}

fn signs_file_with(program: Program, content: &[u8], password: &[u8]) {
    let group = Group::new();
    let mut node = group.node(2, program);
    let path = node.script("password");
    std::fs::write(&path, content).expect("a file can be written");
    node.start(&[&QUICK[..], &["-o", path.to_str().expect("the path is text")]].concat());
    let (_, heard) = group.wait_for_advertisement(SOON, |_, _| true);
    assert!(is_signed_with(&heard, password), "{program:?} {content:?}");
}

#[test]
fn every_octet_of_the_first_line_of_a_password_file_counts() {
    for program in programs() {
        signs_file_with(program, b"secret", b"secret");
        signs_file_with(program, b"secret\r\n", b"secret\r");
        signs_file_with(program, b" secret \nmore\n", b" secret ");
        signs_file_with(program, b"sec\0ret\n", b"sec");
        signs_file_with(program, b"# 19 octets long xx\n", b"# 19 octets long xx");
    }
}

#[test]
fn numbers_in_octal_and_hexadecimal_have_their_c_values() {
    for program in programs() {
        let group = Group::new();
        let mut node = group.node(2, program);
        node.start(&["-v", "010", "-b", "00", "-k", "0x20", "-r", "01"]);
        let (_, heard) = group.wait_for_advertisement(SOON, |_, _| true);
        let advertisement = heard.advertisement;
        assert_eq!((advertisement.vhid, advertisement.advbase, advertisement.advskew), (8, 0, 32));
    }
}
