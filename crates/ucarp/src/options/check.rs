//! What is checked when all options are known, in UCARP's order.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Facility, LONGEST_PASSWORD, Options, Password, UsageError, Warning};

/// Options before the first is read. Zero and empty stand for "not given", as they do in UCARP.
pub(super) fn unset() -> Options {
    Options {
        interface: None,
        source: Ipv4Addr::UNSPECIFIED,
        group: Ipv4Addr::UNSPECIFIED,
        vhid: 0,
        password: Password::new(Zeroizing::default()),
        preempt: false,
        neutral: false,
        address: Ipv4Addr::UNSPECIFIED,
        advbase: 0,
        advskew: 0,
        up_script: None,
        down_script: None,
        dead_ratio: 0,
        debug: false,
        split: true,
        shutdown: false,
        daemonize: false,
        pid_file: None,
        control: None,
        ignore_interface_state: false,
        no_multicast: false,
        facility: Facility::DAEMON,
        xparam: None,
        script_timeout: Duration::ZERO,
        warnings: Vec::new(),
    }
}

/// Refuses what cannot work, and adds the warnings about what hardly can.
pub(super) fn check(mut options: Options) -> Result<Options, UsageError> {
    if options.vhid == 0 {
        return Err(UsageError::VhidMissing);
    }
    if options.password.as_bytes().is_empty() {
        return Err(UsageError::PasswordMissing);
    }
    match (options.advbase, options.advskew) {
        (0, 0) => return Err(UsageError::IntervalZero),
        (255, 255) => return Err(UsageError::IntervalOfGoodbye),
        _ => {}
    }
    if options.source.is_unspecified() {
        return Err(UsageError::SourceMissing);
    }
    if options.address.is_unspecified() {
        return Err(UsageError::AddressMissing);
    }
    if options.dead_ratio == 0 {
        return Err(UsageError::DeadRatioZero);
    }
    // UCARP 1.5.2 starts with such addresses, runs the down script and then exits.
    if options.source.is_multicast() || options.source.is_broadcast() {
        return Err(UsageError::SourceNotUnicast(options.source));
    }
    if !options.group.is_multicast() {
        return Err(UsageError::GroupNotMulticast(options.group));
    }
    let address_oddity = address_oddity(&options);
    options.warnings.extend(address_oddity);
    options.up_script = script(options.up_script, "up", &mut options.warnings);
    options.down_script = script(options.down_script, "down", &mut options.warnings);
    match options.password.as_bytes().len() {
        0..=LONGEST_PASSWORD => Ok(options),
        octets => Err(UsageError::PasswordTooLong(octets)),
    }
}

/// UCARP 1.5.2 takes any virtual address, and so do we: a test setup may want an odd one.
fn address_oddity(options: &Options) -> Option<Warning> {
    let address = options.address;
    let oddity = if address == options.source {
        "is the source address too: it cannot move to another host (options -a and -s)"
    } else if address.is_loopback() {
        "is a loopback address: no other host can reach it (option -a)"
    } else if address.is_multicast() || address.is_broadcast() {
        "is not unicast: no host can hold it (option -a)"
    } else {
        return None;
    };
    Some(Warning::warn(format!("virtual address {address} {oddity}")))
}

/// An empty script is none, and then on purpose: no warning.
fn script(given: Option<OsString>, direction: &str, warnings: &mut Vec<Warning>) -> Option<OsString> {
    if given.is_none() {
        warnings.push(Warning::warn(format!("Warning: no script called when going {direction}")));
    }
    given.filter(|path| !path.is_empty())
}
