//! Between clone and exec.
//!
//! Everything the child needs is prepared before the clone: the child of a threaded program
//! may only make system calls, because another thread may have held the allocator's lock when
//! the memory was copied.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null;

use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::{getegid, geteuid};

use crate::error::{Context, Error, Result};

/// Who owns the fresh namespaces, and so with which rights they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The machine's own root: no user namespace is needed.
    Root,
    /// Whoever runs this: in a fresh user namespace, where they are root.
    User,
}

impl Owner {
    /// The word for it on a command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User => "user",
        }
    }
}

/// What the child does once its surroundings are made.
pub(super) enum Task {
    /// Becomes this same program, in the role its arguments name.
    Execute,
    /// Asks whether it may write the file, and ends.
    Inspect(CString),
    /// Ends at once: that its surroundings could be made was the question.
    End,
}

/// The process that is wanted.
pub(super) struct Wanted<'fd> {
    pub(super) arguments: Vec<CString>,
    /// Its descriptors, as 0, 1, 2 and so on.
    pub(super) descriptors: Vec<BorrowedFd<'fd>>,
    /// Who owns its fresh namespaces, if it gets any.
    pub(super) namespaces: Option<Owner>,
    /// How long the files may grow that it writes, in bytes.
    pub(super) file_limit: Option<u64>,
    pub(super) task: Task,
}

/// What the child was doing when the system refused.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Step {
    User = 1,
    Mounts,
    Proc,
    Network,
    Descriptors,
    Execute,
}

impl Step {
    /// The step that the child reported by number.
    pub(super) fn words(number: u8) -> &'static str {
        match number {
            1 => "become root of a user namespace",
            2 => "make its mounts private",
            3 => "mount a /proc of its own",
            4 => "configure its network (CAP_NET_ADMIN)",
            5 => "arrange its descriptors",
            _ => "execute this program again",
        }
    }
}

/// Everything the child needs, in memory that no longer moves.
pub(super) struct Plan<'a> {
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    _environment: Vec<CString>,
    /// Copies above all targets, so that moving one down cannot overwrite another.
    descriptors: Vec<OwnedFd>,
    reporter: OwnedFd,
    maps: [(&'static CStr, Vec<u8>); 3],
    wanted: &'a Wanted<'a>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(wanted: &'a Wanted<'a>, reporter: &OwnedFd) -> Result<Self> {
        let environment = std::env::vars_os()
            .map(|(mut pair, value)| {
                pair.push("=");
                pair.push(value);
                text(&pair)
            })
            .collect::<Result<Vec<_>>>()?;
        let pointers = |strings: &[CString]| {
            strings.iter().map(|s| s.as_ptr()).chain([null()]).collect::<Vec<_>>()
        };
        let above = wanted.descriptors.len() as RawFd + 1;
        Ok(Self {
            argv: pointers(&wanted.arguments),
            envp: pointers(&environment),
            _environment: environment,
            descriptors: wanted
                .descriptors
                .iter()
                .map(|descriptor| copy_above(*descriptor, above))
                .collect::<Result<_>>()?,
            reporter: copy_above(reporter.as_fd(), above)?,
            maps: [
                // Without this the kernel refuses a group map to anyone but root.
                (c"/proc/self/setgroups", b"deny".to_vec()),
                (c"/proc/self/uid_map", format!("0 {} 1", geteuid()).into_bytes()),
                (c"/proc/self/gid_map", format!("0 {} 1", getegid()).into_bytes()),
            ],
            wanted,
        })
    }

    /// The namespaces to clone into.
    pub(super) fn flags(&self) -> libc::c_int {
        let fresh = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWNET;
        match self.wanted.namespaces {
            None => 0,
            Some(Owner::Root) => fresh,
            Some(Owner::User) => fresh | libc::CLONE_NEWUSER,
        }
    }

    /// The child's whole life before the new program.
    ///
    /// # Safety
    /// Only in the child of [`clone`], which has nothing else to do.
    pub(super) unsafe fn carry_out(&self) -> ! {
        // SAFETY: system calls on memory that `self` owns; none allocates or takes a lock.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // A session of its own: the terminal's Ctrl-C goes to the runner alone.
            libc::setsid();
            if self.flags() & libc::CLONE_NEWUSER != 0 {
                self.become_root();
            }
            if self.flags() & libc::CLONE_NEWNS != 0 {
                self.remount();
            }
            match &self.wanted.task {
                Task::End => {
                    self.raise_loopback();
                    libc::_exit(0)
                }
                Task::Inspect(path) => {
                    let refused = libc::access(path.as_ptr(), libc::W_OK) != 0;
                    libc::_exit(libc::c_int::from(refused))
                }
                Task::Execute => {
                    self.arrange_descriptors();
                    // Not before: the runner may have more files open than a case may.
                    self.set_limits();
                    reset_signals();
                    // The link, not the path: a build may have replaced the file meanwhile.
                    libc::execve(c"/proc/self/exe".as_ptr(), self.argv.as_ptr(), self.envp.as_ptr())
                }
            };
            // The report pipe has moved to right behind the descriptors.
            report(self.descriptors.len() as RawFd, Step::Execute)
        }
    }

    /// The same limits for every case, however many run beside it.
    unsafe fn set_limits(&self) {
        // No core files: a crash is often the scenario. One byte, not zero, because only that
        // value also keeps the kernel from starting a `core_pattern` program (fs/coredump.c).
        let core = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: the limits are local values; a refusal leaves the old limit, which works too.
        unsafe {
            libc::setrlimit(libc::RLIMIT_CORE, &raw const core);
            // The runner may have raised its own to carry many cases.
            let mut files = core;
            if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) == 0 {
                files.rlim_cur = files.rlim_max.min(1024);
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files);
            }
            if let Some(bytes) = self.wanted.file_limit {
                let size = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                libc::setrlimit(libc::RLIMIT_FSIZE, &raw const size);
            }
        }
    }

    unsafe fn become_root(&self) {
        for (path, map) in &self.maps {
            // SAFETY: the path ends in NUL and the buffer is as long as said.
            unsafe {
                let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                // A map goes in by one write or not at all.
                if file < 0 || libc::write(file, map.as_ptr().cast(), map.len()) < 0 {
                    report(self.reporter.as_raw_fd(), Step::User);
                }
                libc::close(file);
            }
        }
    }

    unsafe fn remount(&self) {
        let private = libc::MS_REC | libc::MS_PRIVATE;
        let guarded = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        let proc = c"proc".as_ptr();
        // SAFETY: all strings end in NUL; null stands for "none" (mount(2)).
        unsafe {
            if libc::mount(null(), c"/".as_ptr(), null(), private, null()) != 0 {
                report(self.reporter.as_raw_fd(), Step::Mounts);
            }
            if libc::mount(proc, c"/proc".as_ptr(), proc, guarded, null()) != 0 {
                report(self.reporter.as_raw_fd(), Step::Proc);
            }
        }
    }

    /// The least of what a lab does to its network; root without CAP_NET_ADMIN may not.
    unsafe fn raise_loopback(&self) {
        // SAFETY: an all-zero `ifreq` is valid, and the kernel only reads it.
        unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
                *to = *from as libc::c_char;
            }
            request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
            let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
            if libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw mut request) != 0 {
                report(self.reporter.as_raw_fd(), Step::Network);
            }
        }
    }

    /// Moves the descriptors to their numbers, the report pipe right behind them, and closes
    /// the rest.
    unsafe fn arrange_descriptors(&self) {
        let count = self.descriptors.len() as RawFd;
        // SAFETY: plain numbers; the copies are above every target.
        unsafe {
            for (target, copy) in (0..).zip(&self.descriptors) {
                if libc::dup2(copy.as_raw_fd(), target) < 0 {
                    report(self.reporter.as_raw_fd(), Step::Descriptors);
                }
            }
            if libc::dup3(self.reporter.as_raw_fd(), count, libc::O_CLOEXEC) < 0 {
                report(self.reporter.as_raw_fd(), Step::Descriptors);
            }
            // Before 5.9 there is no such call; everything of ours closes at exec anyway.
            libc::syscall(libc::SYS_close_range, count + 1, libc::c_uint::MAX, 0);
        }
    }
}

