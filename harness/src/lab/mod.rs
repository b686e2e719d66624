//! The private network of one case: hosts, cables and the patch or the router between them.
//!
//! Start with [`Lab`] and its [`LabBuilder`]; a [`Host`] is where processes run; [`Kernel`] is what
//! a host's kernel says of one connection.

mod builder;
mod built;
pub mod estate;
mod host;
mod kernel;
mod patch;
mod router;
pub(crate) mod settings;

pub use builder::{HostKind, Ip, LabBuilder, Neighbours};
pub(crate) use builder::{answers_to, carries};
pub use built::Lab;
pub(crate) use host::Life;
pub use host::{Host, Running};
pub use kernel::{Kernel, Sighting, snapshot};
pub use patch::{Patch, Port};
pub use router::Router;
