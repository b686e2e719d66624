//! Processes that are forked and go on in the same program: whose children they are, what they
//! have open, and what they are called.

#![allow(unsafe_code)]

use std::{ops::Range, os::fd::RawFd};

use nix::errno::Errno;

/// Forks this process, which must have one thread only. Its parent is the child's parent, too, and
/// hears of the child's end (`CLONE_PARENT`, `clone(2)`). Zero in the child.
///
/// # Errors
/// As `fork(2)`; `EINVAL` in the first process of a PID namespace.
pub fn fork_sibling() -> nix::Result<i32> {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: a fork, as no memory is shared and no stack given; with one thread nobody else holds
    // a lock, of the allocator or of anything. What glibc would put right in the child is the list
    // of the threads that are not there.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    Errno::result(pid).map(|pid| i32::try_from(pid).expect("process ids fit an i32"))
}

/// Closes every descriptor from `first` on, whoever owns it: for a process that has just been
/// forked, and will use none of them.
pub fn close_from(first: RawFd) {
    // SAFETY: plain numbers. Nothing in this process goes on to use what is closed.
    unsafe {
        // Before 5.9 there is no such call.
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) != 0 {
            for number in first..1024 {
                libc::close(number);
            }
        }
    }
}

/// Where the kernel reads this process's command line (`proc_pid_cmdline(5)`): in its own memory.
#[derive(Debug, Clone)]
pub struct CommandLine(Range<usize>);

impl CommandLine {
    /// Finds it (`arg_start` and `arg_end` in `proc_pid_stat(5)`).
    #[must_use]
    pub fn find() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name before may hold anything; the first field behind it is the third.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(48 - 3);
        let mut address = || fields.next()?.trim().parse::<usize>().ok().filter(|at| *at != 0);
        let (start, end) = (address()?, address()?);
        (start < end).then_some(Self(start..end))
    }

    /// Writes other words there, as many as there is room for; what was there before is lost. For
    /// a process with one thread, which has read its arguments.
    pub fn set(&self, words: &[&str]) {
        let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
        // The last byte stays zero: any other would tell the kernel to read on behind it.
        let bytes = bytes.chain(std::iter::repeat(0)).take(self.0.len() - 1).chain([0]);
        for (at, byte) in self.0.clone().zip(bytes) {
            // SAFETY: the kernel put the arguments there, writable, before the program began, and
            // they stay for its whole life. The standard library hands out copies.
            unsafe { std::ptr::with_exposed_provenance_mut::<u8>(at).write(byte) };
        }
    }
}
