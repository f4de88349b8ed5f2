//! The options. Parser, help, completions and the check of the manual page read this table and nothing else.

/// One option of the command line.
#[derive(Debug)]
pub struct Opt {
    /// Which setting it is.
    pub id: OptionId,
    /// The letter, if it has one.
    pub short: Option<char>,
    /// The long names without dashes. The first is the documented one.
    pub long: &'static [&'static str],
    /// What it takes, or `None` for a flag.
    pub argument: Option<Argument>,
    /// One line for help and completions.
    pub summary: &'static str,
    /// The value that holds without the option, as it would be typed.
    pub default: Option<&'static str>,
    /// Whether UCARP 1.5.2 has it.
    pub origin: Origin,
}

impl Opt {
    /// Whether it can stand beside `-c`: who starts the daemon says it, not what the daemon does.
    pub(super) const fn goes_with_config(&self) -> bool {
        matches!(
            self.id,
            OptionId::Config
                | OptionId::Check
                | OptionId::ShowConfig
                | OptionId::Daemonize
                | OptionId::Facility
                | OptionId::Debug
                | OptionId::PidFile
                | OptionId::Control
                | OptionId::NoSplit
        )
    }

    /// The documented long name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.long[0]
    }

    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// The argument of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// What stands for it in help and manual page.
    pub placeholder: &'static str,
    /// What it must be.
    pub kind: Kind,
}

/// What the argument of an option must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// The name of an interface.
    Interface,
    /// An IPv4 address.
    Address,
    /// A path.
    File,
    /// The name of a syslog facility.
    Facility,
    /// The name of a shell.
    Shell,
    /// A whole number.
    Number {
        /// The smallest one allowed.
        least: u32,
        /// The largest one allowed.
        most: u32,
    },
}

/// Whether UCARP 1.5.2 has an option. Prefixes of long options mean UCARP's options first: a new option never makes an
/// old abbreviation ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Of UCARP.
    Classic,
    /// Ours.
    New,
}

/// The settings behind the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table says what each one is")]
pub enum OptionId {
    Interface,
    Source,
    Group,
    Vhid,
    Password,
    PasswordFile,
    Preempt,
    Neutral,
    Address,
    Advbase,
    Advskew,
    UpScript,
    DownScript,
    Xparam,
    ScriptTimeout,
    DeadRatio,
    Shutdown,
    Daemonize,
    PidFile,
    Control,
    IgnoreInterfaceState,
    NoMulticast,
    Facility,
    Debug,
    NoSplit,
    Help,
    Version,
    Completions,
    Config,
    Check,
    ShowConfig,
}

/// UCARP 1.5.2 takes any number but 0. With this one a MASTER may already be silent for days.
pub(super) const LARGEST_DEAD_RATIO: u32 = 1_000_000;

/// Every option, in the order of `--help`.
pub const OPTIONS: &[Opt] = &[
    Opt { origin: Origin::New, ..value(OptionId::Config, 'c', &["config"], FILE, "run what FILE and its conf.d say") },
    value(OptionId::Interface, 'i', &["interface"], IF, "network interface; otherwise the first usable one"),
    value(OptionId::Source, 's', &["srcip"], IP, "own (real) address of this host; required"),
    // UCARP documents --mcast, which it accepts as a prefix of the real name. Its -m is documented and not accepted.
    value(OptionId::Group, 'm', &["mcast", "mcastip"], IP, "multicast group to advertise to").or("224.0.0.18"),
    value(OptionId::Vhid, 'v', &["vhid"], number("ID", 1, 255), "virtual host id; required"),
    value(OptionId::Password, 'p', &["pass"], PASSWORD, "shared password; this or -o is required"),
    value(OptionId::PasswordFile, 'o', &["passfile"], FILE, "take the password from the first line of FILE"),
    flag(OptionId::Preempt, 'P', &["preempt"], "take over from a MASTER of lower rank"),
    flag(OptionId::Neutral, 'n', &["neutral"], "do not run the down script at start"),
    value(OptionId::Address, 'a', &["addr"], IP, "virtual address to share; required"),
    value(OptionId::Advbase, 'b', &["advbase"], number("SECONDS", 0, 255), "seconds between advertisements").or("1"),
    value(OptionId::Advskew, 'k', &["advskew"], number("SKEW", 0, 255), "extra 1/256 seconds between advertisements")
        .or("0"),
    value(OptionId::UpScript, 'u', &["upscript"], FILE, "run FILE on becoming MASTER"),
    value(OptionId::DownScript, 'd', &["downscript"], FILE, "run FILE on becoming BACKUP"),
    value(OptionId::Xparam, 'x', &["xparam"], VALUE, "third argument of the scripts"),
    new(OptionId::ScriptTimeout, &["script-timeout"], number("SECONDS", 1, 3600), "end a script that runs longer")
        .or("60"),
    value(
        OptionId::DeadRatio,
        'r',
        &["deadratio"],
        number("RATIO", 1, LARGEST_DEAD_RATIO),
        "a MASTER silent for RATIO times advbase is dead",
    )
    .or("3"),
    flag(OptionId::Shutdown, 'z', &["shutdown"], "at exit run the down script and say goodbye"),
    flag(OptionId::Daemonize, 'B', &["daemonize"], "run in the background"),
    new(OptionId::PidFile, &["pidfile"], FILE, "write the process id to FILE, and remove it at the end"),
    new(OptionId::Control, &["control"], FILE, "put the control socket at FILE; none for no socket"),
    flag(OptionId::IgnoreInterfaceState, 'S', &["ignoreifstate"], "stay MASTER when the cable is unplugged"),
    flag(OptionId::NoMulticast, 'M', &["nomcast"], "send to the broadcast instead of the multicast MAC"),
    value(OptionId::Facility, 'f', &["facility"], FACILITY, "syslog facility, or none").or("daemon"),
    flag(OptionId::Debug, 'D', &["debug"], "log debug messages"),
    new_flag(OptionId::NoSplit, &["no-split"], "one process without sandbox, for debugging"),
    flag(OptionId::Help, 'h', &["help"], "print this help"),
    Opt { origin: Origin::New, ..flag(OptionId::Version, 'V', &["version"], "print the version") },
    new_flag(OptionId::Check, &["check"], "tell all that is wrong with the configuration file"),
    new_flag(OptionId::ShowConfig, &["show-config"], "print the configuration as it takes effect"),
    new(OptionId::Completions, &["completions"], SHELL, "print completions for bash, zsh or fish"),
];

