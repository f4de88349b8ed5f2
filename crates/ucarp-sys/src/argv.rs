//! Hiding a secret that was given on the command line.
//!
//! `ps` and `/proc/PID/cmdline` show every user the arguments of a process; UCARP 1.5.2 leaves its password there. They
//! are shown from the memory of the process itself, so writing there takes them out of sight. Between the start and
//! that moment they can still be seen.

use std::io;

#[cfg(test)]
mod tests;

/// Number of `arg_start` among the fields of /proc/PID/stat that follow the command name, from 0; `arg_end` is the
/// next. They are fields 48 and 49 of proc(5), the name is field 2.
const ARG_START: usize = 48 - 3;

/// Overwrites argument `index` (0 is the program name) with `x` from octet `offset` to its end, where `ps` and
/// `/proc/PID/cmdline` show it. Its length does not change.
///
/// `std::env::args` shows the `x`, too: copy what is needed first, and call this before there are threads that read the
/// arguments.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if there is no such argument or it is shorter than `offset`;
/// [`io::ErrorKind::InvalidData`] if the arguments are not where the kernel says; otherwise what reading
/// /proc/self returns. Nothing has been overwritten then.
pub fn overwrite(index: usize, offset: usize) -> io::Result<()> {
    let (start, end) = area(&std::fs::read_to_string("/proc/self/stat")?)?;
    let shown = std::fs::read("/proc/self/cmdline")?;
    if shown.len() != end - start {
        let problem = format!("the arguments take {} octets, but {} are shown", end - start, shown.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    for address in part(&shown, index, offset)?.map(|position| start + position) {
        let octet = std::ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the address is inside the area of the arguments, which the kernel laid out on the first stack,
        // writable and there until the process ends. No Rust object lives there, and no string's end is touched.
        unsafe { octet.write_volatile(b'x') };
    }
    Ok(())
}

/// Start and end address of the arguments by the text of /proc/PID/stat.
fn area(stat: &str) -> io::Result<(usize, usize)> {
    // The name is in parentheses and may itself contain spaces and parentheses.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(ARG_START);
    let mut address = || fields.next()?.parse::<usize>().ok();
    match (address(), address()) {
        (Some(start), Some(end)) if 0 < start && start < end => Ok((start, end)),
        other => {
            let problem = format!("no addresses of the arguments in /proc/self/stat: {other:?}");
            Err(io::Error::new(io::ErrorKind::InvalidData, problem))
        }
    }
}

/// Where argument `index` lies from `offset` on, among NUL-terminated arguments.
fn part(arguments: &[u8], index: usize, offset: usize) -> io::Result<std::ops::Range<usize>> {
    let mut start = 0;
    for (number, argument) in arguments.split_inclusive(|octet| *octet == 0).enumerate() {
        let length = argument.strip_suffix(&[0]).unwrap_or(argument).len();
        if number == index && offset <= length {
            return Ok(start + offset..start + length);
        }
        start += argument.len();
    }
    let problem = format!("there is no argument {index} with an octet {offset}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}
