use jiff::tz::TimeZone;

use super::*;
use crate::fake;

fn look(colour: bool, width: Option<usize>) -> Look {
    Look { colour, width, zone: TimeZone::UTC }
}

fn table(colour: bool, width: Option<usize>, hosts: &[VirtualHost]) -> String {
    let mut out = Vec::new();
    write_table(&mut out, &look(colour, width), hosts).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_exit_status_is_that_of_the_worst_state() {
    let init = VirtualHost { state: State::Init, ..fake::backup() };
    assert_eq!(exit_status(&[]), 3);
    assert_eq!(exit_status(&[fake::master()]), 0);
    assert_eq!(exit_status(&[fake::master(), fake::backup()]), 1);
    assert_eq!(exit_status(&[fake::held(), init.clone(), fake::master()]), 2);
    assert_eq!(exit_status(&[fake::backup(), init, fake::master()]), 3);
}

#[test]
fn a_table_for_a_program() {
    let text = table(false, None, &[fake::master(), fake::backup(), fake::held()]);
    let expected = "\
VIRTUAL HOST  VHID  INTERFACE  STATE   FOR     RANK   ADDRESSES         MASTER     REASON
web           1     eth0       MASTER  1m 30s  1/0    10.0.0.100/24 +1  this host  10.0.0.3 said goodbye
mail          2     eth0       BACKUP  1h 06m  1/100  10.0.0.101/24     10.0.0.2   10.0.0.2 (advbase 1 advskew 0) was heard
db            3     eth1       FAULT   7s      1/100  10.1.0.100/24     10.0.0.2   held by the operator
db: held by the operator: it stays out until it is released
db: the check gateway is DOWN: no answer (demotes by 100)
db: demoted by gateway 100
";
    assert_eq!(text, expected);
}

#[test]
fn a_table_in_a_narrow_terminal() {
    let text = table(false, Some(48), &[fake::master(), fake::backup()]);
    let expected = "\
VIRTUAL HOST  STATE   FOR     REASON
web           MASTER  1m 30s  10.0.0.3 said goo…
mail          BACKUP  1h 06m  10.0.0.2 (advbase…
";
    assert_eq!(text, expected);
    assert!(text.lines().all(|line| line.chars().count() <= 48));
}

#[test]
fn states_have_colours_and_are_words_too() {
    let text = table(true, None, &[fake::master(), fake::backup(), fake::held()]);
    for state in ["\x1b[32mMASTER\x1b[0m", "\x1b[36mBACKUP\x1b[0m", "\x1b[1;31mFAULT\x1b[0m"] {
        assert!(text.contains(state), "{text}");
    }
    let plain = text.replace("\x1b[0m", "");
    let plain =
        ["1;31", "32", "33", "36", "1"].iter().fold(plain, |text, sgr| text.replace(&format!("\x1b[{sgr}m"), ""));
    assert_eq!(plain, table(false, None, &[fake::master(), fake::backup(), fake::held()]));
}

#[test]
fn everything_about_a_master() {
    let mut out = Vec::new();
    detail::write(&mut out, &look(false, None), &fake::master()).unwrap();
    let expected = "\
web (vhid 1 on eth0)
  state         MASTER for 1m 30s, since 2023-11-14 22:13:30.000, changes: 2
  because       10.0.0.3 said goodbye
  master        this host
  addresses     10.0.0.100/24 (here)
                2001:db8::100/64 (here)
  rank          advbase 1, advskew 0; takes over from a slower master
  timers        next advertisement in 0.420s; interval 1.000s, dead time 3.000s, dead ratio 3
  network       multicast, authentication classic, MAC of the interface
  peers         10.0.0.3 not MASTER, rank 1/100, heard 1m 30s ago, advertisements: 1234
  counters      ipackets 1234, opackets 91
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn everything_about_one_that_is_out_of_service() {
    let mut out = Vec::new();
    detail::write(&mut out, &look(false, None), &fake::held()).unwrap();
    let expected = "\
db (vhid 3 on eth1)
  state         FAULT for 7s, since 2023-11-14 22:13:30.000, changes: 2
  because       held by the operator
  master        10.0.0.2
  addresses     10.1.0.100/24 (not here)
  rank          advbase 1, advskew 100; leaves a slower master alone
  timers        interval 1.390s, dead time 3.000s, dead ratio 3
  network       multicast, authentication classic, MAC of the interface
  peers         10.0.0.2 MASTER, rank 1/0, heard 610ms ago, advertisements: 1234
  check         gateway (ping) DOWN for 5s: no answer; demotes by 100
  script        down, 1h 06m ago: exit status 0 after 0.120s
  counters      ipackets 1234, opackets 91
  notice        held by the operator: it stays out until it is released
  notice        the check gateway is DOWN: no answer (demotes by 100)
  notice        demoted by gateway 100
";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
