//! The ground floor: what lastack asks of the kernel, and the only `unsafe` in it.
//!
//! [`error`] holds the words in which everything in lastack fails, [`stamp`] the one clock that all
//! is put in order by, [`stall`] when this machine has kept the harness waiting, [`pending`] what
//! the harness waits for.

pub mod calls;
pub mod child;
mod clone;
pub mod codec;
pub mod conntrack;
pub mod counters;
pub mod error;
pub mod forked;
pub mod inside;
pub mod ip;
pub mod lock;
pub mod neighbours;
pub mod netem;
pub mod netns;
pub mod nft;
pub mod packet;
pub mod pending;
pub mod private_tmpfs;
pub mod probe;
pub mod program;
pub mod qdisc;
pub mod ready;
pub mod routes;
pub mod rtnl;
pub mod seqpacket;
pub mod settings;
pub mod signals;
pub mod sock_diag;
pub mod spawn;
pub mod stall;
pub mod stamp;
pub mod sysctl;
pub mod tbf;
pub mod tc;
pub mod tcp_info;
mod tcp_state;
pub mod transmit;

pub use error::{Error, ErrorKind, Mismatch, Result};
pub use stamp::Stamp;
