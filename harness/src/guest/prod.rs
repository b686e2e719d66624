//! Wakes a guest that has missed what was sent to it.
//!
//! User-mode Linux learns of input by SIGIO, and one that arrives while it handles another can be
//! lost: the bytes lie in the socket, and the kernel sleeps. Seen once in some hundred megabytes'
//! worth of network interrupts. The handler looks at every descriptor, whatever the signal was
//! for (`arch/um/kernel/irq.c`, `sigio_handler`), so one more SIGIO is all it takes.

use std::{
    os::{fd::AsRawFd, unix::net::UnixStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    error::{Attempt, Result},
    sys::calls,
};

/// How long a guest may leave its input alone before it is woken. Awake, it takes a fraction of a
/// millisecond; one that is merely slow loses nothing by it.
const GRACE: Duration = Duration::from_millis(10);

/// Watches what is sent over `line` to the guest whose kernel is process `pid`; to be told of each
/// message over the channel it gives.
pub(super) fn watch(line: UnixStream, pid: i32) -> Result<mpsc::Sender<()>> {
    let (sender, sent) = mpsc::channel();
    let watch = move || {
        while sent.recv().is_ok() {
            loop {
                thread::sleep(GRACE);
                // What the guest has not read yet (`unix(7)`).
                let unread = calls::ioctl_int(line.as_raw_fd(), libc::TIOCOUTQ);
                if !unread.is_ok_and(|bytes| bytes > 0)
                    || kill(Pid::from_raw(pid), Signal::SIGIO).is_err()
                {
                    break;
                }
            }
            while sent.try_recv().is_ok() {}
        }
    };
    let watching = thread::Builder::new().name("prod".to_owned()).spawn(watch);
    watching.attempt(|| "start the thread that wakes a guest".to_owned())?;
    Ok(sender)
}
