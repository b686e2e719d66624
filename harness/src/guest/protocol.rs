//! What a case and a guest's init say to each other over the guest's serial line.
//!
//! The line carries bytes and no descriptors, so everything goes through it as frames: a length,
//! the number of a channel, and a message. Channel 0 is the conversation with init itself; every
//! other one is the control channel of one agent, and its messages are those of
//! [`crate::process::protocol`], unread on the way.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::{process::protocol::MESSAGE_LIMIT, stamp::Stamp};

/// The channel of init's own conversation.
pub const INIT: u32 = 0;

/// What a case asks of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// What time is it?
    Clock,
    /// Set the clock forward by so many nanoseconds, or back.
    Shift(i64),
    /// Become a host of the lab. The answer is the index of its network card.
    Configure(Configuration),
    /// Start an agent whose control channel has this number.
    Start {
        /// Its channel.
        channel: u32,
        /// The host's name.
        host: String,
        /// The process's name.
        name: String,
    },
    /// Pass on between a netlink socket of yours and the channel of this number.
    Routes {
        /// The channel.
        channel: u32,
    },
    /// `kill(2)`.
    Signal {
        /// The process, as the guest counts.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
    /// `tgkill(2)`.
    SignalThread {
        /// The process.
        pid: i32,
        /// The thread.
        thread: i32,
        /// The signal's number.
        signal: i32,
    },
    /// Does every thread of a process stand still?
    Stopped {
        /// The process.
        pid: i32,
    },
    /// Does a thread sleep inside a call of its own business?
    Asleep {
        /// The process.
        pid: i32,
        /// The thread.
        thread: i32,
    },
    /// Every TCP socket.
    Sockets,
    /// The socket with these addresses.
    Socket {
        /// Its own.
        local: SocketAddr,
        /// The peer's.
        remote: SocketAddr,
    },
    /// Read a sysctl.
    Sysctl(String),
    /// Write a sysctl.
    SetSysctl(String, String),
    /// One of the kernel's counters.
    Counter(String),
    /// Let the kernel panic. There is no answer.
    Panic,
}

/// What makes a guest a host of its lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Its addresses with their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Where the others are on the wire.
    pub neighbours: Vec<(IpAddr, [u8; 6])>,
    /// By whom it reaches everybody else.
    pub gateways: Vec<IpAddr>,
    /// The sysctls its case asks for.
    pub sysctls: Vec<(String, String)>,
}

/// What a guest answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// A number: a process id, a counter.
    Number(u64),
    /// Yes or no.
    Truth(bool),
    /// A value as text.
    Text(String),
    /// The guest's time.
    Time(Stamp),
    /// Sockets, each as the kernel's `struct inet_diag_msg` with its attributes.
    Sockets(Vec<Vec<u8>>),
    /// It failed, or the question was a wrong use of the harness.
    Failed(crate::Error),
}

/// What init says.
#[derive(Debug, Serialize, Deserialize)]
pub enum FromGuest {
    /// The guest is up.
    Up,
    /// The answer to one question.
    Answer(u64, Answer),
    /// A process has ended, with this wait status.
    Ended {
        /// The process, as the guest counts.
        pid: i32,
        /// Its status, as `waitpid(2)` gives it.
        status: i32,
    },
}

/// Writes one frame.
///
/// # Errors
/// The line is down.
pub fn write_frame(line: &mut impl Write, channel: u32, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(8 + message.len());
    frame.extend(length.to_le_bytes());
    frame.extend(channel.to_le_bytes());
    frame.extend(message);
    line.write_all(&frame)
}

/// Reads one frame: its channel and message.
///
/// # Errors
/// The line is down, or what comes over it is not ours.
pub fn read_frame(line: &mut impl Read) -> io::Result<(u32, Vec<u8>)> {
    let mut head = [0; 8];
    line.read_exact(&mut head)?;
    let [l0, l1, l2, l3, channel @ ..] = head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > MESSAGE_LIMIT {
        return Err(io::Error::other(format!("a frame of {length} bytes is none of ours")));
    }
    let mut message = vec![0; length];
    line.read_exact(&mut message)?;
    Ok((u32::from_le_bytes(channel), message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_come_through(channel: u32, message in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut line = Vec::new();
            write_frame(&mut line, channel, &message).unwrap();
            prop_assert_eq!(read_frame(&mut &line[..]).unwrap(), (channel, message));
        }

        #[test]
        fn noise_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_frame(&mut &bytes[..]);
        }
    }
}
