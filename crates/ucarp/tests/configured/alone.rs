//! A host that has never heard another one of its group.

use netlab::Signal;

use crate::harness::{EAGER, Segment, ip, web};

const VIP: &str = "10.0.0.100";

const LINE: &str = "No other host of the group has been heard";

#[test]
fn a_master_that_has_heard_nobody_says_so_once_and_one_that_has_does_not() {
    let segment = Segment::new();
    let (mut first, mut second) = segment.pair();
    first.start(&web(&[VIP], EAGER));
    first.wait_for_line(LINE, 0);
    second.start(&web(&[VIP], "advskew = 100"));
    segment.wait_for_advertisement(&first.host, 1, second.moment());
    second.wait_for_line("Listening as BACKUP", 0);
    // It takes over for want of a master a second time, and says nothing new.
    let down = first.moment();
    first.run("ip", &["link", "set", "eth0", "down"]);
    second.wait_for(ip(VIP));
    second.signal(Signal::KILL);
    first.run("ip", &["link", "set", "eth0", "up"]);
    first.wait_for_line("Switching to state: MASTER", down);
    first.wait_for(ip(VIP));
    assert_eq!((first.lines(LINE, 0), second.lines(LINE, 0)), (1, 0), "{}", first.said());
}
