//! A guest's routing side, spoken to over its line: a netlink socket in the guest, whose messages
//! pass through an ordinary channel, and at this end a socket that is taken for it.
//!
//! Whoever holds the other end of that socket must never see it end: to a conversation made for
//! netlink, which ends only with its host, the end of file is a message of no bytes, for ever. So
//! it stays open for as long as it is held, and what is asked of a guest that is gone is refused
//! here, in the kernel's own form.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, mpsc},
    thread,
};

use nix::errno::Errno;

use super::{
    line::Line,
    protocol::{Answer, Ask, NETLINK_LIMIT},
};
use crate::{
    error::{Context, Result},
    sys::seqpacket,
};

/// Opens a conversation with the guest's routing side.
///
/// # Errors
/// The guest is gone, or refuses the socket.
pub(super) fn open(line: &Arc<Line>) -> Result<OwnedFd> {
    let context = || "relay a guest's netlink".to_owned();
    let (ours, theirs) = seqpacket::pair()?;
    let (sender, answers) = mpsc::channel::<Vec<u8>>();
    let channel = line.open(sender);
    let ask = Ask::Routes { channel };
    let Answer::Done = line.ask(&ask)? else { return Err(line.nonsense(&ask)) };
    let asked = Arc::new(ours);
    let (answered, line) = (asked.clone(), line.clone());
    let answer = move || {
        while let Ok(message) = answers.recv() {
            if seqpacket::send(answered.as_fd(), &[&message], &[]).is_err() {
                break;
            }
        }
    };
    let ask = move || {
        let mut buffer = vec![0; NETLINK_LIMIT];
        while let Ok(Some((length, _))) = seqpacket::receive(asked.as_fd(), &mut buffer, true) {
            let message = &buffer[..length];
            if message.is_empty() {
                break;
            }
            if line.write(channel, message).is_err()
                && let Some(refusal) = refusal(message)
            {
                let _ = seqpacket::send(asked.as_fd(), &[&refusal], &[]);
            }
        }
        line.close(channel);
    };
    thread::Builder::new().spawn(answer).context(context)?;
    thread::Builder::new().spawn(ask).context(context)?;
    Ok(theirs)
}

/// What the kernel would answer if the host were there to say that it is down (`netlink(7)`,
/// `struct nlmsgerr`): a header, the negative errno, and the header of what is refused.
fn refusal(asked: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 16;
    const NLMSG_ERROR: u16 = 2;
    let header = asked.get(..HEADER)?;
    let length = 2 * HEADER as u32 + 4;
    let mut refusal = Vec::with_capacity(length as usize);
    refusal.extend(length.to_ne_bytes());
    refusal.extend(NLMSG_ERROR.to_ne_bytes());
    refusal.extend([0; 2]);
    // The number of the question and the asker's own.
    refusal.extend(&header[8..]);
    refusal.extend((-(Errno::EHOSTDOWN as i32)).to_ne_bytes());
    refusal.extend(header);
    Some(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_netlink_s_own() {
        let asked: Vec<u8> = (0..40).collect();
        let refusal = refusal(&asked).unwrap();
        assert_eq!(refusal.len(), 36);
        assert_eq!(refusal[..4], 36u32.to_ne_bytes());
        assert_eq!(refusal[8..16], asked[8..16]);
        assert_eq!(refusal[16..20], (-112i32).to_ne_bytes());
        assert_eq!(refusal[20..], asked[..16]);
        assert_eq!(super::refusal(&asked[..15]), None);
    }
}
