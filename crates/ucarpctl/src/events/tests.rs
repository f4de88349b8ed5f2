use jiff::tz::TimeZone;

use super::*;
use crate::fake;

#[test]
fn an_event_is_a_line() {
    let look = Look { colour: false, width: None, zone: TimeZone::UTC };
    let lines: Vec<String> = fake::events().iter().map(|event| line(&look, event)).collect();
    assert_eq!(
        lines,
        [
            "2023-11-14 22:13:21.000  started",
            "2023-11-14 22:13:22.000  web: bad digest from 10.0.0.66",
            "2023-11-14 22:13:23.000  web: BACKUP -> MASTER: no master was heard for 3.000s",
        ]
    );
}

#[test]
fn the_new_state_has_its_colour() {
    let look = Look { colour: true, width: None, zone: TimeZone::UTC };
    let text = line(&look, &fake::events()[2]);
    assert!(text.contains("BACKUP -> \x1b[32mMASTER\x1b[0m: no master"), "{text:?}");
}
