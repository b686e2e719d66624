//! Guest kernels: a host that is not a namespace but a kernel of its own, and can really die.
//!
//! A guest is Debian's user-mode Linux, run as a child of the case inside its host's namespace,
//! where it owns the end of the cable as its only network card. Its root is the machine's own,
//! read-only, and its init is lastack ([`init`]), which starts agents in it; over a serial line
//! (`line`, [`protocol`]) they are driven like those of any host, and its routing side spoken to
//! (`relay`). `boot` is how it comes up, `machine` what a case can do with it.

pub(crate) mod boot;
mod configure;
pub mod init;
pub(crate) mod line;
pub(crate) mod machine;
pub mod protocol;
mod relay;
mod wakeup;

pub(crate) use machine::Guest;
