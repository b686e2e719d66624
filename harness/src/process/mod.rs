//! Real processes on the hosts, and the sockets they hold.
//!
//! Start with [`Process`], then [`Socket`]; every call on them is a [`Call`] that can be awaited,
//! expected to succeed or fail, or started and found blocked ([`Call::blocks`]). An [`Epoll`] lasts
//! over several waits. What there is for a process to do is listed in [`syscall`], one entry a
//! call, and in [`protocol::Whole`]. [`agent`] is the other side; `fork_server` makes agents.
//!
//! Besides reading, writing and closing, a case may want:
//!
//! - [`Call::blocks`]: start a call and see it blocked in the kernel, at once.
//! - [`Socket::disconnect`]: `connect(2)` with `AF_UNSPEC`. [`Socket::reset`], [`Socket::vanish`].
//! - [`Process::epoll`]: an instance that lasts, with [`Events::EDGE`] and [`Events::ONE_SHOT`].
//!   [`Socket::poll`], [`Socket::epoll`], [`Socket::select`] and [`Socket::polls_as`] ask once.
//! - [`Socket::splice`] and [`Socket::splice_out`], [`Socket::sendfile`], [`Socket::writev`].
//! - [`Process::becomes_zombie`]: see that it has ended, and leave it uncollected.
//! - [`Process::pause`]: time passes, and the ladder says so.
//! - [`Process::fork`], [`Process::exec`], [`Process::steal`], [`Process::join`]: what a process
//!   hands on. [`Process::end_by`]: every way to end.
//!
//! A call moves any number of bytes up to 1 GiB; in a guest, 8 MiB, of which 1 MiB may be sent to
//! it. Bytes that repeat themselves are described and not sent. What is more is refused, as wrong
//! use, before anything happens.
//!
//! A process knows its machine only by what it needs of it (`home`): the rooms above say what a
//! host is, and where.

pub mod agent;
mod answer;
mod body;
mod call;
mod data;
mod ending;
mod epoll;
mod events;
pub(crate) mod fork_server;
pub(crate) mod home;
mod keepalive;
mod offspring;
mod opening;
pub mod option;
mod perform;
mod polls_as;
mod program;
pub mod protocol;
mod socket;
mod subject;
pub mod syscall;
mod talk;

pub use call::{Call, Pending};
pub use data::Data;
pub use ending::ProcessEnd;
pub use epoll::Epoll;
pub use events::Events;
pub use keepalive::Keepalive;
pub use program::Program;
pub use socket::Socket;
pub use subject::Process;
pub(crate) use subject::words;
