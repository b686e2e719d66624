//! The private network of one case: hosts, cables and the patch or the router between them.
//!
//! Start with [`Lab`] and its [`LabBuilder`]; a [`Host`] is where processes run; [`SocketView`] is
//! what a host's kernel says of one connection.

mod builder;
mod built;
mod card;
mod host;
mod kept;
mod patch;
mod router;
mod socket_view;
pub mod teardown;

pub use builder::{HostKind, LabBuilder, Neighbours};
pub use built::Lab;
pub(crate) use card::Card;
pub(crate) use host::Life;
pub use host::{Host, Running};
pub(crate) use kept::Labs;
pub use patch::{Patch, Port};
pub use router::Router;
pub(crate) use router::Tracks;
pub use socket_view::{SocketView, snapshot};

pub use crate::sys::ip::Ip;
pub(crate) use crate::sys::{
    ready::{answers_to, carries},
    settings,
};
