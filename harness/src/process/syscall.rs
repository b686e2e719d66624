//! The system calls that a thread of a process can be told to make: one entry a call.
//!
//! An entry holds the call's name and arguments, the type of its answer, how a ladder writes it,
//! and how the agent makes it. The compiler holds both ends to the same answer: who orders a call
//! knows by its type what comes back. To add a call, add an entry here and a method to
//! [`super::Socket`] or [`super::Process`].

use std::{fmt, net::SocketAddr, os::fd::RawFd};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    answer::{ReadToEnd, Ready, Show},
    data::Data,
    events::Events,
    perform::{self, Failed, held},
};
use crate::sys::{
    calls,
    codec::{self, Bytes},
    signals::{self, Disposition},
};

/// A system call with its arguments.
pub trait Syscall: fmt::Display + Into<Op> {
    /// What it answers when it succeeds.
    type Answer: Show + Serialize + DeserializeOwned + std::marker::Send + 'static;

    /// Makes it on the calling thread.
    ///
    /// # Errors
    /// The kernel's errno, or why it could not be made at all.
    fn make(self) -> Result<Self::Answer, Failed>;

    /// What it costs to carry it to the process and to make it there.
    fn weight(&self) -> Weight {
        Weight::default()
    }
}

/// What a call costs before it is made, in bytes. A guest, which has little memory and a slow line,
/// refuses a call that costs too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// How many are sent to the process.
    pub shipped: usize,
    /// How many the process has to hold to make the call.
    pub held: usize,
}

macro_rules! syscalls {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } -> $answer:ty
        $(, weight: $weight:expr)?, ($($shown:tt)*), $make:expr;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub struct $name { $(pub $field: $type),* }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                #[allow(unused_variables)]
                let Self { $($field),* } = self;
                write!(f, $($shown)*)
            }
        }

        impl From<$name> for Op {
            fn from(call: $name) -> Self {
                Self::$name(call)
            }
        }

        impl Syscall for $name {
            type Answer = $answer;

            fn make(self) -> Result<$answer, Failed> {
                let Self { $($field),* } = self;
                $make
            }

            $(fn weight(&self) -> Weight {
                $weight(self)
            })?
        })*

        /// Any of the system calls, as it is sent to a process.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum Op { $($name($name)),* }

        impl Op {
            /// Makes the call on the calling thread. The answer comes encoded, as the case takes
            /// it.
            ///
            /// # Errors
            /// The kernel's errno, or why it could not be made at all.
            pub fn make(self) -> Result<Vec<u8>, Failed> {
                match self { $(Self::$name(call) => encoded(&call.make()?)),* }
            }
        }
    };
}

