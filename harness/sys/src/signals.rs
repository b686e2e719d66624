//! Signal dispositions of an agent, and which signal a call raised.
#![allow(unsafe_code)]

use std::cell::Cell;

use nix::{
    errno::Errno,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
};
use serde::{Deserialize, Serialize};

/// What a process does on a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    /// `SIG_DFL`: for SIGPIPE, death.
    Default,
    /// `SIG_IGN`.
    Ignore,
    /// A handler that notes the signal and returns.
    Handle,
}

thread_local! {
    static NOTED: Cell<u32> = const { Cell::new(0) };
}

extern "C" fn note(_: i32) {
    // A signal raised by the thread's own call is handled on that thread, before the call
    // returns to user space, so a plain thread-local cell is enough to blame the right call.
    NOTED.set(NOTED.get() + 1);
}

/// How many signals this thread's handler has noted so far.
#[must_use]
pub fn noted() -> u32 {
    NOTED.get()
}

/// Sets the disposition of `signal` for the whole process.
///
/// # Errors
/// `EINVAL` for SIGKILL and SIGSTOP, whose disposition is fixed.
pub fn dispose(signal: Signal, disposition: Disposition) -> Result<(), Errno> {
    let handler = match disposition {
        Disposition::Default => SigHandler::SigDfl,
        Disposition::Ignore => SigHandler::SigIgn,
        Disposition::Handle => SigHandler::Handler(note),
    };
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler touches one thread-local cell that needs no lazy initialisation.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// As [`dispose`] with [`Disposition::Handle`], but interrupting a blocked call (`EINTR`).
///
/// # Errors
/// As [`dispose`].
pub fn interrupt_on(signal: Signal) -> Result<(), Errno> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    // SAFETY: as in `dispose`.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// Sends a signal to one thread of a process (`tgkill(2)`).
///
/// # Errors
/// `ESRCH`: there is no such thread any more.
pub fn send_to_thread(process: i32, thread: i32, signal: Signal) -> Result<(), Errno> {
    // SAFETY: a system call on numbers.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal as i32) };
    Errno::result(answer).map(drop)
}
