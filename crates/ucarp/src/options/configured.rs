//! The command line with a configuration file: few options go with it, and the file says the rest.

use std::ffi::OsString;
use std::path::{self, PathBuf};

use super::table::{Opt, OptionId, Origin};
use super::{Action, ConfigTask, Configured, Options, UsageError};
use crate::config;

/// What was given that has to do with configuration files.
#[derive(Default)]
pub(super) struct Collected {
    file: Option<PathBuf>,
    check: bool,
    show: bool,
    /// The first option that asks for a configuration file, as typed.
    asked: Option<String>,
    /// The first option that does not go with one.
    foreign: Option<(&'static Opt, String)>,
}

impl Collected {
    /// Notes an option, `given` as typed. Of several files the last one counts.
    pub(super) fn take(&mut self, option: &'static Opt, given: &str, value: &OsString) {
        match option.id {
            OptionId::Config => self.file = Some(value.into()),
            OptionId::Check => self.check = true,
            OptionId::ShowConfig => self.show = true,
            _ => {
                if !option.goes_with_config() && self.foreign.is_none() {
                    self.foreign = Some((option, given.to_owned()));
                }
                return;
            }
        }
        self.asked.get_or_insert_with(|| given.to_owned());
    }

    /// The action if a configuration file was asked for; otherwise the options are given back.
    pub(super) fn finish(self, options: Options) -> Result<Result<Action, Options>, UsageError> {
        let Some(config) = self.asked else { return Ok(Err(options)) };
        if let Some((option, given)) = self.foreign {
            return Err(UsageError::BesideConfig { option: given, config, instead: instead(option) });
        }
        let task = match (self.check, self.show) {
            (false, false) => ConfigTask::Run,
            (true, false) => ConfigTask::Check,
            (false, true) => ConfigTask::Show,
            (true, true) => return Err(UsageError::TwoTasks),
        };
        let file = self.file.unwrap_or_else(|| config::DEFAULT_PATH.into());
        let file = path::absolute(file).map_err(UsageError::ConfigPath)?;
        let Options { debug, split, daemonize, pid_file, control, facility, warnings, .. } = options;
        let configured = Configured { task, file, debug, split, daemonize, pid_file, control, facility, warnings };
        Ok(Ok(Action::Configured(configured)))
    }
}

/// What says the same in a configuration file.
fn instead(option: &Opt) -> String {
    let name = option.name();
    let key = config::KEYS.iter().find(|key| key.name == name || key.classic.contains(&name));
    match key {
        Some(key) if option.id == OptionId::NoMulticast => format!("write `{} = \"broadcast\"` in the file", key.name),
        Some(key) => format!("write `{}` in the file", key.name),
        None if option.origin == Origin::Classic => "with a configuration file it is always so".into(),
        None => "it has nothing to do with a file".into(),
    }
}

#[cfg(test)]
mod tests;
