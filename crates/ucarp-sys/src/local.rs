//! Sockets of this host that have a name in the file system, and who is at the other end.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

#[cfg(test)]
mod tests;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 16;

/// A socket with a name, which goes when this does.
#[derive(Debug)]
pub struct Named {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file, which tell whether the name is still this socket's.
    file: (u64, u64),
}

impl Named {
    /// Listens at `path`. Its directory is made if it is missing. What an earlier process has left is replaced, if
    /// nobody listens there. The owner and `group` may connect, others not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AddrInUse`] if somebody listens there; [`ErrorKind::AlreadyExists`] if it is no socket; what the
    /// kernel says, such as a path of more than 107 octets, or no permission.
    pub fn listen(path: &Path, group: Option<u32>) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path)?;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        make_way(path, &address)?;
        let socket = socket()?;
        rustix::net::bind(&socket, &address)?;
        // Nobody can connect before it listens, so that it is in the right hands then.
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        if let Some(group) = group {
            rustix::fs::chown(path, None::<Uid>, Some(Gid::from_raw(group)))?;
        }
        rustix::net::listen(&socket, BACKLOG)?;
        let metadata = fs::symlink_metadata(path)?;
        let file = (metadata.dev(), metadata.ino());
        Ok(Self { listener: socket.into(), path: path.to_owned(), file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket, for another process too.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path, address: &SocketAddrUnix) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Ok(_) => {}
    }
    let probe = socket()?;
    match retry_on_intr(|| rustix::net::connect(&probe, address)) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        // Accepted, or waiting behind others.
        Ok(()) | Err(Errno::AGAIN) => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
        Err(error) => Err(error.into()),
    }
}

/// Who is at the other end of a connection: as it was when the connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// All its groups.
    pub groups: Vec<u32>,
}

/// Asks who is at the other end. Of FreeBSD's answer only the first group is looked at.
///
/// # Errors
///
/// `ENOTSOCK` and the like for a descriptor that is no connection.
pub fn peer(connection: BorrowedFd<'_>) -> io::Result<Peer> {
    imp::peer(connection)
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::mem::{MaybeUninit, size_of_val};
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::Peer;

    /// Supplementary groups of a process, of which more are not looked at. The kernel allows 65,536.
    const MOST_GROUPS: usize = 256;

    pub(super) fn peer(connection: BorrowedFd<'_>) -> io::Result<Peer> {
        let credentials = rustix::net::sockopt::socket_peercred(connection)?;
        let mut groups = supplementary_groups(connection)?;
        groups.push(credentials.gid.as_raw());
        Ok(Peer { uid: credentials.uid.as_raw(), groups })
    }

    /// `SO_PEERGROUPS`. More than [`MOST_GROUPS`] count as none: then the primary group is what can give rights.
    fn supplementary_groups(connection: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
        let mut groups = [MaybeUninit::<libc::gid_t>::uninit(); MOST_GROUPS];
        let mut length = libc::socklen_t::try_from(size_of_val(&groups)).expect("1,024 bytes");
        let fd = connection.as_raw_fd();
        // SAFETY: the pointer and the length are those of `groups`, which outlives the call; the length is writable.
        let result = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERGROUPS, groups.as_mut_ptr().cast(), &raw mut length)
        };
        if result != 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ERANGE) { Ok(Vec::new()) } else { Err(error) };
        }
        let count = usize::try_from(length).expect("at most what was offered") / size_of::<libc::gid_t>();
        // SAFETY: the kernel has filled as many bytes as it says.
        Ok(groups[..count].iter().map(|group| unsafe { group.assume_init() }).collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::Peer;

    pub(super) fn peer(connection: BorrowedFd<'_>) -> io::Result<Peer> {
        let (mut uid, mut gid) = (0, 0);
        // SAFETY: both pointers are to live variables, which nothing else touches.
        if unsafe { libc::getpeereid(connection.as_raw_fd(), &raw mut uid, &raw mut gid) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Peer { uid, groups: vec![gid] })
    }
}

/// The user who runs this process.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of this host.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The number of a group of the system; `None` if there is none of this name in `/etc/group`.
pub fn group(name: &str) -> Option<u32> {
    entry_of(&fs::read_to_string("/etc/group").ok()?, name)
}

/// A group's number in the text of `group(5)`.
fn entry_of(file: &str, name: &str) -> Option<u32> {
    let rest = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split(':').nth(1)?.parse().ok()
}
