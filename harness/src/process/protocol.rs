//! What a case and an agent say to each other: orders one way, words about them the other, over a
//! channel of [`crate::sys::codec`].

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::syscall::Op;
use crate::{stamp::Stamp, sys::codec::Bytes};

/// One order to an agent. It may carry one descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names the order in its answers.
    pub id: u64,
    /// What to do.
    pub what: What,
}

/// Who in the process has to do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A system call, on a thread of this name, which is made when first named.
    Call {
        /// The thread.
        thread: String,
        /// The call.
        op: Op,
    },
    /// Something that changes the whole process, done by the agent's own thread.
    Whole(Whole),
}

/// An order to the process as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whole {
    /// Keep the descriptor that comes with this. Its number is the answer, an `i32`.
    Adopt,
    /// `fork(2)`; the child listens to the channel that comes with this. The answer is its process
    /// id, an `i32`.
    Fork {
        /// In a PID namespace of its own.
        container: bool,
    },
    /// Wait until this child has ended. The answer is its wait status, an `i32`.
    Wait {
        /// The child.
        pid: i32,
        /// Whether to collect it, or to leave it a zombie.
        collect: bool,
    },
    /// `execve(2)`. Only a failure has an answer.
    Exec {
        /// The program's path, and its arguments.
        program: Vec<String>,
    },
    /// `execve(2)` of an agent that listens to the channel that comes with this. Only a failure has
    /// an answer.
    Become,
    /// End. There is no answer.
    End(End),
}

/// A way for a process to end itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// `exit(3)` with this status.
    Exit(i32),
    /// `abort(3)`.
    Abort,
    /// A wild pointer.
    Crash,
    /// A panic that nobody catches.
    Panic,
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
        /// When the call was made, and how it came out.
        ended: Ended,
    },
    /// The order was not carried out, and nothing has happened: why.
    NotMade {
        /// The order.
        id: u64,
        /// Why.
        why: String,
    },
    /// The agent cannot go on, and ends: why.
    Trouble(String),
}

/// How a call came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When the call was made.
    pub began: Stamp,
    /// When it returned.
    pub ended: Stamp,
    /// How long it took on the monotonic clock, in nanoseconds.
    pub took_ns: u64,
    /// How many handled signals the call raised on its own thread.
    pub signals: u32,
    /// The value, encoded ([`super::syscall::Syscall::Answer`]), or the errno.
    pub answer: Result<Bytes, i32>,
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adopt => write!(f, "adopt a descriptor"),
            Self::Fork { container: false } => write!(f, "fork()"),
            Self::Fork { container: true } => write!(f, "clone(CLONE_NEWPID)"),
            Self::Wait { pid, collect: true } => write!(f, "waitpid({pid})"),
            Self::Wait { pid, collect: false } => write!(f, "waitid({pid}, WNOWAIT)"),
            Self::Exec { program } => write!(f, "execve({})", program.join(" ")),
            Self::Become => write!(f, "execve(an agent again)"),
            Self::End(End::Exit(status)) => write!(f, "exit({status})"),
            Self::End(End::Abort) => write!(f, "abort()"),
            Self::End(End::Crash) => write!(f, "a wild pointer"),
            Self::End(End::Panic) => write!(f, "panic!()"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, os::fd::AsFd};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        process::{data::Data, syscall},
        sys::{
            codec::{self, Received},
            seqpacket,
        },
    };

    fn data() -> impl Strategy<Value = Data> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100).prop_map(Data::Bytes),
            (any::<u32>(), any::<u32>())
                .prop_map(|(from, length)| Data::Pattern { from: from.into(), length }),
        ]
    }

    fn what() -> impl Strategy<Value = What> {
        let op = prop_oneof![
            (any::<i32>(), data()).prop_map(|(fd, data)| Op::from(syscall::Write { fd, data })),
            (any::<i32>(), any::<u32>()).prop_map(|(fd, max)| syscall::Read { fd, max }.into()),
            (any::<i32>(), any::<[u8; 4]>(), any::<u16>()).prop_map(|(fd, ip, port)| {
                syscall::Connect { fd, address: SocketAddr::from((ip, port)) }.into()
            }),
        ];
        prop_oneof![
            (any::<String>(), op).prop_map(|(thread, op)| What::Call { thread, op }),
            proptest::collection::vec(any::<String>(), 0..4)
                .prop_map(|program| What::Whole(Whole::Exec { program })),
            any::<i32>().prop_map(|status| What::Whole(Whole::End(End::Exit(status)))),
        ]
    }

    proptest! {
        #[test]
        fn orders_come_through_the_channel(id: u64, what in what()) {
            let (near, far) = seqpacket::pair().unwrap();
            let order = Order { id, what };
            codec::send(near.as_fd(), &order, &[]).unwrap();
            let received = codec::receive::<Order>(far.as_fd(), &mut Vec::new(), true).unwrap();
            let Received::Message(received, _) = received else { panic!("{received:?}") };
            prop_assert_eq!(received, order);
        }

        #[test]
        fn noise_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = codec::decode::<Order>(&bytes);
            let _ = codec::decode::<FromAgent>(&bytes);
        }
    }
}
