//! Socket options that `rustix` has no call for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

#[cfg(target_os = "linux")]
use crate::filter::Program;

/// Makes `filter` decide what the socket receives from now on; one that is there is replaced in one step.
#[cfg(target_os = "linux")]
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, filter: &Program) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.0.len()).expect("a filter has far fewer than 65,536 instructions"),
        // The kernel copies the instructions and writes nothing.
        filter: filter.0.as_ptr().cast_mut(),
    };
    // SAFETY: the length and pointer in `program` are those of a vector that lives through the call.
    unsafe { set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }
}

/// Sees to it that nobody, not this process either, can change the filter any more.
#[cfg(target_os = "linux")]
pub(crate) fn lock_filter(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_number(fd, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, 1)
}

/// Asks for a receive buffer of this size. With `CAP_NET_ADMIN` it may exceed `net.core.rmem_max`; without, it is as
/// large as that at most, and so it is for the root of a user namespace. The kernel doubles the number for its own needs.
#[cfg(target_os = "linux")]
pub(crate) fn set_receive_buffer(fd: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    set_number(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
        .or_else(|_| set_number(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes))
}

/// `setsockopt(2)` for an option whose value is a number.
pub(crate) fn set_number(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: i32) -> io::Result<()> {
    // SAFETY: a number points nowhere, and the kernel refuses an option that is longer than this.
    unsafe { set(fd, level, name, &value) }
}

/// # Safety
///
/// Memory that `value` points to must be what the option wants, and live through the call.
unsafe fn set<T>(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let pointer = std::ptr::from_ref(value).cast();
    // SAFETY: the pointer and length describe `value`; the caller vouches for what it points to.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, pointer, socklen_of::<T>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn socklen_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("socket options and addresses are small")
}
