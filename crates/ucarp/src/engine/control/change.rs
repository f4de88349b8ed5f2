//! What operators want of virtual hosts.

use std::time::Duration;

use carp_core::election::{Bar, State};
use carp_core::node::Command;
use carp_core::time::Instant;
use log::{Level, info, warn};
use ucarp_control::Refusal;
use ucarp_control::calls::{Demote, Promote, SetLogLevel, Silence};

use crate::engine::Engine;
use crate::protocol::HostNumber;
use crate::protocol::control::{Asked, LONGEST_NAME, MOST_DEMOTIONS};

/// The reason under which operators hold and demote.
pub(super) const OPERATOR: &str = "operator";

/// The reason of a simulated crash.
const REHEARSAL: &str = "rehearsal";

/// The longest simulated crash.
const LONGEST_SILENCE: Duration = Duration::from_secs(3600);

fn invalid(parameter: String) -> Refusal {
    Refusal::InvalidParameter { parameter }
}

/// Under which name a demotion of an operator counts. Checks have names, too, and not these.
fn reason(name: Option<&str>) -> Result<String, Refusal> {
    let reason = name.map_or_else(|| OPERATOR.to_owned(), |name| format!("{OPERATOR}: {name}"));
    let is_plain = !reason.chars().any(char::is_control);
    if reason.len() <= LONGEST_NAME && is_plain && name != Some("") {
        return Ok(reason);
    }
    let most = LONGEST_NAME - OPERATOR.len() - 2;
    Err(invalid(format!("name: must be 1 to {most} octets without control characters, not {name:?}")))
}

impl Engine {
    pub(super) fn demoted_by_operator(&mut self, now: Instant, call: &Demote) -> Result<(), Refusal> {
        let reason = reason(call.name.as_deref())?;
        if call.by == 0 {
            return Err(invalid("by: must be 1 to 65535; Promote takes a demotion back".into()));
        }
        let hosts = self.chosen(call.virtual_host.as_deref())?;
        for host in &hosts {
            let wish = self.control.wishes.get(host);
            let others = wish.map_or(0, |wish| wish.demotions.iter().filter(|(name, _)| *name != reason).count());
            if others >= MOST_DEMOTIONS {
                let reason = format!("{} has {others} demotions: take one of them back before", self.name_of(*host));
                return Err(Refusal::NotPossible { reason });
            }
        }
        for host in hosts {
            let wish = self.control.wishes.entry(host).or_default();
            wish.demotions.retain(|(name, _)| *name != reason);
            wish.demotions.push((reason.clone(), call.by));
            self.commanded(host, "demote", format!("demoted by {} ({reason})", call.by));
            self.remember(host);
            self.demote(now, host, &reason, call.by);
        }
        Ok(())
    }

    pub(super) fn promoted_by_operator(&mut self, now: Instant, call: &Promote) -> Result<(), Refusal> {
        let only = call.name.as_deref().map(|name| reason(Some(name).filter(|name| *name != OPERATOR))).transpose()?;
        for host in self.chosen(call.virtual_host.as_deref())? {
            let wish = self.control.wishes.entry(host).or_default();
            let (gone, stay) = std::mem::take(&mut wish.demotions)
                .into_iter()
                .partition::<Vec<_>, _>(|(name, _)| only.as_ref().is_none_or(|only| only == name));
            wish.demotions = stay;
            self.commanded(host, "promote", format!("promoted: {} demotions taken back", gone.len()));
            self.remember(host);
            for (name, _) in gone {
                self.demote(now, host, &name, 0);
            }
            let id = self.hosts[&host].id;
            self.node.handle_command(now, id, Command::Promote);
            self.carry_out(now);
        }
        Ok(())
    }

    pub(super) fn held_by_operator(&mut self, now: Instant, name: Option<&str>, held: bool) -> Result<(), Refusal> {
        for host in self.chosen(name)? {
            let wish = self.control.wishes.entry(host).or_default();
            if std::mem::replace(&mut wish.held, held) == held {
                continue;
            }
            let (cause, message) =
                if held { ("hold", "held: stays out until it is released") } else { ("release", "released") };
            self.commanded(host, cause, message.into());
            self.remember(host);
            self.bar(now, host, OPERATOR, held.then_some(Bar::Held));
        }
        Ok(())
    }

