//! Unix sockets that keep messages whole and carry descriptors: how the processes of one run
//! talk to each other.

#![allow(unsafe_code)]

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

use crate::error::{Context, Error, Result};

/// Descriptors that one message may carry, besides the one of the file that holds it if it is long
/// ([`crate::codec`]).
pub const MAX_DESCRIPTORS: usize = 8;

/// Two connected ends, both closed by exec.
///
/// # Errors
/// The system has no descriptor or memory left.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .context(|| "make a pair of connected sockets".to_owned())
}

/// Sends these parts as one message, with these descriptors; blocks while the other end's queue is
/// full.
///
/// # Errors
/// The other end is gone, or the message is larger than the socket's buffer.
pub fn send(socket: BorrowedFd<'_>, parts: &[&[u8]], descriptors: &[BorrowedFd<'_>]) -> Result {
    let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let numbers: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let rights = if numbers.is_empty() { &[][..] } else { &rights[..] };
    loop {
        // NOSIGNAL: the other end's death must be an answer, not our own death.
        let flags = MsgFlags::MSG_NOSIGNAL;
        match sendmsg::<()>(socket.as_raw_fd(), &parts, rights, flags, None) {
            Err(nix::Error::EINTR) => {}
            Err(answer) => {
                let length: usize = parts.iter().map(|part| part.len()).sum();
                return Err(Error::system(format!("send {length} bytes"), answer));
            }
            Ok(_) => return Ok(()),
        }
    }
}

/// Receives one message into `buffer`, with the descriptors it carried: none when nothing is
/// waiting (only if not `block`), length 0 when the other end is gone.
///
/// # Errors
/// The system refuses, or the message is longer than the buffer.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    block: bool,
) -> Result<Option<(usize, Vec<OwnedFd>)>> {
    let wait = if block { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
    let mut space = nix::cmsg_space!([i32; MAX_DESCRIPTORS + 1]);
    loop {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = wait | MsgFlags::MSG_CMSG_CLOEXEC;
        let message =
            match recvmsg::<()>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut space), flags) {
                // A reset says that the other end closed with a message of ours unread. The
                // kernel says it once, before what is still queued for us: ask again.
                Err(nix::Error::EINTR | nix::Error::ECONNRESET) => continue,
                Err(nix::Error::EAGAIN) => return Ok(None),
                other => other.context(|| "receive a message".to_owned())?,
            };
        let mut descriptors = Vec::new();
        for control in message.cmsgs().context(|| "read a message's descriptors".to_owned())? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                descriptors.extend(numbers.into_iter().map(|number| {
                    // SAFETY: the kernel has just made this descriptor for us.
                    unsafe { OwnedFd::from_raw_fd(number) }
                }));
            }
        }
        if message.flags.contains(MsgFlags::MSG_TRUNC) {
            return Err(Error::system("receive a message", "it is longer than any of ours"));
        }
        return Ok(Some((message.bytes, descriptors)));
    }
}

/// Whether the other end is closed, whatever it has left to be read.
#[must_use]
pub fn is_closed(socket: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::empty())];
    let answered = poll(&mut asked, PollTimeout::ZERO);
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
    answered.is_ok() && asked[0].revents().is_some_and(|events| events.intersects(gone))
}
