//! The ground floor: what lastack asks of the kernel, and the only `unsafe` in it.

pub mod calls;
pub mod child;
mod clone;
pub mod conntrack;
pub mod counters;
pub mod inside;
pub mod neighbours;
pub mod netem;
pub mod netns;
pub mod nft;
pub mod packet;
pub mod private_tmpfs;
pub mod probe;
pub mod qdisc;
pub mod routes;
pub mod rtnl;
pub mod seqpacket;
pub mod signals;
pub mod sock_diag;
pub mod spawn;
pub mod sysctl;
pub mod tbf;
pub mod tc;
pub mod tcp_info;
pub mod transmit;
