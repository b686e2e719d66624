//! A folder that nobody else sees: a tmpfs in a mount namespace of the calling thread's own.

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::error::{Context, Result};

/// Where it is. Every system has this folder, and nothing of the system is in it (Filesystem
/// Hierarchy Standard, 3.12).
pub const MOUNTPOINT: &str = "/mnt";

/// Makes it. What the thread starts from now on lives in its mount namespace, and the folder with
/// all it holds is gone with the last of them; so a thread that does this does nothing else.
///
/// # Errors
/// The kernel refuses the namespace or the mount.
pub fn make() -> Result {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).context(|| "make a mount namespace".to_owned())?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context(|| "make its mounts private".to_owned())?;
    mount(Some("tmpfs"), MOUNTPOINT, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=0700"))
        .context(|| format!("mount a tmpfs on {MOUNTPOINT}"))
}
