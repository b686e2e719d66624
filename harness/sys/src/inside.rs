//! Starting programs inside a host, and waiting for any process by descriptor.
#![allow(unsafe_code)]

use std::{
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    process::Command,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
};

/// The number of the control socket in every process that lastack starts from itself.
pub const CONTROL: RawFd = 3;

/// Makes `command` start inside the network namespace `netns`, with `control` (when given)
/// as its descriptor [`CONTROL`], and with SIGPIPE as a freshly executed program finds it.
pub fn place(command: &mut Command, netns: BorrowedFd<'_>, control: Option<BorrowedFd<'_>>) {
    prepare(command, Some(netns), control);
}

/// Makes `command` start where this process is, with `control` as its descriptor [`CONTROL`], and
/// with SIGPIPE as a freshly executed program finds it.
pub fn hand_over(command: &mut Command, control: BorrowedFd<'_>) {
    prepare(command, None, Some(control));
}

fn prepare(command: &mut Command, netns: Option<BorrowedFd<'_>>, control: Option<BorrowedFd<'_>>) {
    let netns = netns.map(|fd| fd.as_raw_fd());
    let control = control.map(|fd| fd.as_raw_fd());
    let before_exec = move || {
        if let Some(netns) = netns {
            // SAFETY: the caller keeps both descriptors open across the spawn; borrowing them by
            // number in the forked child touches no memory.
            let netns = unsafe { BorrowedFd::borrow_raw(netns) };
            setns(netns, CloneFlags::CLONE_NEWNET)?;
        }
        // SAFETY: signal(2) with SIG_DFL is async-signal-safe.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let Some(control) = control else { return Ok(()) };
        // SAFETY: dup2(2) and fcntl(2) on plain numbers are async-signal-safe.
        let answer = unsafe {
            if control == CONTROL {
                libc::fcntl(control, libc::F_SETFD, 0)
            } else {
                libc::dup2(control, CONTROL)
            }
        };
        Errno::result(answer).map(drop).map_err(Into::into)
    };
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// Makes what `command` starts end by SIGKILL when the thread that starts it does, and so when
/// this program does, however it ends. It is out of reach of the terminal's Ctrl-C.
pub fn end_with_this_thread(command: &mut Command) {
    let parent = std::process::id();
    let before_exec = move || {
        // SAFETY: system calls on plain numbers, all async-signal-safe.
        unsafe {
            Errno::result(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            // A parent that has ended before that was asked for sends nothing any more.
            if libc::getppid() as u32 != parent {
                libc::_exit(127);
            }
            Errno::result(libc::setsid())?;
        }
        Ok(())
    };
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// Leaves these descriptors open in what `command` starts, under the numbers they have here.
pub fn hand_down(command: &mut Command, descriptors: Vec<OwnedFd>) {
    let before_exec = move || {
        for descriptor in &descriptors {
            // SAFETY: fcntl(2) on plain numbers is async-signal-safe.
            Errno::result(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, 0) })?;
        }
        Ok(())
    };
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// A descriptor that becomes readable when the process `pid` has ended (`pidfd_open(2)`).
///
/// # Errors
/// There is no such process.
pub fn pidfd(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: a plain system call on numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, libc::PIDFD_NONBLOCK) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor fits an i32")) })
}

/// Collects an ended child by its pidfd.
///
/// # Errors
/// `ECHILD`: it is not a child of this process, or was collected already.
pub fn collect(pidfd: BorrowedFd<'_>) -> nix::Result<WaitStatus> {
    waitid(Id::PIDFd(pidfd), WaitPidFlag::WEXITED)
}

/// How a child has ended, by its pidfd, leaving it to be collected.
///
/// # Errors
/// `EAGAIN`: it has not ended. `ECHILD`: it is not a child of this process, or was collected.
pub fn look(pidfd: BorrowedFd<'_>) -> nix::Result<WaitStatus> {
    waitid(Id::PIDFd(pidfd), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
}

/// Takes ownership of a descriptor that the kernel has just given us, such as one received over
/// a Unix socket.
#[must_use]
pub fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: callers pass a number the kernel handed out to them and to nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Leaves the control socket where the program that is about to be executed looks for it.
///
/// # Errors
/// The descriptor is not open.
pub fn keep_control(fd: RawFd) -> nix::Result<()> {
    // SAFETY: numbers only; whatever was at the control number is given up on purpose.
    let kept = unsafe {
        if fd == CONTROL { libc::fcntl(fd, libc::F_SETFD, 0) } else { libc::dup2(fd, CONTROL) }
    };
    Errno::result(kept).map(drop)
}

/// Dies of SIGSEGV, as a program with a wild pointer does.
pub fn crash() -> ! {
    // Rust programs handle SIGSEGV to explain stack overflows; the default is the plain death.
    // SAFETY: the signal is set to its default and then raised; nothing runs after it.
    unsafe {
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        libc::raise(libc::SIGSEGV);
    }
    std::process::abort()
}

/// Ends the process at once, without the ceremonies of an orderly exit.
pub fn exit_now() -> ! {
    // SAFETY: never returns; what Rust would have dropped dies with the process.
    unsafe { libc::_exit(0) }
}

/// Lets the runtime watch a descriptor, which it owns from then on.
///
/// # Errors
/// The descriptor is of a kind that cannot be polled.
pub fn watch(
    fd: OwnedFd,
    interest: tokio::io::Interest,
) -> std::io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor stays open, and the same, for as long as its owner lives.
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) }.map_err(Into::into)
}
