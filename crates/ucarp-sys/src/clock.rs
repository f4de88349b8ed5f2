//! The clocks, and the one random number a node starts from.

use std::io;
use std::sync::Once;

#[cfg(test)]
mod tests;

/// Nanoseconds since boot, including the time the machine was suspended (`CLOCK_BOOTTIME`).
///
/// It never goes backwards and nobody can set it. `std::time::Instant` is no substitute: it stops during suspend, so a
/// MASTER that was asleep for an hour would take itself for up to date.
pub fn boottime() -> u64 {
    nanoseconds(libc::CLOCK_BOOTTIME)
}

/// Nanoseconds of `CLOCK_MONOTONIC`, by which service managers count.
pub fn monotonic() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let now = read(clock);
    let seconds = u64::try_from(now.tv_sec).expect("a clock that counts from the start is not negative");
    let nanoseconds = u64::try_from(now.tv_nsec).expect("a kernel timestamp has 0 to 999,999,999 nanoseconds");
    seconds * 1_000_000_000 + nanoseconds
}

/// Through the C library and not past it, so that a preloaded one can show a single process a clock that steps.
fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec, and nothing keeps it.
    let result = unsafe { libc::clock_gettime(clock, &raw mut now) };
    assert!(result == 0, "every Linux since 2.6.39 has clock {clock}");
    now
}

/// A moment of the wall clock in the local time zone, for log stamps only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Year of the common era, such as 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60; 60 only where the C library knows of leap seconds.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
}

/// The wall clock now.
///
/// The time zone is read by the first call of the process. A later change of it is not noticed, and no file is opened
/// again, so that a sandbox put up after the first call does not disturb it.
pub fn local_now() -> LocalTime {
    let now = read(libc::CLOCK_REALTIME);
    let microsecond = u32::try_from(now.tv_nsec / 1_000).expect("a second has 1,000,000 microseconds");
    local_time(now.tv_sec, microsecond)
}

unsafe extern "C" {
    fn tzset();
}

/// `seconds` of Unix time in local time; 1970-01-01 00:00:00 for a year that does not fit the C library's `int`.
fn local_time(seconds: libc::time_t, microsecond: u32) -> LocalTime {
    static ZONE: Once = Once::new();
    ZONE.call_once(|| {
        // SAFETY: tzset has no arguments. It reads the environment, which nothing in this project changes.
        unsafe { tzset() };
    });
    // SAFETY: struct tm is plain numbers and one pointer; all of them may be zero.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live objects of the right type; localtime_r keeps neither of them.
    let converted = unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
    if converted.is_null() {
        return LocalTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, microsecond };
    }
    let small = |value: libc::c_int| u8::try_from(value).expect("the C library returns calendar fields in range");
    LocalTime {
        year: tm.tm_year.saturating_add(1900),
        month: small(tm.tm_mon + 1),
        day: small(tm.tm_mday),
        hour: small(tm.tm_hour),
        minute: small(tm.tm_min),
        second: small(tm.tm_sec),
        microsecond,
    }
}

/// 64 bits from the kernel's random number generator.
///
/// # Panics
///
/// When `getrandom(2)` is missing (Linux before 3.17) or a sandbox forbids it. Call it once, at the start.
pub fn random_seed() -> u64 {
    let mut seed = [0_u8; 8];
    loop {
        // SAFETY: the pointer and the length describe `seed`, which is writable and lives through the call.
        let got = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
        if usize::try_from(got) == Ok(seed.len()) {
            return u64::from_ne_bytes(seed);
        }
        // Reads of up to 256 bytes are never cut short; only waiting for the generator at boot can be interrupted.
        let error = io::Error::last_os_error();
        assert!(error.kind() == io::ErrorKind::Interrupted, "no random numbers from the kernel: {error}");
    }
}
