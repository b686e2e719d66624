//! What a case and an agent say to each other: one message a packet, in both directions.
//!
//! The channel is an `AF_UNIX` `SOCK_SEQPACKET` pair, so messages keep their borders and
//! descriptors can ride along (`unix(7)`, `SCM_RIGHTS`).

use std::{
    fmt,
    net::SocketAddr,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::events::Events;
use crate::{
    error::{Context, Result},
    stamp::Stamp,
    sys::{seqpacket, signals::Disposition},
};

/// No message is longer; what an agent reads at once is bounded below it.
pub const MESSAGE_LIMIT: usize = 160 * 1024;
/// The most that one read brings back to the case.
pub const READ_LIMIT: usize = 64 * 1024;

/// One thing for a process to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Op {
    Socket { v6: bool, nonblocking: bool },
    Bind { fd: RawFd, address: SocketAddr },
    Listen { fd: RawFd, backlog: i32 },
    Accept { fd: RawFd, nonblocking: bool },
    Connect { fd: RawFd, address: SocketAddr },
    Read { fd: RawFd, max: u32 },
    Recv { fd: RawFd, max: u32, flags: i32 },
    Write { fd: RawFd, data: Data },
    Send { fd: RawFd, data: Data, flags: i32 },
    Writev { fd: RawFd, parts: Vec<Vec<u8>> },
    Sendfile { fd: RawFd, data: Data },
    SpliceIn { fd: RawFd, max: u32 },
    Drain { fd: RawFd, limit: u64 },
    Shutdown { fd: RawFd, how: i32 },
    Close { fd: RawFd },
    Dup { fd: RawFd },
    Name { fd: RawFd, peer: bool },
    SetNonblocking { fd: RawFd, on: bool },
    SetCloexec { fd: RawFd, on: bool },
    SetOption { fd: RawFd, level: i32, name: i32, value: Vec<u8> },
    GetOption { fd: RawFd, level: i32, name: i32, room: u32 },
    Ioctl { fd: RawFd, request: u64 },
    Poll { fd: RawFd, events: i16, timeout_ms: i32 },
    Epoll { fd: RawFd, events: u32, timeout_ms: i32 },
    Select { fd: RawFd, timeout_ms: i32 },
    Vanish { fd: RawFd },
    Dispose { signal: i32, disposition: Disposition, interrupt: bool },
    Adopt,
    SendFd { over: RawFd, fd: RawFd },
    ReceiveFd { over: RawFd },
    StealFd { pid: i32, fd: RawFd },
    Fork { container: bool },
    Wait { pid: i32 },
    Exec { program: Vec<String> },
    Become,
    Exit { status: i32 },
    Abort,
    Crash,
    Panic,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many bytes of the running pattern, from this place in it: see [`pattern`].
    Pattern {
        /// Where in the pattern to begin.
        from: u64,
        /// How many bytes.
        length: u32,
    },
}

impl Data {
    /// The bytes themselves.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Pattern { from, length } => {
                (*from..from + u64::from(*length)).map(pattern).collect()
            }
        }
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Pattern { length, .. } => *length as usize,
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The byte at one place of the endless pattern that bulk transfers send, so that the reader can
/// tell a gap, a repetition or an exchange from the right bytes. Its period, 251, is prime.
#[must_use]
pub fn pattern(place: u64) -> u8 {
    (place % 251) as u8
}

/// One order to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names the order in its answers.
    pub id: u64,
    /// The thread to do it on; made when first named.
    pub thread: String,
    /// What to do.
    pub op: Op,
}

/// What an agent says of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromAgent {
    /// The agent is up.
    Ready,
    /// The thread is about to enter the kernel for it.
    Began {
        /// The order.
        id: u64,
        /// The thread's kernel id.
        thread: i32,
        /// When.
        at: Stamp,
    },
    /// The kernel has answered.
    Ended {
        /// The order.
        id: u64,
        /// When the call was made.
        began: Stamp,
        /// When it returned.
        ended: Stamp,
        /// How long it took on the monotonic clock, in nanoseconds.
        took_ns: u64,
        /// How many handled signals the call raised on its own thread.
        signals: u32,
        /// The value, or the errno.
        answer: std::result::Result<Value, i32>,
    },
}

