//! Wakes a guest that has missed what was sent to it.
//!
//! User-mode Linux watches its descriptors edge-triggered (`arch/um/os-Linux/irq.c`, EPOLLET), and
//! now and then loses an edge when its network card is busy: the bytes lie in the socket and its
//! epoll says that there is nothing. Only another arrival is another edge, so a guest that leaves
//! its input alone is sent an empty message.

use std::{
    io::Write,
    os::{fd::AsRawFd, unix::net::UnixStream},
    sync::{Mutex, Weak, mpsc},
    thread,
    time::Duration,
};

use super::protocol::INIT;
use crate::{
    error::{Context, Result},
    sys::{calls, codec::write_frame},
};

/// How long a guest may leave its input alone before it is woken. Awake, it takes a fraction of a
/// millisecond; one that is merely slow loses nothing by it.
const GRACE: Duration = Duration::from_millis(10);

/// No guest is woken less often. One that is stopped for long is not flooded.
const LONGEST: Duration = Duration::from_secs(1);

/// Watches what is sent over `line`; to be told of each message over the channel it gives.
pub(super) fn watch(line: Weak<Mutex<UnixStream>>) -> Result<mpsc::Sender<()>> {
    let (sender, sent) = mpsc::channel();
    let watch = move || {
        while sent.recv().is_ok() {
            let mut grace = GRACE;
            loop {
                thread::sleep(grace);
                let Some(line) = line.upgrade() else { return };
                let Ok(mut line) = line.lock() else { return };
                // What the guest has not read yet (`unix(7)`).
                let unread = calls::ioctl_int(line.as_raw_fd(), libc::TIOCOUTQ);
                if !unread.is_ok_and(|bytes| bytes > 0) || wake(&mut *line).is_err() {
                    break;
                }
                grace = (2 * grace).min(LONGEST);
            }
            while sent.try_recv().is_ok() {}
        }
    };
    let watching = thread::Builder::new().name("wakeup".to_owned()).spawn(watch);
    watching.context(|| "start the thread that wakes a guest".to_owned())?;
    Ok(sender)
}

fn wake(line: &mut impl Write) -> std::io::Result<()> {
    write_frame(line, INIT, &[])
}