/// Exec keeps ignored signals ignored, and Rust ignores SIGPIPE: back to what a program
/// started by a shell finds.
unsafe fn reset_signals() {
    // SAFETY: the set is initialised by `sigemptyset` before it is read; the two signals that
    // glibc keeps for itself are refused, as is meant.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Tells the parent what was refused and why, and ends.
unsafe fn report(reporter: RawFd, step: Step) -> ! {
    // SAFETY: a local buffer, and nothing returns from `_exit`.
    unsafe {
        let [a, b, c, d] = (*libc::__errno_location()).to_ne_bytes();
        let message = [step as u8, a, b, c, d];
        libc::write(reporter, message.as_ptr().cast(), message.len());
        libc::_exit(127)
    }
}

pub(super) fn text(text: &OsStr) -> Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| Error::usage(format!("{} holds a NUL byte", text.to_string_lossy())))
}

/// A copy of `descriptor` numbered `least` or above, closed by exec.
fn copy_above(descriptor: BorrowedFd<'_>, least: RawFd) -> Result<OwnedFd> {
    let copy = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(least))
        .context(|| format!("copy descriptor {}", descriptor.as_raw_fd()))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Clones this process. The parent gets the child's pid and pidfd; the child gets none.
///
/// # Safety
/// The child has one thread on a copy of the memory: it may only make async-signal-safe calls.
pub(super) unsafe fn clone(namespaces: libc::c_int) -> io::Result<Option<(libc::pid_t, OwnedFd)>> {
    let mut pidfd: RawFd = -1;
    let flags = namespaces | libc::CLONE_PIDFD;
    // SAFETY: an all-zero `clone_args` is the documented default.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags as u64;
    arguments.pidfd = &raw mut pidfd as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: no CLONE_VM, so this is a fork; the kernel writes only to `pidfd`, in the parent.
    let mut pid = unsafe {
        libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>())
    };
    if pid < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS) {
        // Container runtimes answer so for clone3, whose flags their filter cannot read. The
        // first three arguments are in the same order on every architecture we run on.
        // SAFETY: as above; a null stack means a fork.
        pid = unsafe {
            libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, &raw mut pidfd, 0, 0)
        };
    }
    match pid {
        0 => Ok(None),
        1.. => {
            // SAFETY: the kernel has just made this descriptor for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Some((pid as libc::pid_t, pidfd)))
        }
        _ => Err(io::Error::last_os_error()),
    }
}
