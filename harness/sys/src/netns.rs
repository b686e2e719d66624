//! Network namespaces: made and entered on short-lived threads, held by a descriptor.
//!
//! `setns(2)` and `unshare(2)` act on the calling thread alone, so a thread that enters a
//! namespace must never come back to work that expects its old one. Every entry here happens
//! on a thread of its own that ends with the closure. Nothing is ever mounted: the descriptor
//! is the only name, and the kernel forgets the namespace with its last user
//! (`net/core/net_namespace.c`, `cleanup_net`).

use std::{
    fs::File,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    panic::resume_unwind,
    sync::Arc,
    thread::{self, ScopedJoinHandle},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns, unshare},
};

use crate::error::{Context, Error, Result};

/// A handle to one network namespace. Clones name the same one.
#[derive(Debug, Clone)]
pub struct Netns(Arc<OwnedFd>);

impl Netns {
    /// Makes a new namespace for each of `wanted`, side by side, and runs `first` inside it before
    /// anything else can.
    ///
    /// # Errors
    /// The kernel refuses another namespace (`EPERM`, or `ENOSPC` at
    /// `user.max_net_namespaces`); or the first error of `first`.
    pub fn create_each<W: Sync, T: Send>(
        wanted: &[W],
        first: impl Fn(&W) -> Result<T> + Sync,
    ) -> Result<Vec<(Self, T)>> {
        let create = |one| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(refused)?;
            Ok((Self::current()?, first(one)?))
        };
        thread::scope(|scope| {
            let makers: Vec<_> = wanted.iter().map(|one| scope.spawn(|| create(one))).collect();
            makers.into_iter().map(joined).collect()
        })
    }

    /// The calling thread's own namespace.
    ///
    /// # Errors
    /// `/proc` is not mounted.
    pub fn current() -> Result<Self> {
        let file = File::open("/proc/thread-self/ns/net")
            .context(|| "open this thread's network namespace".to_owned())?;
        Ok(Self(Arc::new(file.into())))
    }

    /// A namespace known only by its descriptor, handed over by another process.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(Arc::new(fd))
    }

    /// What tells this namespace from all others for as long as it lives: the inode of its file.
    #[must_use]
    pub fn identity(&self) -> Option<u64> {
        nix::sys::stat::fstat(&*self.0).ok().map(|stat| stat.st_ino)
    }

    /// The [`Netns::identity`] of the one a process lives in.
    #[must_use]
    pub fn identity_of(pid: i32) -> Option<u64> {
        let path = format!("/proc/{pid}/ns/net");
        nix::sys::stat::stat(path.as_str()).ok().map(|stat| stat.st_ino)
    }

    /// Runs `work` on a new thread inside this namespace and waits for it.
    ///
    /// # Errors
    /// The namespace cannot be entered (`EPERM`).
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let inside = || {
            self.enter_for_good()?;
            Ok(work())
        };
        thread::scope(|scope| joined(scope.spawn(inside)))
    }

    /// Moves the calling thread into this namespace for the rest of its life.
    ///
    /// # Errors
    /// The namespace cannot be entered (`EPERM`).
    pub fn enter_for_good(&self) -> Result {
        setns(&*self.0, CloneFlags::CLONE_NEWNET)
            .context(|| "enter a host's network namespace".to_owned())
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn refused(errno: Errno) -> Error {
    let context = "create a network namespace";
    match errno {
        // What unshare(2) means by it is nowhere near a disk.
        Errno::ENOSPC => Error::system(context, "the limit user.max_net_namespaces is reached")
            .advise("raise it, or run fewer cases side by side"),
        errno => Error::system(context, errno),
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
