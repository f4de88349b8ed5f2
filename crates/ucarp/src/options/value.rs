//! Numbers and addresses as the command line writes them.

use std::ffi::OsStr;
use std::net::Ipv4Addr;

/// Why a text is not the number wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberFault {
    /// It is not a whole number, or has something after it.
    NotANumber,
    /// It is one, outside of the range.
    OutOfRange,
}

/// Reads a number as C's `strtol` with base 0 does (`0x10`, `010` is octal, blanks and a sign before it), but all of it.
///
/// UCARP 1.5.2 ignores what follows the digits and takes what is no number as 0.
pub(super) fn number(text: &OsStr, least: u32, most: u32) -> Result<u32, NumberFault> {
    let text = text.to_str().ok_or(NumberFault::NotANumber)?;
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    // from_str_radix would take a second sign.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(NumberFault::NotANumber);
    }
    let magnitude = u32::from_str_radix(digits, radix).map_err(|_| NumberFault::OutOfRange)?;
    if (negative && magnitude > 0) || magnitude < least || magnitude > most {
        return Err(NumberFault::OutOfRange);
    }
    Ok(magnitude)
}

/// Reads an IPv4 address: four decimal numbers, as `inet_pton` demands and UCARP 1.5.2 with it.
pub(super) fn address(text: &OsStr) -> Option<Ipv4Addr> {
    text.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn numbers_are_read_as_strtol_reads_them() {
        for (text, value) in [
            ("0", 0),
            ("7", 7),
            (" 7", 7),
            ("\t\n 7", 7),
            ("+7", 7),
            ("-0", 0),
            ("0x10", 16),
            ("0XfF", 255),
            ("010", 8),
            ("00", 0),
            ("255", 255),
        ] {
            assert_eq!(number(text.as_ref(), 0, 255), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn what_ucarp_cuts_or_takes_as_zero_is_refused() {
        for text in
            ["", " ", "abc", "1abc", "1.5", "7 ", "0x", "0xg", "08", "++7", "+-7", "- 7", "=5", "1_0", "٣", "1e1"]
        {
            assert_eq!(number(text.as_ref(), 0, 255), Err(NumberFault::NotANumber), "{text:?}");
        }
        for text in ["256", "300", "-1", "0400", "4294967297", "99999999999999999999", "0x100"] {
            assert_eq!(number(text.as_ref(), 0, 255), Err(NumberFault::OutOfRange), "{text:?}");
        }
        assert_eq!(number("0".as_ref(), 1, 255), Err(NumberFault::OutOfRange));
        assert_eq!(number(OsStr::from_bytes(b"7\xff"), 1, 255), Err(NumberFault::NotANumber));
    }

    #[test]
    fn addresses_are_strict() {
        assert_eq!(address("10.0.0.2".as_ref()), Some(Ipv4Addr::new(10, 0, 0, 2)));
        for text in
            ["", "abc", "10.0.0", "10.0.0.256", "10.0.0.2/24", "1", "010.0.0.2", "::1", " 10.0.0.2", "10.0.0.2 "]
        {
            assert_eq!(address(text.as_ref()), None, "{text:?}");
        }
    }
}
