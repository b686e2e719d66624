//! lastack: an integration-test harness for the way TCP connections end.
//!
//! A *case* builds a private network of *hosts* out of network namespaces, lets real *processes*
//! open real *sockets* there, breaks something with a *fault*, and judges what happened from three
//! sides: what the application was told, what the kernels' sockets did, what was on the wire. It
//! is an ordinary test; it needs no rights beyond a user namespace and leaves nothing behind.
//!
//! In reading order:
//!
//! - [`Scene`] is what a case is given, and [`Pair`] where most cases begin: two processes with a
//!   connection between them.
//! - [`process`]: what a process and its sockets can be told to do, and how a call that blocks is
//!   caught in the act.
//! - [`lab`]: hosts, cables and the patch between them; what a host's kernel says of a connection.
//! - [`guest`]: hosts that are kernels of their own, and can really die.
//! - [`virt`]: a kernel for whole cases, whose clock jumps over idle time.
//! - [`wire`]: segments seen at both ends, and expectations that wait for them.
//! - [`fault`]: what can be broken. [`verdict`]: outcomes of calls, and time windows derived from
//!   the kernel's own formulas.
//! - [`runner`]: how a case is registered, what it may need, how it is run in a process of its own;
//!   [`report`] and [`cli`] are for who watches.
//! - [`sys`]: the ground floor, for those who need what no room above offers.
//!
//! A whole test file of another project is `tests/own_project.rs`, which is also in the README.

#![forbid(unsafe_code)]

pub mod cli;
pub mod fault;
pub mod guest;
pub mod lab;
pub mod prelude;
pub mod process;
pub mod report;
pub mod runner;
mod scene;
mod stage;
pub mod verdict;
pub mod wire;

pub use cli::program;
pub use error::{Error, ErrorKind, Mismatch, Result};
pub use lastack_sys as sys;
pub use lastack_sys::error;
use lastack_sys::{stall, stamp};
pub use lastack_virt as virt;
pub use report::libtest::test_main;
pub use runner::catalogue::Row;
pub use runner::registry::{FamilySource, Problems, Registry};
pub use scene::{CloseKind, End, InFlight, PORT, Pair, PairBuilder, Scene, Unacknowledged};
pub use stamp::Stamp;
