//! Syslog facilities by name.

/// Where `-f` sends messages in syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(Option<u8>);

/// The names that UCARP 1.5.2 knows, with the numbers it was seen to send.
const NAMES: [(&str, Facility); 23] = [
    ("auth", Facility(Some(4))),
    ("authpriv", Facility(Some(10))),
    ("cron", Facility(Some(9))),
    ("daemon", Facility::DAEMON),
    ("ftp", Facility(Some(11))),
    ("kern", Facility(Some(0))),
    ("lpr", Facility(Some(6))),
    ("mail", Facility(Some(2))),
    ("mark", Facility(Some(24))),
    ("news", Facility(Some(7))),
    ("security", Facility(Some(4))),
    ("syslog", Facility(Some(5))),
    ("user", Facility(Some(1))),
    ("uucp", Facility(Some(8))),
    ("local0", Facility(Some(16))),
    ("local1", Facility(Some(17))),
    ("local2", Facility(Some(18))),
    ("local3", Facility(Some(19))),
    ("local4", Facility(Some(20))),
    ("local5", Facility(Some(21))),
    ("local6", Facility(Some(22))),
    ("local7", Facility(Some(23))),
    ("none", Facility(None)),
];

impl Facility {
    /// The one that daemons use, and UCARP's default.
    pub const DAEMON: Self = Self(Some(3));

    /// The facility's number, 0 to 24: the priority of a message is eight times this plus its severity. `None` stands for
    /// `none`: no syslog at all.
    #[must_use]
    pub const fn code(self) -> Option<u8> {
        self.0
    }

    /// The facility of that name, in upper or lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, facility)| facility)
    }

    /// All names, separated by spaces.
    #[must_use]
    pub fn names() -> String {
        NAMES.map(|(name, _)| name).join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right column is the priority UCARP 1.5.2 gave an error, as read from /dev/log.
    #[test]
    fn numbers_are_those_ucarp_sends() {
        for (name, priority_of_error) in
            [("auth", 35), ("cron", 75), ("daemon", 27), ("kern", 3), ("mark", 195), ("security", 35), ("LOCAL3", 155)]
        {
            let code = Facility::from_name(name).unwrap().code().unwrap();
            assert_eq!(code * 8 + 3, priority_of_error, "{name}");
        }
        assert_eq!(Facility::from_name("None").unwrap().code(), None);
        for unknown in ["", "bad", "local8", " daemon", "daemon "] {
            assert_eq!(Facility::from_name(unknown), None, "{unknown:?}");
        }
    }
}
