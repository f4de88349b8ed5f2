//! `ucarpctl convert`: configurations of UCARP, BSD's CARP and keepalived as a file of ours.
//!
//! A reader for each [`Form`] fills a [`Draft`] with virtual hosts, each value with where it came from, and with remarks:
//! what was lost, differs or has to be done. What it does not understand is never dropped in silence. The result is held
//! against the daemon's own reading before it is printed.

mod bsd;
mod classic;
mod command;
mod detect;
mod draft;
mod files;
mod ifconfig;
mod ifupdown;
mod keepalived;
mod render;
mod shell;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use ucarp::config::{self, KeyId};

use crate::failure::{Failure, USAGE};
use crate::input;
use detect::Form;
use draft::{Draft, Host, Input, Kind, Value};

/// Print a configuration of UCARP, BSD's CARP or keepalived as one of ucarp
///
/// The result goes to standard output, with a comment on each line that says where it came from. What is to be done, what
/// could not be carried over and what differs goes to standard error, and to the head of the result.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What the files are; found out by their content unless given
    #[arg(long, value_name = "FORM")]
    from: Option<Form>,
    /// The interface on this host: NEW for all virtual hosts, or OLD=NEW for those of one interface
    #[arg(long, value_name = "[OLD=]NEW")]
    interface: Vec<Renaming>,
    /// Name this password file in the result instead of writing passwords into it
    #[arg(long, value_name = "PATH")]
    password_file: Option<PathBuf>,
    /// The files, all of one kind; - is standard input
    #[arg(required = true)]
    file: Vec<PathBuf>,
}

/// An interface that has another name here.
#[derive(Clone, Debug)]
struct Renaming {
    old: Option<String>,
    new: String,
}

impl FromStr for Renaming {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (old, new) = text.split_once('=').map_or((None, text), |(old, new)| (Some(old.to_owned()), new));
        if new.is_empty() {
            return Err("give the name of the interface, as in eth0 or em0=eth0".into());
        }
        Ok(Self { old, new: new.to_owned() })
    }
}

/// Exits with 0 if there is a result, and otherwise with 1.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    if let Some(path) = arguments.password_file.as_ref().filter(|path| !path.is_absolute()) {
        let text = format!("--password-file {}: give the full path", path.display());
        return Err(Failure::new(USAGE, text));
    }
    let inputs = arguments.file.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let conversion = convert(&inputs, arguments);
    let mut errors = io::stderr().lock();
    for remark in &conversion.remarks {
        // Nothing can be done for somebody whose terminal is gone.
        let _ = writeln!(errors, "{remark}");
    }
    match conversion.text {
        Some(text) => {
            out.write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::FAILURE),
    }
}

fn read(path: &Path) -> Result<Input, Failure> {
    let name = if path.as_os_str() == "-" { "stdin".into() } else { path.to_string_lossy() };
    Ok(Input { name: name.as_ref().into(), text: input::read(path)? })
}

/// What came of it.
struct Conversion {
    /// None if something was wrong.
    text: Option<String>,
    /// A line each for standard error.
    remarks: Vec<String>,
}

fn convert(inputs: &[Input], arguments: &Arguments) -> Conversion {
    let form = match arguments.from.map_or_else(|| form_of(inputs), Ok) {
        Ok(form) => form,
        Err(text) => return Conversion { text: None, remarks: vec![text] },
    };
    let mut draft = Draft::default();
    match form {
        Form::Ucarp => command::read(inputs, &mut draft),
        Form::Ifupdown => ifupdown::read(inputs, &mut draft),
        Form::Sysv => files::read_sysv(inputs, &mut draft),
        Form::Fedora => files::read_fedora(inputs, &mut draft),
        Form::Freebsd => bsd::read_freebsd(inputs, &mut draft),
        Form::Openbsd => bsd::read_openbsd(inputs, &mut draft),
        Form::Keepalived => keepalived::read(inputs, &mut draft),
    }
    finish(&mut draft, form, arguments);
    let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
    let title = format!("Made by: ucarpctl convert --from {} {}", form.name(), names.join(" "));
    let text = render::render(&draft, &title);
    if draft.faults.is_empty() {
        check(&text, &mut draft);
    }
    let remarks = draft.findings.iter().map(ToString::to_string);
    let faults = draft.faults.iter().map(ToString::to_string);
    Conversion { remarks: remarks.chain(faults).collect(), text: draft.faults.is_empty().then_some(text) }
}

