//! Real processes on the hosts, and the sockets they hold.
//!
//! Start with [`Process`], then [`Socket`]; every call on them is a [`Call`] that can be awaited,
//! expected to succeed or fail, or started and found blocked ([`Call::blocks`]). An [`Epoll`] lasts
//! over several waits. What there is for a process to do is listed in [`syscall`], one entry a call,
//! and in [`protocol::Whole`]. [`agent`] is the other side.
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
