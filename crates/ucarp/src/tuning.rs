//! Asks the kernel for what the configuration wants of it. What is refused is told, and the daemon runs without.

use std::io;

use log::error;
use ucarp_sys::process::{be_realtime, lock_memory, set_timer_slack};

use crate::settings::Process;

/// Applies the settings to this process, which is called `who` in the log.
pub fn apply(process: &Process, who: &str) {
    let tell = |what: &str, needs: &str, result: io::Result<()>| {
        if let Err(error) = result {
            error!("The {who} runs without {what}: {error} (it needs {needs})");
        }
    };
    if let Some(priority) = process.realtime_priority {
        let what = format!("real-time priority {priority}");
        tell(&what, "CAP_SYS_NICE, or LimitRTPRIO of the service", be_realtime(priority));
    }
    if process.lock_memory {
        tell("locked memory", "CAP_IPC_LOCK and CAP_SYS_RESOURCE", lock_memory());
    }
    if let Some(slack) = process.timer_slack {
        tell(&format!("a timer slack of {slack:?}"), "Linux 2.6.28", set_timer_slack(slack));
    }
}
