//! Many frames with one system call.

use std::io;
use std::os::fd::AsRawFd;

use super::batch::MOST;
use super::{Batch, ETHERTYPE, Family, LinkAddress, PacketSocket};
use crate::socket_option::socklen_of;

impl PacketSocket {
    /// Reads as many frames as are waiting and fit into `batch`, and returns how many. Fewer than [`Batch::MOST`] means
    /// that there was not one more.
    ///
    /// # Errors
    ///
    /// Those of [`PacketSocket::recv`]. What was received before the error has been returned by an earlier call.
    pub fn recv_many(&self, batch: &mut Batch) -> io::Result<usize> {
        let mut rooms: [_; MOST] = {
            let mut rooms = batch.rooms().map(room_at);
            std::array::from_fn(|_| rooms.next().expect("there is memory for so many"))
        };
        let mut headers = rooms.each_mut().map(|room| header(std::ptr::null_mut(), 0, room));
        let received = retry(|| {
            // SAFETY: each header points to one of `rooms`, and that to a part of the batch of the length it says.
            // All of them live through the call, and no two are the same. There are as many headers as it is told.
            unsafe { libc::recvmmsg(self.fd.as_raw_fd(), headers.as_mut_ptr(), count(MOST), 0, std::ptr::null_mut()) }
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
            Ok(received) => {
                batch.filled(headers[..received].iter().map(length));
                Ok(received)
            }
        }
    }

    /// Sends the first of these frames, as many as go with one call, and returns how many: at least one, unless there are
    /// none.
    ///
    /// # Errors
    ///
    /// Those of [`PacketSocket::send`], of the first frame. An error of a later one is that of the call that begins with it.
    pub fn send_many<T: AsRef<[u8]>>(&self, frames: &[T]) -> io::Result<usize> {
        let Some(first) = frames.first() else { return Ok(0) };
        if ethertype(first.as_ref()).is_none() {
            // It has the words for what is wrong.
            return self.send(first.as_ref()).map(|()| 1);
        }
        let whole = frames.iter().map(AsRef::as_ref).take(MOST).map_while(|frame| Some((frame, ethertype(frame)?)));
        let mut addresses = [const { None }; MOST];
        let mut rooms = [const { libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 } }; MOST];
        let mut prepared = 0;
        for ((frame, ethertype), (address, room)) in whole.zip(addresses.iter_mut().zip(&mut rooms)) {
            // Bonding and bridges look at the protocol given here, not at the frame. That of the socket needs not be given.
            let is_told = self.family.map(Family::ethertype) != Some(ethertype);
            *address = is_told.then(|| LinkAddress::with_index(self.ifindex, ethertype));
            *room = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            prepared += 1;
        }
        let mut pairs = addresses.iter_mut().zip(&mut rooms);
        let mut headers: [_; MOST] = std::array::from_fn(|_| {
            let (address, room) = pairs.next().expect("both have as many");
            match address {
                Some(address) => header((&raw mut address.0).cast(), socklen_of::<libc::sockaddr_ll>(), room),
                None => header(std::ptr::null_mut(), 0, room),
            }
        });
        retry(|| {
            // SAFETY: the first `prepared` headers point to their address, if they have one, and to their room, and that to
            // a frame of the length it says, which the kernel only reads. All of them live through the call.
            unsafe { libc::sendmmsg(self.fd.as_raw_fd(), headers.as_mut_ptr(), count(prepared), 0) }
        })
    }
}

fn ethertype(frame: &[u8]) -> Option<u16> {
    frame.get(ETHERTYPE)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn room_at(memory: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() }
}

fn header(name: *mut libc::c_void, name_length: libc::socklen_t, room: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: struct mmsghdr is plain numbers and pointers, and all of them may be zero. musl has padding in it that
    // cannot be named.
    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
    header.msg_hdr.msg_name = name;
    header.msg_hdr.msg_namelen = name_length;
    header.msg_hdr.msg_iov = room;
    header.msg_hdr.msg_iovlen = 1;
    header
}

/// How many octets of a received frame there are.
fn length(header: &libc::mmsghdr) -> usize {
    usize::try_from(header.msg_len).unwrap_or(usize::MAX)
}

fn count(messages: usize) -> libc::c_uint {
    libc::c_uint::try_from(messages).expect("at most MOST")
}

/// Repeats a call until no signal interrupts it.
fn retry(mut call: impl FnMut() -> libc::c_int) -> io::Result<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(count) => return Ok(count),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
