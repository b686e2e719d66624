//! What a case and a guest's init say to each other over the guest's serial line.
//!
//! The line carries bytes and no descriptors, so everything goes through it as frames of
//! [`crate::sys::codec`], whose tag is the number of a channel. Channel 0 is the conversation with
//! init itself; every other one is the control channel of one agent, and its messages pass unread,
//! or the guest's netlink.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// No netlink message is longer.
pub const NETLINK_LIMIT: usize = 64 * 1024;

/// The channel of init's own conversation.
pub const INIT: u32 = 0;

/// The longest message that is sent to a guest in one frame. A longer one goes in pieces of this
/// size, and the guest says that it has taken each ([`FromGuest::Taken`]) before the next is sent:
/// a serial line of user-mode Linux that has had to stop its sender may never listen again
/// (`arch/um/drivers/line.c`, `line_throttle`), and it has to when its terminal holds 4 KiB that
/// nobody has read (`drivers/tty/n_tty.c`, `N_TTY_BUF_SIZE`).
pub const PIECE: usize = 2048;

/// In the tag of a frame to a guest, besides the channel: it is a piece of a message.
pub const IN_PIECES: u32 = 1 << 31;

/// In the tag of a piece: it is the message's last.
pub const LAST: u32 = 1 << 30;

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
    /// It has read a piece of a message, and takes the next.
    Taken,
    /// A process has ended, with this wait status.
    Ended {
        /// The process, as the guest counts.
        pid: i32,
        /// Its status, as `waitpid(2)` gives it.
        status: i32,
    },
}
