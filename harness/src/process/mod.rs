//! Real processes on the hosts, and the sockets they hold.
//!
//! Start with [`Process`], then [`Socket`]; every call on them is a [`Call`] that can be awaited,
//! expected to succeed or fail, or started and found blocked. [`agent`] is the other side.

pub mod agent;
mod body;
mod call;
mod ending;
mod events;
mod keepalive;
pub mod option;
mod perform;
mod polls_as;
mod program;
pub mod protocol;
mod socket;
mod subject;
mod talk;

pub use call::{Call, Pending};
pub use ending::ProcessEnd;
pub use events::Events;
pub use keepalive::Keepalive;
pub use program::Program;
pub use protocol::Data;
pub use socket::Socket;
pub use subject::Process;
pub(crate) use subject::words;