    pub(super) fn hand_over(&mut self, now: Instant, name: Option<&str>) -> Result<(), Refusal> {
        for host in self.masters(name)? {
            self.commanded(host, "hand-over", "told to hand over".into());
            let id = self.hosts[&host].id;
            self.node.handle_command(now, id, Command::HandOver);
            self.carry_out(now);
        }
        Ok(())
    }

    pub(super) fn announce(&mut self, now: Instant, name: Option<&str>) -> Result<(), Refusal> {
        for host in self.masters(name)? {
            self.commanded(host, "announce", "told to announce its addresses".into());
            let id = self.hosts[&host].id;
            self.node.handle_command(now, id, Command::Announce);
            self.carry_out(now);
        }
        Ok(())
    }

    /// Of all, those that are MASTER; one that is named has to be.
    fn masters(&self, name: Option<&str>) -> Result<Vec<HostNumber>, Refusal> {
        let mut hosts = self.chosen(name)?;
        hosts.retain(|host| self.node.state(self.hosts[host].id) == State::Master);
        match (name, hosts.is_empty()) {
            (Some(name), true) => Err(Refusal::NotPossible { reason: format!("{name} is not MASTER") }),
            _ => Ok(hosts),
        }
    }

    pub(super) fn silence(&mut self, now: Instant, call: &Silence) -> Result<(), Refusal> {
        let length = Duration::from_millis(call.milliseconds);
        if length.is_zero() || length > LONGEST_SILENCE {
            let most = LONGEST_SILENCE.as_millis();
            return Err(invalid(format!("milliseconds: must be 1 to {most}, not {}", call.milliseconds)));
        }
        let host = self.find(&call.virtual_host)?;
        self.commanded(host, "silence", format!("a crash is rehearsed for {length:?}"));
        self.control.silences.insert(host, now + length);
        self.bar(now, host, REHEARSAL, Some(Bar::Rehearsal));
        Ok(())
    }

    /// Ends rehearsals whose time is over.
    pub(super) fn end_silences(&mut self, now: Instant) {
        let over: Vec<_> =
            self.control.silences.iter().filter(|(_, until)| **until <= now).map(|(host, _)| *host).collect();
        for host in over {
            self.control.silences.remove(&host);
            self.commanded(host, "silence", "the rehearsal is over".into());
            self.bar(now, host, REHEARSAL, None);
        }
    }

    pub(super) fn set_log_level(&mut self, call: &SetLogLevel) -> Result<(), Refusal> {
        let level: Level = match call.level.as_str() {
            "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            other => return Err(invalid(format!("level: must be error, warn, info or debug, not {other:?}"))),
        };
        warn!("The control socket changes the log level to {}", call.level);
        self.note(None, "command", "log-level", format!("the log level is {} from now on", call.level));
        log::set_max_level(level.to_level_filter());
        self.guardian.ask(Asked::LogLevel(level));
        Ok(())
    }

    /// Tells the log and the history what an operator wants.
    fn commanded(&mut self, host: HostNumber, cause: &'static str, message: String) {
        info!("{}By the control socket {message}", self.who(host));
        self.note(Some(host), "command", cause, message);
    }

    /// Lets the guardian remember what an operator wants, for the next engine and beyond a reload.
    fn remember(&mut self, host: HostNumber) {
        let wish = self.control.wishes.get(&host).cloned().unwrap_or_default();
        self.guardian.ask(Asked::Remember(host, wish));
    }

    /// The guardian remembers that somebody held or demoted a virtual host.
    pub(in crate::engine) fn is_remembered(
        &mut self,
        host: HostNumber,
        name: &str,
        by: Option<u16>,
        held: Option<bool>,
    ) {
        if name != OPERATOR && !name.starts_with("operator: ") {
            return;
        }
        let wish = self.control.wishes.entry(host).or_default();
        if let Some(held) = held {
            wish.held = held;
        }
        if let Some(by) = by {
            wish.demotions.retain(|(known, _)| known != name);
            wish.demotions.push((name.to_owned(), by));
        }
    }
}
