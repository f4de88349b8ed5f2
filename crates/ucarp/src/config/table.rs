//! The keys of a configuration file. Parser, suggestions, `--show-config` and the checks of manual page and guide read
//! this table and nothing else.

mod check;
#[cfg(test)]
mod tests;

pub(super) use check::find_check;
pub use check::{CHECK_KEYS, CheckKey, KINDS};

/// One key.
#[derive(Debug)]
pub struct KeySpec {
    /// Which setting it is.
    pub id: KeyId,
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Where it may stand.
    pub place: Place,
    /// The value that holds without it, as it would be written; `None` if there is none or it depends on other keys.
    pub default: Option<&'static str>,
    /// One line for the reader.
    pub summary: &'static str,
    /// The long options of UCARP 1.5.2's command line that say the same.
    pub classic: &'static [&'static str],
}

/// Where a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the first table of the main file.
    Top,
    /// In `[virtual-host.NAME]`.
    Host,
    /// In `[virtual-host.NAME]` or, for all of them, in `[defaults]`.
    HostOrDefaults,
    /// In `[check.NAME]`, and some in `[isolation]`.
    Check,
}

/// What the value of a key must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest one allowed.
        least: u32,
        /// The largest one allowed.
        most: u32,
    },
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A length of time such as `"30s"`, in whole seconds.
    Duration {
        /// The shortest one allowed, in seconds.
        least: u32,
        /// The longest one allowed, in seconds.
        most: u32,
    },
    /// A length of time such as `"500ms"`, in whole milliseconds.
    Time {
        /// The shortest one allowed, in milliseconds.
        least: u32,
        /// The longest one allowed, in milliseconds.
        most: u32,
    },
    /// A very short length of time such as `"5us"`, in whole microseconds.
    Slack {
        /// The shortest one allowed, in microseconds.
        least: u32,
        /// The longest one allowed, in microseconds.
        most: u32,
    },
    /// A length of time as [`Kind::Duration`] with the range [`LEASE_SECONDS`], or `"none"`.
    Lease,
    /// The name of a network interface.
    Interface,
    /// The label of an address.
    Label,
    /// Virtual addresses, each with or without a prefix length.
    Addresses,
    /// Addresses of other hosts.
    Peers,
    /// Names of checks.
    Names,
    /// The address of any one host, of this one too.
    Target,
    /// The address of a page.
    Url,
    /// An IPv4 address of one host.
    SourceV4,
    /// An IPv6 address of one host.
    SourceV6,
    /// An IPv4 multicast group.
    GroupV4,
    /// An IPv6 multicast group.
    GroupV6,
    /// The full path of a file.
    File,
    /// A program: its full path, or a list of that and its arguments.
    Command,
    /// Any text.
    Text,
    /// A name for something of the file.
    Name,
    /// A password.
    Password,
    /// The octets of a key, in hexadecimal digits.
    Key,
    /// An Ethernet address.
    Mac,
    /// The full path of a socket, or `false`.
    Socket,
}

/// `ucarp_control::DEFAULT_PATH`, as it is written in a file.
const CONTROL: &str =
    if cfg!(target_os = "freebsd") { "\"/var/run/ucarp/control.sock\"" } else { "\"/run/ucarp/control.sock\"" };

/// The shortest and the longest lease, in seconds.
pub const LEASE_SECONDS: (u32, u32) = (1, 86_400);

