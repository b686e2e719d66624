//! The calls that wait for events: `poll`, `epoll`, `select`.

use std::{mem::zeroed, os::fd::RawFd, ptr::null_mut};

use nix::errno::Errno;

use super::{Answer, answer, close};

/// `poll(2)` on one descriptor; a negative timeout waits for ever. The events that are ready.
pub fn poll(fd: RawFd, events: i16, timeout_ms: i32) -> Answer<i16> {
    let mut entry = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    answer(unsafe { libc::poll(&raw mut entry, 1, timeout_ms) })?;
    Ok(entry.revents)
}

/// `epoll_wait(2)` on a fresh epoll instance that watches one descriptor.
pub fn epoll(fd: RawFd, events: u32, timeout_ms: i32) -> Answer<u32> {
    // SAFETY: numbers only.
    let instance = answer(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    let mut event = libc::epoll_event { events, u64: 0 };
    // SAFETY: `event` outlives both calls and has room for the one answer asked for.
    let ready = answer(unsafe {
        let added = libc::epoll_ctl(instance, libc::EPOLL_CTL_ADD, fd, &raw mut event);
        if added < 0 { added } else { libc::epoll_wait(instance, &raw mut event, 1, timeout_ms) }
    });
    let _ = close(instance);
    Ok(if ready? == 0 { 0 } else { event.events })
}

/// `epoll_create1(2)`, close-on-exec like everything the agent opens.
pub fn epoll_create() -> Answer<RawFd> {
    // SAFETY: numbers only.
    answer(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// `epoll_ctl(2)`: `EPOLL_CTL_ADD`, `EPOLL_CTL_MOD` or `EPOLL_CTL_DEL`. What is told of `fd` bears
/// its number.
pub fn epoll_control(instance: RawFd, how: i32, fd: RawFd, events: u32) -> Answer<()> {
    let mut event = libc::epoll_event { events, u64: u64::from(fd.cast_unsigned()) };
    // SAFETY: `event` outlives the call.
    answer(unsafe { libc::epoll_ctl(instance, how, fd, &raw mut event) }).map(drop)
}

/// `epoll_wait(2)`; a negative timeout waits for ever. The descriptors that are ready, by their
/// numbers, with their events; at most 64.
pub fn epoll_wait(instance: RawFd, timeout_ms: i32) -> Answer<Vec<(RawFd, u32)>> {
    const MOST: usize = 64;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; MOST];
    // SAFETY: pointer and count describe `events`, which outlives the call.
    let ready = answer(unsafe {
        libc::epoll_wait(instance, events.as_mut_ptr(), MOST as i32, timeout_ms)
    })?;
    let ready = events.iter().take(usize::try_from(ready).unwrap_or(0));
    Ok(ready.map(|event| ((event.u64 as u32).cast_signed(), event.events)).collect())
}

/// `select(2)` on one descriptor: whether it is readable, writable, exceptional.
pub fn select(fd: RawFd, timeout_ms: i32) -> Answer<(bool, bool, bool)> {
    let number = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
    if number >= libc::FD_SETSIZE {
        return Err(Errno::EINVAL);
    }
    // SAFETY: an all-zero fd_set is the empty set.
    let mut sets: [libc::fd_set; 3] = unsafe { zeroed() };
    for set in &mut sets {
        // SAFETY: the number was checked to lie inside the set.
        unsafe { libc::FD_SET(fd, set) };
    }
    let mut timeout = libc::timeval {
        tv_sec: i64::from(timeout_ms / 1000),
        tv_usec: i64::from(timeout_ms % 1000 * 1000),
    };
    let limit = if timeout_ms < 0 { null_mut() } else { &raw mut timeout };
    let [read, write, except] = &mut sets;
    // SAFETY: three sets and a timeout that outlive the call.
    answer(unsafe { libc::select(fd + 1, read, write, except, limit) })?;
    // SAFETY: the number was checked to lie inside each set.
    let [r, w, x] = sets.map(|set| unsafe { libc::FD_ISSET(fd, &raw const set) });
    Ok((r, w, x))
}
