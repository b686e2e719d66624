//! The kernel's table of tracked connections, in the calling thread's network namespace
//! (`net/netfilter/nf_conntrack_netlink.c`).

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
    socket,
};

use crate::error::{Context, Error, Result};

/// `NFNL_SUBSYS_CTNETLINK` and the messages of `enum cntl_msg_types`.
const CTNETLINK: u16 = 1 << 8;
const NEW: u16 = CTNETLINK;
const GET: u16 = CTNETLINK | 1;
const DELETE: u16 = CTNETLINK | 2;
/// Flags and answers of netlink(7).
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// Forgets every tracked connection.
///
/// # Errors
/// The kernel has no connection tracking over netlink (`CONFIG_NF_CT_NETLINK`).
pub fn flush() -> Result {
    // No tuple in the request means all of them.
    ask(DELETE, ACK, || "forget tracked connections".to_owned()).map(drop)
}

/// How many connections are tracked; those whose time is up are not, be they collected or not.
///
/// # Errors
/// As [`flush`].
pub fn count() -> Result<usize> {
    ask(GET, DUMP, || "list tracked connections".to_owned())
}

/// Asks, and counts the entries of the answer.
fn ask(kind: u16, flags: u16, context: impl Fn() -> String + Copy) -> Result<usize> {
    let socket = open().context(context)?;
    let mut message = Vec::with_capacity(20);
    message.extend(20_u32.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]); // sequence and port: there is one question and one asker
    message.extend([0; 4]); // nfgenmsg: any family, version 0, no resource
    send(socket.as_raw_fd(), &message, MsgFlags::empty()).context(context)?;
    let mut entries = 0;
    let mut room = vec![0; 1 << 16];
    loop {
        let length = recv(socket.as_raw_fd(), &mut room, MsgFlags::empty()).context(context)?;
        for (kind, body) in Messages(&room[..length]) {
            match kind {
                NEW => entries += 1,
                DONE => return Ok(entries),
                ERROR => {
                    let errno = body.get(..4).and_then(|errno| errno.try_into().ok());
                    return match errno.map(i32::from_ne_bytes) {
                        Some(0) => Ok(entries),
                        errno => {
                            let errno = std::io::Error::from_raw_os_error(-errno.unwrap_or(0));
                            Err(Error::system(context(), errno))
                        }
                    };
                }
                _ => {}
            }
        }
    }
}

fn open() -> nix::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?;
    connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(socket)
}

/// The messages of one datagram, each its type and body; what is torn ends them.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = u32::from_ne_bytes(self.0.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(self.0.get(4..6)?.try_into().ok()?);
        let body = self.0.get(16..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_apart_and_torn_ones_end_the_story() {
        let message = |kind: u16, body: &[u8]| {
            let mut bytes = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let both = [message(NEW, b"abc"), message(DONE, b"")].concat();
        let read: Vec<_> = Messages(&both).collect();
        assert_eq!(read, [(NEW, &b"abc"[..]), (DONE, &b""[..])]);
        assert_eq!(Messages(&both[..20]).count(), 1);
        assert_eq!(Messages(&both[..18]).count(), 0);
        assert_eq!(Messages(&[0; 16]).count(), 0);
    }
}