/// What a successful call gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Value {
    Number(i64),
    Bytes(Vec<u8>),
    Address(SocketAddr),
    Events(u32),
    Ready { read: bool, write: bool, except: bool },
    Drained { bytes: u64, intact: bool, error: Option<i32> },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { v6, nonblocking } => {
                let family = if *v6 { "AF_INET6" } else { "AF_INET" };
                let flags = if *nonblocking { "|SOCK_NONBLOCK" } else { "" };
                write!(f, "socket({family}, SOCK_STREAM{flags})")
            }
            Self::Bind { fd, address } => write!(f, "bind({fd}, {address})"),
            Self::Listen { fd, backlog } => write!(f, "listen({fd}, {backlog})"),
            Self::Accept { fd, .. } => write!(f, "accept({fd})"),
            Self::Connect { fd, address } => write!(f, "connect({fd}, {address})"),
            Self::Read { fd, max } => write!(f, "read({fd}, {max})"),
            Self::Recv { fd, max, flags } => write!(f, "recv({fd}, {max}, {flags:#x})"),
            Self::Write { fd, data } => write!(f, "write({fd}, {})", data.len()),
            Self::Send { fd, data, flags } => write!(f, "send({fd}, {}, {flags:#x})", data.len()),
            Self::Writev { fd, parts } => write!(f, "writev({fd}, {} parts)", parts.len()),
            Self::Sendfile { fd, data } => write!(f, "sendfile({fd}, {})", data.len()),
            Self::SpliceIn { fd, max } => write!(f, "splice({fd} to a pipe, {max})"),
            Self::Drain { fd, limit } if *limit == u64::MAX => write!(f, "read({fd}) to the end"),
            Self::Drain { fd, limit } => write!(f, "read({fd}) until {limit}"),
            Self::Shutdown { fd, how } => {
                let how = ["SHUT_RD", "SHUT_WR", "SHUT_RDWR"].get(*how as usize).unwrap_or(&"?");
                write!(f, "shutdown({fd}, {how})")
            }
            Self::Close { fd } => write!(f, "close({fd})"),
            Self::Dup { fd } => write!(f, "dup({fd})"),
            Self::Name { fd, peer: false } => write!(f, "getsockname({fd})"),
            Self::Name { fd, peer: true } => write!(f, "getpeername({fd})"),
            Self::SetNonblocking { fd, on } => write!(f, "fcntl({fd}, O_NONBLOCK {on})"),
            Self::SetCloexec { fd, on } => write!(f, "fcntl({fd}, FD_CLOEXEC {on})"),
            Self::SetOption { fd, level, name, value } => {
                write!(f, "setsockopt({fd}, {level}, {name}, {value:?})")
            }
            Self::GetOption { fd, level, name, .. } => {
                write!(f, "getsockopt({fd}, {level}, {name})")
            }
            Self::Ioctl { fd, request } => write!(f, "ioctl({fd}, {request:#x})"),
            Self::Poll { fd, events, timeout_ms } => {
                write!(f, "poll({fd}, {}, {timeout_ms})", Events(*events as u32))
            }
            Self::Epoll { fd, events, timeout_ms } => {
                write!(f, "epoll_wait({fd}, {}, {timeout_ms})", Events(*events))
            }
            Self::Select { fd, timeout_ms } => write!(f, "select({fd}, {timeout_ms})"),
            Self::Vanish { fd } => write!(f, "close({fd}) under TCP_REPAIR"),
            Self::Dispose { signal, disposition, .. } => {
                write!(f, "sigaction({signal}, {disposition:?})")
            }
            Self::Adopt => write!(f, "adopt a descriptor"),
            Self::SendFd { over, fd } => write!(f, "sendmsg({over}, SCM_RIGHTS {fd})"),
            Self::ReceiveFd { over } => write!(f, "recvmsg({over}) for a descriptor"),
            Self::StealFd { pid, fd } => write!(f, "pidfd_getfd(pid {pid}, {fd})"),
            Self::Fork { container: false } => write!(f, "fork()"),
            Self::Fork { container: true } => write!(f, "clone(CLONE_NEWPID)"),
            Self::Wait { pid } => write!(f, "waitpid({pid})"),
            Self::Exec { program } => write!(f, "execve({})", program.join(" ")),
            Self::Become => write!(f, "execve(an agent again)"),
            Self::Exit { status } => write!(f, "exit({status})"),
            Self::Abort => write!(f, "abort()"),
            Self::Crash => write!(f, "a wild pointer"),
            Self::Panic => write!(f, "panic!()"),
        }
    }
}

