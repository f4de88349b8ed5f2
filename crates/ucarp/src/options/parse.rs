//! From arguments to settings, with the habits of glibc's `getopt_long`.

use std::ffi::{OsStr, OsString};
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStringExt;
use std::path::{self, Path};
use std::time::Duration;

use lexopt::{Arg, Parser};
use zeroize::Zeroizing;

use crate::password_file;

use super::check;
use super::configured::Collected;
use super::error::printable;
use super::table::{Kind, OPTIONS, Opt, OptionId, Origin};
use super::value::{self, NumberFault};
use super::{Action, ControlSocket, Facility, Options, Password, SecretArgument, Shell, UsageError, Warning};

/// What became of a command line.
#[derive(Debug)]
pub struct Parsed {
    /// What it asks for.
    pub result: Result<Action, UsageError>,
    /// Where passwords stand in it, also those that a later option replaced. After an error: those before the error.
    pub secret_arguments: Vec<SecretArgument>,
}

/// Reads the arguments of the process, program name included.
///
/// Without any argument the answer is [`Action::Help`], as UCARP 1.5.2 has it. The file of `-o` is read here.
#[must_use]
pub fn parse(arguments: &[OsString]) -> Parsed {
    let mut secret_arguments = Vec::new();
    let result = if arguments.len() < 2 { Ok(Action::Help) } else { action(arguments, &mut secret_arguments) };
    Parsed { result, secret_arguments }
}

fn action(arguments: &[OsString], secrets: &mut Vec<SecretArgument>) -> Result<Action, UsageError> {
    let lengths: Vec<usize> = arguments.iter().map(|argument| argument.len()).collect();
    let mut parser = Parser::from_iter(arguments.iter().cloned());
    // -b=5 has the value "=5", as with glibc.
    parser.set_short_equals(false);
    let mut options = defaults();
    let mut operands = Vec::new();
    let mut collected = Collected::default();
    while let Some(argument) = parser.next().expect("what is attached to a long option is taken below") {
        let (option, given) = match argument {
            Arg::Value(_) => {
                operands.push(last_consumed(&mut parser, &lengths));
                continue;
            }
            Arg::Short(letter) => (short(letter)?, format!("-{letter}")),
            Arg::Long(name) => {
                let option = long(name)?;
                (option, format!("--{}", option.name()))
            }
        };
        let value = if option.argument.is_some() {
            parser.value().map_err(|_| UsageError::ArgumentMissing(given.clone()))?
        } else if given.starts_with("--") && parser.optional_value().is_some() {
            return Err(UsageError::ArgumentUnexpected(option.name()));
        } else {
            OsString::new()
        };
        if option.id == OptionId::Password {
            let index = last_consumed(&mut parser, &lengths);
            secrets.push(SecretArgument { index, offset: lengths[index] - value.len() });
        }
        collected.take(option, &given, &value);
        // -h and the like stop there and then.
        if let Some(action) = take(&mut options, option, &given, value)? {
            return Ok(action);
        }
    }
    options.warnings.extend(operand_warning(&operands));
    match collected.finish(options)? {
        Ok(action) => Ok(action),
        Err(options) => check::check(options).map(|options| Action::Run(Box::new(options))),
    }
}

/// The index of the argument that the parser has just come to the end of.
fn last_consumed(parser: &mut Parser, lengths: &[usize]) -> usize {
    let rest = parser.try_raw_args().expect("a value reaches to the end of its argument");
    lengths.len() - rest.as_slice().len() - 1
}

/// UCARP 1.5.2 ignores operands in silence. They are not shown: one may be the second half of an unquoted password.
fn operand_warning(operands: &[usize]) -> Option<Warning> {
    let first = operands.first()?;
    Some(Warning::warn(format!(
        "{} argument(s) that belong to no option are ignored, the first is number {first}: quote values with blanks",
        operands.len()
    )))
}

fn short(letter: char) -> Result<&'static Opt, UsageError> {
    OPTIONS
        .iter()
        .find(|option| option.short == Some(letter))
        .ok_or_else(|| UsageError::UnknownShort(printable(letter.to_string().as_ref())))
}

/// The option of that long name or prefix of one. Our own options give way to UCARP's, so that `--v` is still `--vhid`.
fn long(name: &str) -> Result<&'static Opt, UsageError> {
    if let Some(exact) = OPTIONS.iter().find(|option| option.long.contains(&name)) {
        return Ok(exact);
    }
    for origin in [Origin::Classic, Origin::New] {
        let begins = |option: &&Opt| option.origin == origin && option.long.iter().any(|long| long.starts_with(name));
        let candidates: Vec<&Opt> = OPTIONS.iter().filter(begins).collect();
        match candidates[..] {
            [] => {}
            [only] => return Ok(only),
            _ => {
                let candidates = candidates.iter().map(|option| format!("'--{}'", option.name())).collect::<Vec<_>>();
                return Err(UsageError::Ambiguous { name: printable(name.as_ref()), candidates: candidates.join(" ") });
            }
        }
    }
    Err(UsageError::UnknownLong(printable(name.as_ref())))
}