/// What all files are that tell; the others may be files of settings that say nothing by themselves.
fn form_of(inputs: &[Input]) -> Result<Form, String> {
    let mut found: Option<(Form, &Input)> = None;
    for input in inputs {
        match (detect::detect(input), found) {
            (Some(form), None) => found = Some((form, input)),
            (Some(form), Some((other, first))) if form != other => {
                let (form, other) = (form.name(), other.name());
                return Err(format!(
                    "error: {} is {other} and {} is {form}: convert them one by one",
                    first.name, input.name
                ));
            }
            _ => {}
        }
    }
    found.map(|(form, _)| form).ok_or_else(|| {
        let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
        format!("error: {}: no configuration that is known here: say what it is with --from", names.join(", "))
    })
}

/// What is the same for all forms: names of interfaces, passwords, what is missing.
fn finish(draft: &mut Draft, form: Form, arguments: &Arguments) {
    let mut hosts = std::mem::take(&mut draft.hosts);
    if hosts.is_empty() && draft.faults.is_empty() {
        let text = format!("there is no virtual host in this, read as {}", form.name());
        draft.faults.push(draft::Fault { place: None, text });
    }
    let several = hosts.len() > 1;
    for host in &mut hosts {
        interface(host, form, &arguments.interface, draft);
        password(host, several, arguments.password_file.as_deref(), draft);
    }
    draft.hosts = hosts;
    draft.findings.sort_by_key(|finding| finding.kind);
}

fn interface(host: &mut Host, form: Form, renamings: &[Renaming], draft: &mut Draft) {
    let place = host.place.clone();
    let old = host.text_of(KeyId::Interface).map(str::to_owned);
    let renaming = renamings.iter().find(|renaming| renaming.old.is_none() || renaming.old == old);
    match (renaming, old) {
        (Some(renaming), old) => {
            let words = old.map_or_else(|| "--interface".to_owned(), |old| format!("{old}, renamed by --interface"));
            host.text(KeyId::Interface, &renaming.new, place.says(words));
        }
        (None, Some(old)) if matches!(form, Form::Freebsd | Form::Openbsd) => {
            draft.task(
                &place,
                format!("interface {old}: it has another name on Linux: convert with --interface {old}=NAME"),
            );
        }
        (None, Some(_)) => {}
        (None, None) => draft.fault(&place, format!("{} names no interface: convert with --interface NAME", host.name)),
    }
}

fn password(host: &mut Host, several: bool, file: Option<&Path>, draft: &mut Draft) {
    let place = host.place.clone();
    if let Some(entry) = host.get(KeyId::Password) {
        let origin = entry.origin.clone();
        let is_long = matches!(&entry.value, Value::Text(text) if text.len() > 19);
        if is_long {
            draft.fault(
                &origin.place,
                "the password has more than 19 octets, which UCARP refuses: give the group another one",
            );
        }
        let Some(file) = file else {
            return draft.task(
                &origin.place,
                "the password stands in the result: chmod 600 it, or convert with --password-file",
            );
        };
        let path = if several { format!("{}-{}", file.display(), host.name) } else { file.display().to_string() };
        draft.task(&origin.place, format!("put this password into the first line of {path}, and chmod 600 it"));
        host.remove(KeyId::Password);
        host.text(KeyId::PasswordFile, path, origin);
    } else if !host.has(KeyId::PasswordFile) && !host.has(KeyId::Key) {
        let path = file.map_or_else(|| keepalived::PASSWORD_FILE.to_owned(), |file| file.display().to_string());
        draft.fault(&place, format!("{} has no password: add it, or name its file there instead of {path}", host.name));
    } else if host.text_of(KeyId::PasswordFile) == Some(keepalived::PASSWORD_FILE)
        && host.get(KeyId::PasswordFile).is_some_and(|entry| entry.origin.words == "a new password")
    {
        let path = file.map_or_else(|| keepalived::PASSWORD_FILE.to_owned(), |file| file.display().to_string());
        host.text(KeyId::PasswordFile, &path, place.says("a new password"));
        let text = format!(
            "make a password on one host, (umask 077; openssl rand -hex 9 > {path}), and copy it to the others"
        );
        draft.general(Kind::ToDo, text);
    }
}

/// Holds the result against the daemon's own reading.
fn check(text: &str, draft: &mut Draft) {
    if let Err(problems) = config::parse(text) {
        let text = format!("the result is not accepted by the daemon (its lines are those of the result):\n{problems}");
        draft.faults.push(draft::Fault { place: None, text });
    }
}
