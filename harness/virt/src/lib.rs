//! The virtual kernel: a stock distribution kernel in QEMU whose clock jumps over idle time.
//!
//! Cases run in it unchanged. The virtual kernel is QEMU's, interpreted (`-accel tcg`), so that it
//! needs no rights and no KVM; its clock counts instructions and, when it idles, goes at once to
//! its next timer (`-icount …,sleep=off`). Two hours of keepalive take as long as the work in them.
//!
//! In reading order: [`store`] says which kernels there are, [`image`] makes the file system a
//! virtual kernel starts from, [`machine`] runs it and hears what it says (`qemu` says how),
//! [`init`] is what runs first in it. [`programs`] gives it programs that have more than libraries.
//! [`template`] keeps one that has booted, from which others go on in a fraction of the time (`saved`
//! says how, `mailbox` how they are told what to do). [`trial`] boots one that has nothing to do. This
//! room knows nothing of cases: a virtual kernel is given a manifest, which only the function called
//! in it reads, and says frames, which only who booted it reads.

#![forbid(unsafe_code)]

mod archive;
mod bzimage;
mod cache;
mod console;
#[cfg(test)]
mod fakes;
pub mod image;
pub mod init;
mod lack;
pub mod machine;
mod mailbox;
mod modules;
mod port;
mod program;
pub mod programs;
mod qemu;
mod qmp;
mod saved;
pub mod store;
pub mod template;
pub mod trial;
mod watch;

pub use image::Image;
pub use lack::Lack;
pub use machine::{Machine, MachineEnd, MachineEvent};
pub use programs::ProgramImage;
pub use store::Kernel;
