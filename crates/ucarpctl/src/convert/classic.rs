//! UCARP's options, wherever they are written: from words to the keys of a virtual host.

use std::ffi::OsString;

use lexopt::{Arg, Parser};
use ucarp::config::{KEYS, KeyId, Kind};
use ucarp::options::{OPTIONS, Opt, OptionId, Origin as OptionOrigin};

use super::draft::{Draft, Host, Origin, Place, Value};

/// Scripts of packages that do nothing but add and remove the address.
const PACKAGED: &[&str] = &[
    "/usr/share/ucarp/vip-up",
    "/usr/share/ucarp/vip-down",
    "/usr/libexec/ucarp/vip-up",
    "/usr/libexec/ucarp/vip-down",
];

/// A virtual host as UCARP's options describe it.
pub(super) struct Ucarp {
    pub(super) host: Host,
    place: Place,
    /// The interface as scripts get it, perhaps with a label.
    title: Option<(String, Origin)>,
    address: Option<String>,
    up: Option<(String, Origin)>,
    down: Option<(String, Origin)>,
    xparam: Option<(String, Origin)>,
    neutral: Option<Origin>,
    shutdown: bool,
    vhid: Option<u32>,
}

impl Ucarp {
    pub(super) fn new(place: &Place) -> Self {
        Self {
            host: Host::new("vip", place.clone()),
            place: place.clone(),
            title: None,
            address: None,
            up: None,
            down: None,
            xparam: None,
            neutral: None,
            shutdown: false,
            vhid: None,
        }
    }

    /// The words of a command line behind the program's name.
    pub(super) fn words(&mut self, words: &[String], place: &Place, draft: &mut Draft) {
        let mut parser = Parser::from_iter(std::iter::once("ucarp").chain(words.iter().map(String::as_str)));
        parser.set_short_equals(false);
        let mut operands = 0;
        loop {
            let (option, given) = match parser.next() {
                Ok(None) => break,
                Ok(Some(Arg::Value(_))) => {
                    operands += 1;
                    continue;
                }
                Ok(Some(Arg::Short(letter))) => (short(letter), format!("-{letter}")),
                Ok(Some(Arg::Long(name))) => (long(name), format!("--{name}")),
                Err(error) => return draft.fault(place, format!("{error}: give the option without a value")),
            };
            let Some(option) = option else {
                return draft.fault(place, format!("{given} is no option of UCARP, or may mean several: correct it"));
            };
            let mut value = OsString::new();
            if option.argument.is_some() {
                match parser.value() {
                    Ok(found) => value = found,
                    Err(_) => return draft.fault(place, format!("{given} needs a value: add it")),
                }
            }
            let value = value.to_string_lossy().into_owned();
            self.option(option.id, &given, &value, place, draft);
        }
        if operands > 0 {
            let text =
                format!("{operands} words that belong to no option; UCARP ignores them: quote values with blanks");
            draft.lost(place, text);
        }
    }

    /// One option. `given` is how it was written, for the comment.
    pub(super) fn option(&mut self, id: OptionId, given: &str, value: &str, place: &Place, draft: &mut Draft) {
        let shown = match (id, value) {
            (OptionId::Password, _) if given.ends_with('=') => format!("{given}***"),
            (OptionId::Password, _) => format!("{given} ***"),
            (_, "") => given.to_owned(),
            _ if given.ends_with('=') => format!("{given}{value}"),
            _ => format!("{given} {value}"),
        };
        let origin = place.says(shown);
        let said = (value.to_owned(), origin.clone());
        match id {
            OptionId::Interface if value.is_empty() => {}
            OptionId::Interface => self.title = Some(said),
            OptionId::Address => {
                self.address = Some(value.to_owned());
                self.host.remove(KeyId::Addresses);
                self.host.add(KeyId::Addresses, value, origin);
            }
            OptionId::UpScript => self.up = Some(said),
            OptionId::DownScript => self.down = Some(said),
            OptionId::Xparam => self.xparam = Some(said),
            OptionId::Neutral => self.neutral = Some(origin),
            OptionId::Shutdown => self.shutdown = true,
            OptionId::NoMulticast => self.host.text(KeyId::Transport, "broadcast", origin),
            OptionId::Password => {
                self.host.remove(KeyId::PasswordFile);
                self.host.text(KeyId::Password, value, origin);
            }
            OptionId::PasswordFile => self.password_file(value, origin, draft),
            OptionId::Daemonize => {}
            OptionId::Debug => {
                draft.differs(place, format!("{given}: give -D to `ucarp -c` itself if it is still wanted"));
            }
            OptionId::Facility => {
                draft.differs(place, format!("{given} {value}: give -f {value} to `ucarp -c` itself"));
            }
            OptionId::Help | OptionId::Version | OptionId::Completions => {
                draft.fault(place, format!("{given} is no option of a daemon that runs: take it out"));
            }
            OptionId::Config | OptionId::Check | OptionId::ShowConfig => {
                draft.fault(place, format!("{given}: this is a command line with a configuration file already"));
            }
            _ => self.simple(id, given, value, origin, draft),
        }
    }

