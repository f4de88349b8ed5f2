//! What becomes of a MASTER whose interface is renamed, deleted, set down or unplugged, and when it returns.

use std::time::Duration;

use netlab::{Host, now};

use crate::harness::{EAGER, Node, Segment, between, ip, web};

const V4: &str = "10.0.0.100";
const V6: &str = "fd00::100";

/// What a busy machine may add to what happens at once.
const PROMPT: Duration = Duration::from_secs(1);

/// A MASTER that takes its role back whenever it can, and another host.
struct Couple {
    segment: Segment,
    master: Node,
    peer: Node,
}

impl Couple {
    fn new(more: &str) -> Self {
        let segment = Segment::new();
        let (mut master, mut peer) = segment.pair();
        master.start(&web(&[V4, V6], &format!("preempt = true\ndead-ratio = 2\n{more}")));
        master.wait_for(ip(V4));
        peer.start(&web(&[V4, V6], &format!("advskew = 100\ndead-ratio = 2\n{more}")));
        let since = now();
        segment.wait_for_advertisement(&master.host, 1, since);
        Self { segment, master, peer }
    }

    /// Takes something away from the MASTER: it gives up at once, with all its addresses, and says why. The other host
    /// takes over.
    fn lose(&self, take_away: impl FnOnce(&Host) -> netlab::Result<()>, reason: &str) {
        let lost = now();
        take_away(&self.master.host).expect("the host can be changed");
        let noticed = self.master.wait_for_line("web: Switching to state: BACKUP", lost);
        assert!(between(lost, noticed) < PROMPT, "{}", self.master.said());
        self.master.wait_for_line(reason, lost);
        let gone = self.master.wait_without(ip(V4)).max(self.master.wait_without(ip(V6)));
        assert!(between(noticed, gone) < PROMPT, "{:?}: {}", between(noticed, gone), self.master.said());
        let taken = self.segment.wait_for_announcement(&self.peer.host, ip(V4), lost);
        println!("{reason}: gave up after {:?}, replaced after {:?}", between(lost, noticed), between(lost, taken));
        self.peer.wait_for(ip(V6));
    }

    /// Brings it back: the host listens, and displaces the other one as it prefers to.
    fn regain(&self, bring_back: impl FnOnce(&Host) -> netlab::Result<()>) {
        let back = now();
        bring_back(&self.master.host).expect("the host can be changed");
        self.master.wait_for_line("web: Listening as BACKUP", back);
        self.master.wait_for_line("web: Switching to state: MASTER", back);
        self.segment.wait_for_announcement(&self.master.host, ip(V4), back);
        self.segment.wait_for_announcement(&self.master.host, ip(V6), back);
        let index = self.master.host.index().expect("it has an interface");
        for address in [V4, V6] {
            self.master.wait_for(ip(address));
            self.peer.wait_without(ip(address));
            let found = self.master.find(ip(address)).expect("it is there");
            assert!(!found.tentative, "{found:?}");
            let is_virtual = self.master.link("carp1").is_some_and(|link| link.index == found.at.index);
            assert!(found.at.index == index || is_virtual, "{found:?} is on another interface than {index}");
        }
    }
}

#[test]
fn an_interface_that_is_set_down_and_up() {
    for more in ["", "mac = \"virtual\""] {
        let couple = Couple::new(more);
        couple.lose(Host::link_down, "the interface was set down");
        couple.regain(Host::link_up);
    }
}

#[test]
fn an_interface_that_is_unplugged_and_plugged_in() {
    for more in ["", "mac = \"virtual\""] {
        let couple = Couple::new(more);
        couple.lose(Host::unplug, "the interface lost its carrier");
        couple.regain(Host::plug);
    }
}

#[test]
fn an_interface_that_is_renamed_and_renamed_back() {
    for more in ["", "mac = \"virtual\""] {
        let couple = Couple::new(more);
        couple.lose(|host| host.rename_interface("lan0"), "the interface is gone");
        assert!(couple.master.link("carp1").is_none(), "{}", couple.master.said());
        couple.regain(|host| host.rename_interface("eth0"));
    }
}

#[test]
fn an_interface_that_is_deleted_and_another_one_of_its_name() {
    for more in ["", "mac = \"virtual\""] {
        let couple = Couple::new(more);
        let before = couple.master.host.index().expect("it has an interface");
        couple.lose(Host::delete_interface, "the interface is gone");
        couple.regain(Host::recreate_interface);
        assert_ne!(couple.master.host.index().expect("it has an interface"), before);
    }
}

#[test]
fn another_interface_gets_the_name_of_the_one_that_is_renamed() {
    let couple = Couple::new("");
    couple.lose(|host| host.rename_interface("lan0"), "the interface is gone");
    let back = now();
    couple.master.run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "other"]);
    couple.master.run("ip", &["link", "set", "eth0", "up"]);
    couple.master.run("ip", &["link", "set", "other", "up"]);
    couple.master.wait_for_line("web: Listening as BACKUP", back);
    // Nobody is heard there: it becomes MASTER, on that interface.
    couple.master.wait_for(ip(V4));
    let eth0 = couple.master.link("eth0").expect("it was made just now").index;
    assert_eq!(couple.master.find(ip(V4)).expect("it is there").at.index, eth0);
    let lost = now();
    couple.master.run("ip", &["link", "del", "eth0"]);
    couple.master.wait_for_line("web: Switching to state: BACKUP", lost);
    couple.regain(|host| host.rename_interface("eth0"));
}

#[test]
fn a_daemon_waits_for_an_interface_that_does_not_exist_at_its_start() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.host.delete_interface().expect("it can be deleted");
    node.start(&web(&[V4], "dead-ratio = 1"));
    node.wait_for_line("Interface [eth0] does not exist: waiting for it", 0);
    node.host.recreate_interface().expect("it can be made");
    node.wait_for_line("web: Listening as BACKUP", 0);
    node.wait_for(ip(V4));
}

#[test]
fn a_missing_carrier_does_not_matter_to_a_host_that_ignores_it() {
    let segment = Segment::new();
    let mut node = segment.node(2);
    node.start(&web(&[V4], &format!("{EAGER}\nignore-carrier = true")));
    node.wait_for(ip(V4));
    let unplugged = node.moment();
    node.host.unplug().expect("it can be unplugged");
    let left = netlab::wait_until(Duration::from_secs(4), || !node.holds(ip(V4)));
    assert!(!left && node.changes("web", unplugged).is_empty(), "{}", node.said());
    node.host.plug().expect("it can be plugged in");
    node.host.wait_connected().expect("the carrier returns");
    let plugged = now();
    segment.wait_for_advertisement(&node.host, 1, plugged);
    assert_eq!(node.changes("web", unplugged), [], "{}", node.said());
}
