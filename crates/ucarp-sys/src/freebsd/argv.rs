//! Hiding a secret that was given on the command line.
//!
//! `ps` shows every user the arguments of a process. The kernel keeps a copy of them from the start, or, if they are
//! long, reads them from the memory of the process: both are overwritten. Between the start and that moment they can
//! still be seen.

use std::ffi::c_char;
use std::io;

/// More than all arguments of a process can take (`kern.argmax`, 512 KiB unless somebody changed it).
const MOST: usize = 8 * 1024 * 1024;

/// `struct ps_strings`, of which the kernel tells where it is: what `ps` reads of a process that has no copy.
#[repr(C)]
struct Strings {
    arguments: *mut *mut c_char,
    count: libc::c_uint,
}

/// Overwrites argument `index` (0 is the program name) with `x` from octet `offset` to its end, where `ps` shows it. Its
/// length does not change.
///
/// `std::env::args` shows the `x`, too: copy what is needed first, and call this before there are threads that read the
/// arguments.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if there is no such argument or it is shorter than `offset`; otherwise what
/// `sysctl(3)` returns.
pub fn overwrite(index: usize, offset: usize) -> io::Result<()> {
    overwrite_memory(index, offset)?;
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_ARGS, std::process::id().cast_signed()];
    let mut shown = vec![0; MOST];
    let length = sysctl(&name, &mut shown, &[])?;
    shown.truncate(length);
    // Where the kernel reads the memory, this is what was written there just now.
    let part = part(&shown, index, offset)?;
    if shown[part.clone()].iter().any(|octet| *octet != b'x') {
        shown[part].fill(b'x');
        sysctl(&name, &mut [], &shown)?;
    }
    Ok(())
}

fn overwrite_memory(index: usize, offset: usize) -> io::Result<()> {
    let mut address = [0; size_of::<usize>()];
    let length = sysctl(&[libc::CTL_KERN, libc::KERN_PS_STRINGS], &mut address, &[])?;
    let strings = std::ptr::with_exposed_provenance::<Strings>(usize::from_ne_bytes(address));
    if length != address.len() || strings.is_null() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel does not tell where the arguments are"));
    }
    // SAFETY: the kernel has put the structure there when it started this program, for good.
    let Strings { arguments, count } = unsafe { strings.read_unaligned() };
    if index >= usize::try_from(count).unwrap_or(0) {
        return Err(none(index, offset));
    }
    // SAFETY: there are as many pointers as it says, each to a string that ends with a NUL, writable and there for good.
    let (argument, length) = unsafe {
        let argument = *arguments.add(index);
        (argument, libc::strlen(argument))
    };
    if offset > length {
        return Err(none(index, offset));
    }
    for position in offset..length {
        // SAFETY: the octet is inside the string, whose end is not touched, and no Rust object lives there.
        unsafe { argument.add(position).cast::<u8>().write_volatile(b'x') };
    }
    Ok(())
}

fn none(index: usize, offset: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("there is no argument {index} with an octet {offset}"))
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
    Err(none(index, offset))
}

/// Reads what `name` stands for, and sets it if there is something to set. Returns how much was read.
fn sysctl(name: &[libc::c_int], memory: &mut [u8], new: &[u8]) -> io::Result<usize> {
    let mut length = memory.len();
    let count = libc::c_uint::try_from(name.len()).expect("names are short");
    let (to, room) = if memory.is_empty() {
        (std::ptr::null_mut(), std::ptr::null_mut())
    } else {
        (memory.as_mut_ptr(), &raw mut length)
    };
    let from = if new.is_empty() { std::ptr::null() } else { new.as_ptr() };
    // SAFETY: each pointer is null or belongs to the length beside it, and all of them live through the call.
    let result = unsafe { libc::sysctl(name.as_ptr(), count, to.cast(), room, from.cast(), new.len()) };
    if result == 0 { Ok(length) } else { Err(io::Error::last_os_error()) }
}