    /// Options that have a key of the same meaning.
    fn simple(&mut self, id: OptionId, given: &str, value: &str, origin: Origin, draft: &mut Draft) {
        if id == OptionId::ScriptTimeout {
            return self.host.text(KeyId::ScriptTimeout, format!("{value}s"), origin);
        }
        let option = OPTIONS.iter().find(|option| option.id == id).expect("every option is in the table");
        let key = KEYS.iter().find(|key| option.long.iter().any(|long| key.classic.contains(long)));
        // What is about the process has none.
        let Some(key) = key else {
            return draft
                .differs(&origin.place, format!("{given}: give it to `ucarp -c` itself if it is still wanted"));
        };
        match key.kind {
            Kind::Flag => self.host.flag(key.id, origin),
            Kind::Number { least, most } => match number(value).filter(|number| (least..=most).contains(number)) {
                Some(number) => {
                    self.vhid = if id == OptionId::Vhid { Some(number) } else { self.vhid };
                    self.host.number(key.id, number, origin);
                }
                None => draft.fault(&origin.place, wrong_number(given, value, least, most)),
            },
            _ => self.host.text(key.id, value, origin),
        }
    }

    fn password_file(&mut self, value: &str, origin: Origin, draft: &mut Draft) {
        if !value.starts_with('/') {
            let text =
                format!("the password file {value:?} is not a full path: write it as the daemon finds it from /");
            return draft.fault(&origin.place, text);
        }
        self.host.remove(KeyId::Password);
        draft.differs(&origin.place, format!("{value} must be readable by its owner alone now: chmod 600 {value}"));
        self.host.text(KeyId::PasswordFile, value, origin);
    }

    /// The prefix length with which a script added the address.
    pub(super) fn prefix(&mut self, length: u8, origin: Origin) {
        if let Some(address) = &self.address {
            let address = if length == 32 { address.clone() } else { format!("{address}/{length}") };
            self.host.remove(KeyId::Addresses);
            self.host.add(KeyId::Addresses, address, origin);
        }
    }

    /// Nothing tells whether the daemon was stopped in order; the package's way of starting it does.
    pub(super) fn ends_in_order(&mut self) {
        self.shutdown = true;
    }

    /// Whether other scripts than those that packages bring hold the address.
    pub(super) fn has_own_scripts(&self) -> bool {
        let own = |script: &Option<(String, Origin)>| script.as_ref().is_some_and(|(path, _)| is_own(path));
        own(&self.up) || own(&self.down)
    }

    /// The virtual host, when everything about it is known.
    pub(super) fn finish(mut self, draft: &mut Draft) -> Host {
        if !self.shutdown {
            let text =
                "without -z UCARP left the address behind when it was stopped; now the end is always an orderly one";
            draft.differs(&self.place, text);
        }
        let title = self.title.take();
        if let Some((title, origin)) = &title {
            let interface = title.split(':').next().unwrap_or_default();
            self.host.text(KeyId::Interface, interface, origin.clone());
        }
        if self.has_own_scripts() {
            self.scripts(title.as_ref().map(|(title, _)| title.as_str()), draft);
        } else {
            self.native(title, draft);
        }
        if self.host.name == "vip" {
            let interface = self.host.text_of(KeyId::Interface).unwrap_or("vip").to_owned();
            self.host.name = self.vhid.map_or(interface.clone(), |vhid| format!("{interface}-{vhid}"));
        }
        self.host
    }

