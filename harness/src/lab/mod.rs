//! The private network of one case: hosts, cables and the patch or the router between them.
//!
//! Start with [`Lab`] and its [`LabBuilder`]; a [`Host`] is where processes run; [`SocketView`] is what
//! a host's kernel says of one connection.

mod builder;
mod built;
mod card;
mod host;
mod ip;
mod kept;
mod patch;
mod ready;
mod router;
pub(crate) mod settings;
mod socket_view;
pub mod teardown;

pub use builder::{HostKind, LabBuilder, Neighbours};
pub use built::Lab;
pub(crate) use card::Card;
pub(crate) use host::Life;
pub use host::{Host, Running};
pub use ip::Ip;
pub(crate) use kept::Labs;
pub use patch::{Patch, Port};
pub(crate) use ready::{answers_to, carries};
pub use router::Router;
pub(crate) use router::Tracks;
pub use socket_view::{SocketView, snapshot};