impl Kind {
    /// What is allowed, as the end of a sentence that begins with "must be".
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Flag => "true or false".into(),
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Choice(words) => list(words),
            Self::Duration { least, most } => {
                format!("a time from {} to {} such as \"30s\" or \"5m\"", duration(least), duration(most))
            }
            Self::Time { least, most } => {
                format!("a time from {} to {} such as \"500ms\" or \"2s\"", time(least), time(most))
            }
            Self::Slack { least, most } => format!("a time from {least}us to {most}us such as \"5us\""),
            Self::Lease => {
                let (least, most) = LEASE_SECONDS;
                format!("\"none\" or a time from {} to {} such as \"3s\"", duration(least), duration(most))
            }
            Self::Interface => "the name of an interface such as \"eth0\", without a label".into(),
            Self::Label => "1 to 15 octets without blanks, such as \"eth0:vip\"".into(),
            Self::Addresses => "a list of addresses such as [\"192.0.2.254\", \"2001:db8::fe/64\"]".into(),
            Self::Peers => "a list of addresses such as [\"192.0.2.2\", \"fe80::2\"]".into(),
            Self::Names => "a list of names of checks such as [\"gateway\"]".into(),
            Self::Target => "the address of a host such as \"192.0.2.2\" or \"fe80::2\"".into(),
            Self::Url => "a URL with an address such as \"http://127.0.0.1:8080/health\"".into(),
            Self::SourceV4 => "the IPv4 address of this host such as \"192.0.2.1\"".into(),
            Self::SourceV6 => "the IPv6 address of this host such as \"fe80::1\"".into(),
            Self::GroupV4 => "an IPv4 multicast group such as \"224.0.0.18\"".into(),
            Self::GroupV6 => "an IPv6 multicast group such as \"ff02::12\"".into(),
            Self::File => "the full path of a file".into(),
            Self::Command => "the full path of a program, or a list of that path and its arguments".into(),
            Self::Text => "a string".into(),
            Self::Name => "a name of 1 to 64 letters, digits, `-` and `_`".into(),
            Self::Password => "a string of 1 to 19 octets".into(),
            Self::Key => "a string of 40 hexadecimal digits".into(),
            Self::Socket => "the full path of a socket, or false".into(),
            Self::Mac => "an Ethernet address such as \"00:00:5e:00:01:01\"".into(),
        }
    }
}

/// `"a", "b" or "c"`.
fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Seconds as a configuration file writes them, in the largest unit that needs no fraction.
pub(super) fn duration(seconds: u32) -> String {
    for (unit, size) in [("d", 86_400), ("h", 3600), ("m", 60)] {
        if seconds >= size && seconds.is_multiple_of(size) {
            return format!("{}{unit}", seconds / size);
        }
    }
    format!("{seconds}s")
}

/// Milliseconds as a configuration file writes them.
pub(super) fn time(milliseconds: u32) -> String {
    if milliseconds.is_multiple_of(1000) { duration(milliseconds / 1000) } else { format!("{milliseconds}ms") }
}

/// The settings behind the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table says what each one is")]
pub enum KeyId {
    Grace,
    RealtimePriority,
    LockMemory,
    TimerSlack,
    Control,
    Vhid,
    Addresses,
    Interface,
    Password,
    PasswordFile,
    AllowReadablePasswordFile,
    Key,
    Advbase,
    Advskew,
    DeadRatio,
    Preempt,
    Transport,
    Group,
    Group6,
    Peers,
    Routed,
    Source,
    Source6,
    Hold,
    Lease,
    Label,
    Scope,
    PrefixRoute,
    Mac,
    VirtualInterface,
    Up,
    Down,
    Xparam,
    Neutral,
    ScriptTimeout,
    IgnoreCarrier,
    Tie,
    Authentication,
    SyncGroup,
    PreemptDelay,
    StartDelay,
    HoldDown,
    HoldDownAfter,
    HoldDownWindow,
    Refresh,
    Conflict,
    Penalty,
    RankedDemotion,
    DemotionCounter,
    LinkLocalDigest,
    Ipv6Checksum,
    OpenbsdLladdr,
    Checks,
    Check(CheckKey),
}

impl KeyId {
    /// The key's line of the table.
    #[must_use]
    pub fn spec(self) -> &'static KeySpec {
        KEYS.iter().chain(CHECK_KEYS).find(|spec| spec.id == self).expect("the tables have every key")
    }

    /// The key's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }
}

/// Up to a day, or not at all.
const A_DAY: Kind = Kind::Duration { least: 0, most: 86_400 };

const BYTE: Kind = Kind::Number { least: 0, most: 255 };