syscalls! {
    /// `socket(2)` for TCP.
    Socket { v6: bool, nonblocking: bool } -> RawFd,
        ("socket({}, SOCK_STREAM{})", family(*v6), flag(*nonblocking, "|SOCK_NONBLOCK")),
        Ok(calls::socket(v6, libc::SOCK_CLOEXEC | nonblock(nonblocking))?);
    /// `bind(2)`.
    Bind { fd: RawFd, address: SocketAddr } -> (),
        ("bind({fd}, {address})"), Ok(calls::bind(fd, address)?);
    /// `listen(2)`.
    Listen { fd: RawFd, backlog: i32 } -> (),
        ("listen({fd}, {backlog})"), Ok(calls::listen(fd, backlog)?);
    /// `accept4(2)`.
    Accept { fd: RawFd, nonblocking: bool } -> RawFd,
        ("accept({fd})"), Ok(calls::accept(fd, libc::SOCK_CLOEXEC | nonblock(nonblocking))?);
    /// `connect(2)`.
    Connect { fd: RawFd, address: SocketAddr } -> (),
        ("connect({fd}, {address})"), Ok(calls::connect(fd, address)?);
    /// `connect(2)` to no address.
    Disconnect { fd: RawFd } -> (),
        ("connect({fd}, AF_UNSPEC)"), Ok(calls::disconnect(fd)?);
    /// `read(2)`.
    Read { fd: RawFd, max: u32 } -> Bytes,
        ("read({fd}, {max})"),
        perform::received(max, |room| calls::read(fd, room));
    /// `recv(2)`.
    Recv { fd: RawFd, max: u32, flags: i32 } -> Bytes,
        ("recv({fd}, {max}, {flags:#x})"),
        perform::received(max, |room| calls::recv(fd, room, flags));
    /// `write(2)`.
    Write { fd: RawFd, data: Data } -> usize, weight: |it: &Self| order_of(&it.data),
        ("write({fd}, {})", data.len()),
        Ok(calls::write(fd, &held(&data)?)?);
    /// `send(2)`.
    Send { fd: RawFd, data: Data, flags: i32 } -> usize, weight: |it: &Self| order_of(&it.data),
        ("send({fd}, {}, {flags:#x})", data.len()),
        Ok(calls::send(fd, &held(&data)?, flags)?);
    /// `writev(2)`.
    Writev { fd: RawFd, parts: Vec<Data> } -> usize,
        weight: |it: &Self| it.parts.iter().map(order_of).fold(Weight::default(), Weight::and),
        ("writev({fd}, {} parts)", parts.len()),
        {
            let parts = parts.iter().map(held).collect::<Result<Vec<_>, _>>()?;
            Ok(calls::writev(fd, &parts)?)
        };
    /// `sendfile(2)` from a file in memory.
    Sendfile { fd: RawFd, data: Data } -> usize, weight: |it: &Self| order_of(&it.data),
        ("sendfile({fd}, {})", data.len()),
        perform::sendfile(fd, &held(&data)?);
    /// `splice(2)` from a socket into a fresh pipe.
    SpliceIn { fd: RawFd, max: u32 } -> usize,
        ("splice({fd} to a pipe, {max})"), perform::splice_in(fd, max as usize);
    /// `splice(2)` from a fresh pipe into a socket.
    SpliceOut { fd: RawFd, data: Data } -> usize, weight: |it: &Self| order_of(&it.data),
        ("splice(a pipe to {fd}, {})", data.len()),
        perform::splice_out(fd, &held(&data)?);
    /// `read(2)` again and again.
    Drain { fd: RawFd, limit: u64 } -> ReadToEnd,
        ("read({fd}) {}", until(*limit)), perform::drain(fd, limit);
    /// `shutdown(2)`.
    Shutdown { fd: RawFd, how: i32 } -> (),
        ("shutdown({fd}, {})", direction(*how)), Ok(calls::shutdown(fd, how)?);
    /// `close(2)`.
    Close { fd: RawFd } -> (), ("close({fd})"), Ok(calls::close(fd)?);
    /// `dup(2)`.
    Dup { fd: RawFd } -> RawFd, ("dup({fd})"), Ok(calls::dup(fd)?);
    /// `getsockname(2)` or `getpeername(2)`.
    Name { fd: RawFd, peer: bool } -> SocketAddr,
        ("get{}name({fd})", if *peer { "peer" } else { "sock" }), Ok(calls::name(fd, peer)?);
    /// `fcntl(2)`: `O_NONBLOCK`.
    SetNonblocking { fd: RawFd, on: bool } -> (),
        ("fcntl({fd}, O_NONBLOCK {on})"), Ok(calls::set_nonblocking(fd, on)?);
    /// `fcntl(2)`: `FD_CLOEXEC`.
    SetCloexec { fd: RawFd, on: bool } -> (),
        ("fcntl({fd}, FD_CLOEXEC {on})"), Ok(calls::set_cloexec(fd, on)?);
    /// `setsockopt(2)`.
    SetOption { fd: RawFd, level: i32, name: i32, value: Vec<u8> } -> (),
        ("setsockopt({fd}, {level}, {name}, {value:?})"),
        Ok(calls::set_option(fd, level, name, &value)?);
    /// `getsockopt(2)`.
    GetOption { fd: RawFd, level: i32, name: i32, room: u32 } -> Bytes,
        ("getsockopt({fd}, {level}, {name})"),
        Ok(Bytes(calls::get_option(fd, level, name, room as usize)?));
    /// `ioctl(2)` with one integer answer.
    Ioctl { fd: RawFd, request: u64 } -> i32,
        ("ioctl({fd}, {request:#x})"), Ok(calls::ioctl_int(fd, request)?);
    /// `poll(2)`.
    Poll { fd: RawFd, events: Events, timeout_ms: i32 } -> Events,
        ("poll({fd}, {events}, {timeout_ms})"),
        Ok(Events((calls::poll(fd, events.0 as i16, timeout_ms)? as u16).into()));
    /// `epoll_wait(2)` on a fresh instance.
    Epoll { fd: RawFd, events: Events, timeout_ms: i32 } -> Events,
        ("epoll_wait({fd}, {events}, {timeout_ms})"),
        Ok(Events(calls::epoll(fd, events.0, timeout_ms)?));
    /// `epoll_create1(2)`.
    EpollCreate {} -> RawFd, ("epoll_create()"), Ok(calls::epoll_create()?);
    /// `epoll_ctl(2)`: watch a descriptor.
    EpollAdd { epoll: RawFd, fd: RawFd, events: Events } -> (),
        ("epoll_ctl({epoll}, ADD, {fd}, {events})"),
        Ok(calls::epoll_control(epoll, libc::EPOLL_CTL_ADD, fd, events.0)?);
    /// `epoll_ctl(2)`: watch it for other events.
    EpollModify { epoll: RawFd, fd: RawFd, events: Events } -> (),
        ("epoll_ctl({epoll}, MOD, {fd}, {events})"),
        Ok(calls::epoll_control(epoll, libc::EPOLL_CTL_MOD, fd, events.0)?);
    /// `epoll_ctl(2)`: watch it no more.
    EpollRemove { epoll: RawFd, fd: RawFd } -> (),
        ("epoll_ctl({epoll}, DEL, {fd})"),
        Ok(calls::epoll_control(epoll, libc::EPOLL_CTL_DEL, fd, 0)?);
    /// `epoll_wait(2)` on an instance that lasts.
    EpollWait { epoll: RawFd, timeout_ms: i32 } -> Vec<(RawFd, Events)>,
        ("epoll_wait({epoll}, {timeout_ms})"),
        {
            let ready = calls::epoll_wait(epoll, timeout_ms)?;
            Ok(ready.into_iter().map(|(fd, events)| (fd, Events(events))).collect())
        };
    /// `select(2)`.
    Select { fd: RawFd, timeout_ms: i32 } -> Ready,
        ("select({fd}, {timeout_ms})"), Ok(Ready(calls::select(fd, timeout_ms)?));
    /// `nanosleep(2)`.
    Pause { nanos: u64 } -> (),
        ("nanosleep({:?})", std::time::Duration::from_nanos(*nanos)),
        {
            std::thread::sleep(std::time::Duration::from_nanos(nanos));
            Ok(())
        };
    /// Makes a connection disappear without a packet.
    Vanish { fd: RawFd } -> (), ("close({fd}) under TCP_REPAIR"), perform::vanish(fd);
    /// `sigaction(2)`.
    Dispose { signal: i32, disposition: Disposition } -> (),
        ("sigaction({signal}, {disposition:?})"),
        Ok(signals::dispose(Signal::try_from(signal)?, disposition)?);
    /// `sigaction(2)` with a handler that interrupts blocked calls.
    InterruptOn { signal: i32 } -> (),
        ("sigaction({signal}, Handle)"), Ok(signals::interrupt_on(Signal::try_from(signal)?)?);
    /// `sendmsg(2)` of a descriptor.
    SendFd { over: RawFd, fd: RawFd } -> (),
        ("sendmsg({over}, SCM_RIGHTS {fd})"), Ok(calls::send_fd(over, fd)?);
    /// `recvmsg(2)` of a descriptor.
    ReceiveFd { over: RawFd } -> RawFd,
        ("recvmsg({over}) for a descriptor"), perform::receive_fd(over);
    /// `pidfd_getfd(2)`.
    StealFd { pid: i32, fd: RawFd } -> RawFd,
        ("pidfd_getfd(pid {pid}, {fd})"), Ok(calls::steal_fd(pid, fd)?);
}

fn encoded<T: Serialize>(answer: &T) -> Result<Vec<u8>, Failed> {
    codec::encode(answer).map_err(|error| Failed::NotMade(error.to_string()))
}

impl Weight {
    fn and(self, other: Self) -> Self {
        Self { shipped: self.shipped + other.shipped, held: self.held + other.held }
    }
}

fn order_of(data: &Data) -> Weight {
    Weight { shipped: data.shipped(), held: data.len() }
}

fn nonblock(on: bool) -> i32 {
    if on { libc::SOCK_NONBLOCK } else { 0 }
}

fn family(v6: bool) -> &'static str {
    if v6 { "AF_INET6" } else { "AF_INET" }
}

fn flag(on: bool, word: &'static str) -> &'static str {
    if on { word } else { "" }
}

fn until(limit: u64) -> String {
    if limit == u64::MAX { "to the end".to_owned() } else { format!("until {limit}") }
}

fn direction(how: i32) -> &'static str {
    match how {
        libc::SHUT_RD => "SHUT_RD",
        libc::SHUT_WR => "SHUT_WR",
        libc::SHUT_RDWR => "SHUT_RDWR",
        _ => "?",
    }
}