    /// Scripts hold the address, as before.
    fn scripts(&mut self, title: Option<&str>, draft: &mut Draft) {
        let label = title.filter(|title| title.contains(':')).map(str::to_owned);
        let mut first = None;
        for (id, script) in [(KeyId::Up, self.up.take()), (KeyId::Down, self.down.take())] {
            let Some((path, origin)) = script.filter(|(path, _)| !path.is_empty()) else { continue };
            first.get_or_insert_with(|| origin.clone());
            if !path.starts_with('/') {
                let text = format!("the script {path:?} is not a full path: write it as the daemon finds it from /");
                draft.fault(&origin.place, text);
            }
            // Only a string gets UCARP's arguments, and its interface has no label.
            match &label {
                None => self.host.text(id, path, origin),
                Some(label) => {
                    let xparam = self.xparam.as_ref().map(|(value, _)| value.clone());
                    let words = [Some(path), Some(label.clone()), self.address.clone(), xparam].into_iter().flatten();
                    let list = words.map(|word| (word, origin.clone())).collect();
                    self.host.set(id, Value::List(list), origin);
                }
            }
        }
        if let (Some((value, origin)), None) = (&self.xparam, &label) {
            self.host.text(KeyId::Xparam, value, origin.clone());
        }
        if let (Some(origin), true) = (self.neutral.take(), self.host.has(KeyId::Down)) {
            self.host.flag(KeyId::Neutral, origin);
        }
        if let Some(origin) = first {
            let text = "the scripts go on holding the address; if they do nothing else, take `hold`, `up` and `down` out, \
                        and the daemon holds it with a lease";
            draft.differs(&origin.place, text);
            self.host.text(KeyId::Hold, "scripts", origin);
        }
    }

    /// The daemon holds the address itself.
    fn native(&mut self, title: Option<(String, Origin)>, draft: &mut Draft) {
        let scripts = [self.up.take(), self.down.take()];
        match scripts.iter().flatten().find(|(path, _)| !path.is_empty()) {
            Some((path, origin)) => {
                let text = format!("the daemon adds and removes the address itself, with a lease, instead of {path}");
                draft.differs(&origin.place, text);
            }
            None => {
                draft
                    .differs(&self.place, "UCARP moved no address without scripts; now the daemon adds and removes it");
            }
        }
        for (what, origin) in [("-x", self.xparam.take().map(|(_, origin)| origin)), ("-n", self.neutral.take())] {
            if let Some(origin) = origin {
                draft.lost(&origin.place, format!("{what} was for scripts, and none is left"));
            }
        }
        if let Some((label, origin)) = title.filter(|(title, _)| title.contains(':')) {
            self.host.text(KeyId::Label, label, origin);
        }
    }
}

fn is_own(path: &str) -> bool {
    !path.is_empty() && !PACKAGED.contains(&path)
}

fn short(letter: char) -> Option<&'static Opt> {
    OPTIONS.iter().find(|option| option.short == Some(letter))
}

/// The option of that name, or the only one of UCARP's, or else of ours, that begins so.
fn long(name: &str) -> Option<&'static Opt> {
    let exact = OPTIONS.iter().find(|option| option.long.contains(&name));
    exact.or_else(|| {
        [OptionOrigin::Classic, OptionOrigin::New].into_iter().find_map(|origin| {
            let begins =
                |option: &&Opt| option.origin == origin && option.long.iter().any(|long| long.starts_with(name));
            let mut candidates = OPTIONS.iter().filter(begins);
            candidates.next().filter(|_| candidates.next().is_none())
        })
    })
}

/// A number as UCARP reads it: decimal, `0x` hexadecimal, or octal after a 0.
pub(super) fn number(text: &str) -> Option<u32> {
    let text = text.trim_start().strip_prefix('+').unwrap_or(text.trim_start());
    if text.starts_with(['+', '-']) {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// UCARP takes many wrong numbers for others in silence; which one was meant, the operator has to say.
fn wrong_number(given: &str, value: &str, least: u32, most: u32) -> String {
    format!(
        "{given} {value} is no number from {least} to {most}; UCARP may have taken it for another one: write what is meant"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_ucarp_reads_them() {
        let cases = [
            ("7", Some(7)),
            ("010", Some(8)),
            ("0x10", Some(16)),
            ("+3", Some(3)),
            ("-1", None),
            ("1abc", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(number(text), wanted, "{text}");
        }
    }

    #[test]
    fn every_option_of_the_table_is_understood() {
        let place = super::super::draft::Input { name: "f".into(), text: String::new() }.place(1);
        for option in OPTIONS {
            let mut draft = Draft::default();
            let value = if option.argument.is_some() { "1" } else { "" };
            Ucarp::new(&place).option(option.id, "-o", value, &place, &mut draft);
        }
    }
}