const IF: Argument = Argument { placeholder: "IF", kind: Kind::Interface };
const IP: Argument = Argument { placeholder: "IP", kind: Kind::Address };
const PASSWORD: Argument = Argument { placeholder: "PASSWORD", kind: Kind::Text };
const VALUE: Argument = Argument { placeholder: "VALUE", kind: Kind::Text };
const FILE: Argument = Argument { placeholder: "FILE", kind: Kind::File };
const FACILITY: Argument = Argument { placeholder: "NAME", kind: Kind::Facility };
const SHELL: Argument = Argument { placeholder: "SHELL", kind: Kind::Shell };

const fn number(placeholder: &'static str, least: u32, most: u32) -> Argument {
    Argument { placeholder, kind: Kind::Number { least, most } }
}

const fn flag(id: OptionId, short: char, long: &'static [&'static str], summary: &'static str) -> Opt {
    Opt { id, short: Some(short), long, argument: None, summary, default: None, origin: Origin::Classic }
}

const fn value(
    id: OptionId,
    short: char,
    long: &'static [&'static str],
    argument: Argument,
    summary: &'static str,
) -> Opt {
    Opt { argument: Some(argument), ..flag(id, short, long, summary) }
}

const fn new(id: OptionId, long: &'static [&'static str], argument: Argument, summary: &'static str) -> Opt {
    Opt { argument: Some(argument), ..new_flag(id, long, summary) }
}

const fn new_flag(id: OptionId, long: &'static [&'static str], summary: &'static str) -> Opt {
    Opt { id, short: None, long, argument: None, summary, default: None, origin: Origin::New }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name of the table, short ones with one dash and long ones with two.
    fn names() -> Vec<String> {
        let long = OPTIONS.iter().flat_map(|option| option.long).map(|name| format!("--{name}"));
        let short = OPTIONS.iter().filter_map(|option| option.short).map(|letter| format!("-{letter}"));
        long.chain(short).collect()
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names = names();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_option_of_ucarp_is_there() {
        let short = "isvpoPnahbkurDzBSMfxdm";
        let long = "interface srcip mcastip vhid pass passfile preempt neutral addr help advbase advskew upscript \
                    downscript deadratio debug shutdown daemonize ignoreifstate nomcast facility xparam mcast";
        let wanted = short.chars().map(|c| format!("-{c}")).chain(long.split_whitespace().map(|n| format!("--{n}")));
        let names = names();
        for name in wanted {
            assert!(names.contains(&name), "{name} is missing");
        }
    }

    #[test]
    fn a_new_name_is_never_a_prefix_of_a_classic_one() {
        for new in OPTIONS.iter().filter(|option| option.origin == Origin::New) {
            for classic in OPTIONS.iter().filter(|option| option.origin == Origin::Classic) {
                assert!(!classic.name().starts_with(new.name()), "{} {}", new.name(), classic.name());
            }
        }
    }

    /// Then help and completions can take them as they are.
    #[test]
    fn summaries_need_no_quoting() {
        for option in OPTIONS {
            assert!(!option.summary.contains(['\'', '"', '[', ']', '\\', '$', '`', '\n']), "{}", option.summary);
            assert!(option.summary.len() <= 60, "{}", option.summary);
        }
    }
}