/// The settings of an empty command line, which are the table's.
fn defaults() -> Options {
    let mut options = check::unset();
    for option in OPTIONS {
        if let Some(default) = option.default {
            take(&mut options, option, option.name(), default.into()).expect("the table's defaults are valid");
        }
    }
    options
}

/// Takes one option into the options; `given` is the option as typed, for messages. Returns an action if it stops here.
fn take(options: &mut Options, option: &Opt, given: &str, value: OsString) -> Result<Option<Action>, UsageError> {
    match option.id {
        OptionId::Interface => options.interface = interface(given, value)?,
        OptionId::Source => options.source = address(given, &value)?,
        OptionId::Group => options.group = address(given, &value)?,
        OptionId::Vhid => options.vhid = number(option, given, &value)?,
        OptionId::Password => options.password = Password::new(Zeroizing::new(value.into_vec())),
        OptionId::PasswordFile => {
            let file = password_file::read(Path::new(&value))?;
            options.password = Password::new(file.password);
            options.warnings.extend(file.warnings.into_iter().map(Warning::warn));
        }
        OptionId::Preempt => options.preempt = true,
        OptionId::Neutral => options.neutral = true,
        OptionId::Address => options.address = address(given, &value)?,
        OptionId::Advbase => options.advbase = number(option, given, &value)?,
        OptionId::Advskew => options.advskew = number(option, given, &value)?,
        OptionId::UpScript => options.up_script = Some(value),
        OptionId::DownScript => options.down_script = Some(value),
        OptionId::Xparam => options.xparam = Some(value),
        OptionId::ScriptTimeout => options.script_timeout = Duration::from_secs(number(option, given, &value)?),
        // 0 is refused later and in UCARP's words.
        OptionId::DeadRatio if value::number(&value, 0, 0).is_ok() => options.dead_ratio = 0,
        OptionId::DeadRatio => options.dead_ratio = number(option, given, &value)?,
        OptionId::Shutdown => options.shutdown = true,
        OptionId::Daemonize => options.daemonize = true,
        OptionId::Control => options.control = Some(control(&value)?),
        OptionId::PidFile => options.pid_file = Some(path::absolute(value).map_err(UsageError::PidFilePath)?),
        OptionId::IgnoreInterfaceState => options.ignore_interface_state = true,
        OptionId::NoMulticast => options.no_multicast = true,
        OptionId::Facility => facility(options, given, &value),
        OptionId::Debug => options.debug = true,
        OptionId::NoSplit => options.split = false,
        OptionId::Config | OptionId::Check | OptionId::ShowConfig => {}
        OptionId::Help => return Ok(Some(Action::Help)),
        OptionId::Version => return Ok(Some(Action::Version)),
        OptionId::Completions => return shell(&value).map(|shell| Some(Action::Completions(shell))),
    }
    Ok(None)
}

/// An interface's name; an empty one leaves the choice to us, as with UCARP 1.5.2.
fn interface(given: &str, value: OsString) -> Result<Option<String>, UsageError> {
    let fault = |value: OsString| UsageError::Interface { option: given.to_owned(), value: quoted(&value) };
    value.into_string().map(|name| Some(name).filter(|name| !name.is_empty())).map_err(fault)
}

/// A full path, as the daemon changes its directory; or none.
fn control(value: &OsStr) -> Result<ControlSocket, UsageError> {
    if value == "none" {
        return Ok(ControlSocket::Nowhere);
    }
    path::absolute(value).map(ControlSocket::At).map_err(UsageError::ControlPath)
}

fn address(given: &str, value: &OsStr) -> Result<Ipv4Addr, UsageError> {
    value::address(value).ok_or_else(|| UsageError::Address { option: given.to_owned(), value: printable(value) })
}

/// A number in the range of the option's table entry, as the type of its setting.
fn number<T: TryFrom<u32>>(option: &Opt, given: &str, value: &OsStr) -> Result<T, UsageError> {
    let Some(Kind::Number { least, most }) = option.argument.map(|argument| argument.kind) else {
        unreachable!("the table has a number for {}", option.name());
    };
    let fault = |fault| UsageError::Number {
        name: option.name(),
        option: given.to_owned(),
        value: quoted(value),
        remark: if fault == NumberFault::NotANumber { ": not a whole number" } else { "" },
        least,
        most,
    };
    let number = value::number(value, least, most).map_err(fault)?;
    T::try_from(number).map_err(|_| fault(NumberFault::OutOfRange))
}

/// UCARP 1.5.2 logs an unknown facility as an error and runs on with what it had.
fn facility(options: &mut Options, given: &str, value: &OsStr) {
    match value.to_str().and_then(Facility::from_name) {
        Some(facility) => options.facility = facility,
        None => options.warnings.push(Warning::error(format!(
            "Unknown syslog facility: [{}] (option {given}: give one of {})",
            printable(value),
            Facility::names()
        ))),
    }
}

fn shell(value: &OsStr) -> Result<Shell, UsageError> {
    value.to_str().and_then(Shell::from_name).ok_or_else(|| UsageError::Shell(quoted(value)))
}

fn quoted(value: &OsStr) -> String {
    format!("\"{}\"", printable(value))
}

#[cfg(test)]
mod tests;