/// Sends one message, with a descriptor or without.
///
/// # Errors
/// The other side is gone.
pub fn send<T: Serialize>(
    channel: BorrowedFd<'_>,
    message: &T,
    carried: Option<BorrowedFd<'_>>,
) -> Result {
    let bytes = postcard::to_stdvec(message).context(|| "encode a message".to_owned())?;
    seqpacket::send(channel, &bytes, carried.as_slice())
}

/// What came over a channel.
#[derive(Debug)]
pub enum Received<T> {
    /// A message, and the descriptor that came with it.
    Message(T, Option<OwnedFd>),
    /// Nothing is waiting.
    Nothing,
    /// The other side is gone.
    Closed,
}

/// Takes the next message, and waits for one if `block`.
///
/// # Errors
/// What came is not a message of this protocol, or the channel failed.
pub fn receive<T: DeserializeOwned>(
    channel: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    block: bool,
) -> Result<Received<T>> {
    buffer.resize(MESSAGE_LIMIT, 0);
    Ok(match seqpacket::receive(channel, buffer, block)? {
        None => Received::Nothing,
        Some((0, _)) => Received::Closed,
        Some((length, carried)) => {
            Received::Message(decode(&buffer[..length])?, carried.into_iter().next())
        }
    })
}

/// Decodes one message.
///
/// # Errors
/// The bytes are not a message of this kind.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).context(|| "understand a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use proptest::prelude::*;

    use super::*;

    fn data() -> impl Strategy<Value = Data> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100).prop_map(Data::Bytes),
            (any::<u32>(), any::<u32>())
                .prop_map(|(from, length)| Data::Pattern { from: from.into(), length }),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (any::<i32>(), data()).prop_map(|(fd, data)| Op::Write { fd, data }),
            (any::<i32>(), any::<u32>()).prop_map(|(fd, max)| Op::Read { fd, max }),
            (any::<i32>(), any::<[u8; 4]>(), any::<u16>()).prop_map(|(fd, ip, port)| {
                Op::Connect { fd, address: SocketAddr::from((ip, port)) }
            }),
            proptest::collection::vec(any::<String>(), 0..4)
                .prop_map(|program| Op::Exec { program }),
            Just(Op::Abort),
        ]
    }

    proptest! {
        #[test]
        fn orders_come_through_the_channel(id: u64, thread: String, op in op()) {
            let (near, far) = seqpacket::pair().unwrap();
            let order = Order { id, thread, op };
            send(near.as_fd(), &order, None).unwrap();
            let received = receive::<Order>(far.as_fd(), &mut Vec::new(), true).unwrap();
            let Received::Message(received, None) = received else { panic!("{received:?}") };
            prop_assert_eq!(received, order);
        }

        #[test]
        fn noise_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Order>(&bytes);
            let _ = decode::<FromAgent>(&bytes);
        }
    }

    #[test]
    fn a_descriptor_rides_along_and_the_end_is_told() {
        let (near, far) = seqpacket::pair().unwrap();
        let (kept, passed) = seqpacket::pair().unwrap();
        send(near.as_fd(), &FromAgent::Ready, Some(passed.as_fd())).unwrap();
        drop(passed);
        let mut buffer = Vec::new();
        let mut hear =
            |from: &OwnedFd| receive::<FromAgent>(from.as_fd(), &mut buffer, false).unwrap();
        let Received::Message(FromAgent::Ready, Some(carried)) = hear(&far) else {
            panic!("no word")
        };
        send(carried.as_fd(), &FromAgent::Ready, None).unwrap();
        assert!(matches!(hear(&kept), Received::Message(FromAgent::Ready, None)));
        assert!(matches!(hear(&kept), Received::Nothing));
        drop(near);
        assert!(matches!(hear(&far), Received::Closed));
    }

    #[test]
    fn the_pattern_tells_places_apart() {
        let data = Data::Pattern { from: 250, length: 3 };
        assert_eq!(data.bytes(), [250, 0, 1]);
    }
}