/// Every key, in the order of documents and of `--show-config`.
pub const KEYS: &[KeySpec] = &[
    KeySpec {
        place: Place::Top,
        ..key(
            KeyId::Grace,
            "grace",
            Kind::Duration { least: 0, most: 86_400 },
            "how long the old password and addresses stay accepted after a reload",
        )
        .or("\"5m\"")
    },
    KeySpec {
        place: Place::Top,
        ..key(
            KeyId::RealtimePriority,
            "realtime-priority",
            Kind::Number { least: 1, most: 99 },
            "run before all that have no real-time priority",
        )
    },
    KeySpec {
        place: Place::Top,
        ..key(KeyId::LockMemory, "lock-memory", Kind::Flag, "let nothing of the daemon's memory be swapped out")
            .or("false")
    },
    KeySpec {
        place: Place::Top,
        ..key(
            KeyId::TimerSlack,
            "timer-slack",
            Kind::Slack { least: 1, most: 10_000 },
            "how much later than asked for the kernel may wake the daemon",
        )
    },
    KeySpec {
        place: Place::Top,
        ..key(KeyId::Control, "control", Kind::Socket, "where the control socket is").or(CONTROL)
    },
    host(
        KeyId::Vhid,
        "vhid",
        Kind::Number { least: 1, most: 255 },
        "virtual host id, the same on all hosts of the group",
    )
    .like(&["vhid"]),
    host(KeyId::Addresses, "addresses", Kind::Addresses, "the shared addresses, /32 or /128 unless they say otherwise")
        .like(&["addr"]),
    key(KeyId::Interface, "interface", Kind::Interface, "where to advertise").like(&["interface"]),
    key(KeyId::Password, "password", Kind::Password, "the password of the group").like(&["pass"]),
    key(KeyId::PasswordFile, "password-file", Kind::File, "a file whose first line is the password")
        .like(&["passfile"]),
    key(
        KeyId::AllowReadablePasswordFile,
        "allow-readable-password-file",
        Kind::Flag,
        "take a password file that other users can read or change",
    )
    .or("false"),
    key(KeyId::Key, "key", Kind::Key, "the 20 octets of the key instead of a password"),
    key(KeyId::Advbase, "advbase", BYTE, "whole seconds between advertisements").or("1").like(&["advbase"]),
    key(KeyId::Advskew, "advskew", BYTE, "what is added to them, in 1/256 s").or("0").like(&["advskew"]),
    key(
        KeyId::DeadRatio,
        "dead-ratio",
        Kind::Number { least: 1, most: 1_000_000 },
        "a MASTER silent for this many advbases is dead",
    )
    .or("3")
    .like(&["deadratio"]),
    key(KeyId::Preempt, "preempt", Kind::Flag, "take over from a MASTER of lower rank").or("false").like(&["preempt"]),
    key(
        KeyId::Transport,
        "transport",
        Kind::Choice(&["multicast", "broadcast", "unicast"]),
        "how advertisements reach the other hosts",
    )
    .or("\"multicast\"")
    .like(&["nomcast"]),
    key(KeyId::Group, "group", Kind::GroupV4, "the multicast group of IPv4")
        .or("\"224.0.0.18\"")
        .like(&["mcast", "mcastip"]),
    key(KeyId::Group6, "group6", Kind::GroupV6, "the multicast group of IPv6").or("\"ff02::12\""),
    key(KeyId::Peers, "peers", Kind::Peers, "the other hosts of the group, with unicast"),
    key(KeyId::Routed, "routed", Kind::Flag, "accept peers behind routers, with unicast").or("false"),
    key(KeyId::Source, "source", Kind::SourceV4, "the IPv4 address to advertise from").like(&["srcip"]),
    key(KeyId::Source6, "source6", Kind::SourceV6, "the IPv6 address to advertise from"),
    key(KeyId::Hold, "hold", Kind::Choice(&["native", "scripts"]), "who adds and removes the addresses")
        .or("\"native\""),
    key(KeyId::Lease, "lease", Kind::Lease, "how long the kernel keeps an address of a dead daemon"),
    key(KeyId::Label, "label", Kind::Label, "the label of the IPv4 addresses"),
    key(KeyId::Scope, "scope", Kind::Choice(&["global", "link", "host"]), "the scope of the IPv4 addresses")
        .or("\"global\""),
    key(KeyId::PrefixRoute, "prefix-route", Kind::Flag, "let the kernel make a route for each prefix").or("true"),
    key(KeyId::Mac, "mac", Kind::Choice(&["interface", "virtual"]), "which Ethernet address clients see")
        .or("\"interface\""),
    key(KeyId::VirtualInterface, "virtual-interface", Kind::Interface, "the interface with the virtual MAC"),
    key(KeyId::Up, "up", Kind::Command, "what to run on becoming MASTER").like(&["upscript"]),
    key(KeyId::Down, "down", Kind::Command, "what to run on leaving MASTER, and at start").like(&["downscript"]),
    key(KeyId::Xparam, "xparam", Kind::Text, "a third argument of scripts that are given without a list")
        .like(&["xparam"]),
    key(KeyId::Neutral, "neutral", Kind::Flag, "do not run the down script at start").or("false").like(&["neutral"]),
    key(
        KeyId::ScriptTimeout,
        "script-timeout",
        Kind::Duration { least: 1, most: 3600 },
        "end a script that runs longer",
    )
    .or("\"1m\""),
    key(KeyId::IgnoreCarrier, "ignore-carrier", Kind::Flag, "stay MASTER when the cable is unplugged")
        .or("false")
        .like(&["ignoreifstate"]),
    key(KeyId::Tie, "tie", Kind::Choice(&["ucarp", "numeric", "kernel"]), "who stays when two MASTERs are equal")
        .or("\"ucarp\""),
    key(
        KeyId::Authentication,
        "authentication",
        Kind::Choice(&["classic", "observe", "strict"]),
        "what to do about repeated and changed advertisements",
    )
    .or("\"observe\""),
    key(KeyId::SyncGroup, "sync-group", Kind::Name, "virtual hosts of the same one are MASTER together or not at all"),
    key(KeyId::PreemptDelay, "preempt-delay", A_DAY, "do not preempt for so long after the start or a link failure")
        .or("\"0s\""),
    key(KeyId::StartDelay, "start-delay", A_DAY, "only listen for so long after the start").or("\"0s\""),
    key(KeyId::HoldDown, "hold-down", A_DAY, "do not preempt for so long after too many takeovers").or("\"5m\""),
    key(
        KeyId::HoldDownAfter,
        "hold-down-after",
        Kind::Number { least: 1, most: 100 },
        "so many takeovers are not too many",
    )
    .or("10"),
    key(
        KeyId::HoldDownWindow,
        "hold-down-window",
        Kind::Duration { least: 1, most: 86_400 },
        "the time in which takeovers are counted",
    )
    .or("\"1m\""),
    key(KeyId::Refresh, "refresh", A_DAY, "announce the addresses of a MASTER at least so often, or 0s: never")
        .or("\"1m\""),
    key(
        KeyId::Conflict,
        "conflict",
        Kind::Choice(&["defend", "yield", "report"]),
        "what to do when another machine has one of the addresses",
    )
    .or("\"defend\""),
    key(
        KeyId::Penalty,
        "penalty",
        Kind::Duration { least: 0, most: 3600 },
        "be demoted for so long after this host was stopped or could not send",
    )
    .or("\"30s\""),
    key(
        KeyId::RankedDemotion,
        "ranked-demotion",
        Kind::Flag,
        "let demoted hosts keep their ranks, with advskew 241 to 254",
    )
    .or("false"),
    key(
        KeyId::DemotionCounter,
        "demotion-counter",
        Kind::Flag,
        "send OpenBSD's demotion counter, and heed that of others",
    )
    .or("false"),
    key(
        KeyId::LinkLocalDigest,
        "link-local-digest",
        Kind::Choice(&["omit", "include"]),
        "whether digests cover IPv6 link-local addresses",
    )
    .or("\"omit\""),
    key(
        KeyId::Ipv6Checksum,
        "ipv6-checksum",
        Kind::Choice(&["plain", "pseudo-header"]),
        "what checksums cover over IPv6",
    )
    .or("\"plain\""),
    key(
        KeyId::OpenbsdLladdr,
        "openbsd-lladdr",
        Kind::Mac,
        "the lladdr that OpenBSD peers have set on their carp interface",
    ),
    key(KeyId::Checks, "checks", Kind::Names, "what has to be UP here for this virtual host"),
];

const fn key(id: KeyId, name: &'static str, kind: Kind, summary: &'static str) -> KeySpec {
    KeySpec { id, name, kind, place: Place::HostOrDefaults, default: None, summary, classic: &[] }
}

const fn host(id: KeyId, name: &'static str, kind: Kind, summary: &'static str) -> KeySpec {
    KeySpec { place: Place::Host, ..key(id, name, kind, summary) }
}

impl KeySpec {
    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn like(self, classic: &'static [&'static str]) -> Self {
        Self { classic, ..self }
    }
}

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static KeySpec> {
    KEYS.iter().find(|spec| spec.name == name)
}
