use std::process::Command;

use super::*;
use crate::process::tests::{in_child, rerun};

#[test]
fn boottime_runs_like_the_kernel_s_uptime() {
    let uptime = || {
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    // /proc/uptime is CLOCK_BOOTTIME in steps of 10 ms, rounded down.
    let before = uptime();
    let now = std::time::Duration::from_nanos(boottime()).as_secs_f64();
    let after = uptime();
    assert!(before <= now && now <= after + 0.01, "{before} {now} {after}");
    assert!(boottime() <= boottime());
}

/// What `date` makes of a Unix time in the zone of this process.
fn date(seconds: i64) -> String {
    let output = Command::new("date").args(["-d", &format!("@{seconds}"), "+%Y-%m-%d %H:%M:%S"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn text(time: LocalTime) -> String {
    let LocalTime { year, month, day, hour, minute, second, .. } = time;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[test]
#[ignore = "a child process of local_time_is_in_the_zone_of_the_environment"]
fn zone_child() {
    if !in_child() {
        return;
    }
    assert_eq!(text(local_time(951_782_399, 0)), "2000-02-29 05:44:59");
    assert_eq!(local_time(0, 7), LocalTime { month: 1, day: 1, hour: 5, minute: 45, ..local_time(0, 7) });
    assert_eq!(local_time(0, 7).microsecond, 7);
    for seconds in [0, -1, 951_782_400, 1_719_792_000, 4_102_444_799] {
        assert_eq!(text(local_time(seconds, 0)), date(seconds));
    }
}

#[test]
fn local_time_is_in_the_zone_of_the_environment() {
    let status = rerun("clock::tests::zone_child").env("TZ", "TEST-5:45").status().unwrap();
    assert!(status.success());
}

#[test]
fn a_year_beyond_the_c_library_is_not_a_crash() {
    assert_eq!(local_time(libc::time_t::MAX, 1).year, 1970);
}

#[test]
fn local_now_is_now() {
    let seconds = || i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let before = seconds();
    let now = local_now();
    let after = seconds();
    assert!(now.microsecond < 1_000_000);
    assert!((before..=after).any(|second| local_time(second, now.microsecond) == now));
}

#[test]
fn seeds_differ() {
    assert_ne!(random_seed(), random_seed());
}
