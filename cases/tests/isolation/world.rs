//! A user namespace in which lastack runs, and which tells whether anything of it is left.
//!
//! A network namespace that only an orphaned socket holds is to be seen nowhere: no process is in
//! it, no file names it. But the kernel counts it, on the user namespace it was made in and on
//! all above (`kernel/ucount.c`, `inc_ucount`). So everything happens inside a fresh user
//! namespace, and when it is over the limits there are set to one: where that one can be made,
//! there is no other left.

use std::fs;
use std::time::{Duration, Instant};

use lastack::sys::spawn::{Owner, Spawn};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::common::Checked;

/// Namespaces are taken down by a worker of the kernel, in batches, some time after their last
/// user is gone; an orphan would hold one for more than a minute.
const PATIENCE: Duration = Duration::from_secs(15);

/// The kinds of namespaces that lastack makes.
pub const KINDS: [&str; 4] = ["user", "pid", "mnt", "net"];

/// Who runs lastack in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Root of that user namespace: lastack needs no other.
    Root,
    /// An ordinary user of it: lastack makes user namespaces of its own.
    User,
}

/// Why there can be no such world here, if there cannot. Root may run cases all the same.
pub fn refused() -> Option<String> {
    let tried = Spawn::trial(Owner::User).start().and_then(|mut child| child.wait());
    tried.err().map(|error| error.to_string())
}

/// Moves this process, which must have one thread, into a fresh user namespace.
pub fn enter(who: As) -> Checked {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    let inside = if who == As::Root { 0 } else { 1000 };
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{inside} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{inside} {group} 1"))?;
    Ok(())
}

/// Sets how many namespaces of one kind there may be. Only who made the user namespace may: its
/// rights over it end with the next exec.
pub fn limit(kind: &str, count: u32) -> Checked {
    Ok(fs::write(format!("/proc/sys/user/max_{kind}_namespaces"), count.to_string())?)
}

/// Waits until no namespace is left that was made in this one.
pub fn empties() -> Checked {
    let deadline = Instant::now() + PATIENCE;
    for kind in KINDS {
        limit(kind, 1)?;
    }
    loop {
        let Err(refused) = Spawn::trial(Owner::User).start().and_then(|mut child| child.wait())
        else {
            return Ok(());
        };
        if Instant::now() > deadline {
            return Err(format!("after {PATIENCE:?}, {}: {refused}", left()?).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Which kinds are left: those of which no further one can be made for a second.
fn left() -> Checked<String> {
    let mut left = Vec::new();
    for kind in KINDS {
        KINDS.iter().try_for_each(|kind| limit(kind, 1000))?;
        limit(kind, 1)?;
        let deadline = Instant::now() + Duration::from_secs(1);
        while Spawn::trial(Owner::User).start().and_then(|mut child| child.wait()).is_err() {
            if Instant::now() > deadline {
                left.push(kind);
                break;
            }
        }
    }
    Ok(format!("namespaces are left of the kinds {}", left.join(", ")))
}
