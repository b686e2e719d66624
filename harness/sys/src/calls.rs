//! System calls on plain descriptor numbers, as a program under test makes them.
//!
//! The agent carries out a case's orders with these. They take numbers and not owned
//! descriptors on purpose: closing twice or reading a closed number must reach the kernel and
//! bring its own answer back.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed},
    io::IoSlice,
    mem::{size_of, zeroed},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::RawFd,
    ptr::{null, null_mut},
};

use libc::{c_int, c_void, sockaddr_storage, socklen_t};
use nix::errno::Errno;

mod waiting;

pub use waiting::{epoll, epoll_control, epoll_create, epoll_wait, poll, select};

/// The kernel's answer: a value, or the errno.
pub type Answer<T> = Result<T, Errno>;

fn answer(returned: c_int) -> Answer<i32> {
    Errno::result(returned)
}

fn size(returned: isize) -> Answer<usize> {
    Errno::result(returned).map(|n| usize::try_from(n).expect("a success is not negative"))
}

/// `socket(2)` for TCP.
pub fn socket(v6: bool, flags: i32) -> Answer<RawFd> {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: numbers only.
    answer(unsafe { libc::socket(family, libc::SOCK_STREAM | flags, libc::IPPROTO_TCP) })
}

/// `bind(2)`.
pub fn bind(fd: RawFd, address: SocketAddr) -> Answer<()> {
    let (storage, length) = to_storage(address);
    // SAFETY: the pointer and length describe `storage`, which outlives the call.
    answer(unsafe { libc::bind(fd, (&raw const storage).cast(), length) }).map(drop)
}

/// `connect(2)`.
pub fn connect(fd: RawFd, address: SocketAddr) -> Answer<()> {
    let (storage, length) = to_storage(address);
    // SAFETY: as in `bind`.
    answer(unsafe { libc::connect(fd, (&raw const storage).cast(), length) }).map(drop)
}

/// `connect(2)` to no address (`AF_UNSPEC`), which takes a connection apart (`connect(2)`,
/// `net/ipv4/tcp.c`, `tcp_disconnect`).
pub fn disconnect(fd: RawFd) -> Answer<()> {
    // SAFETY: an all-zero sockaddr is valid, and of the family AF_UNSPEC, which is zero.
    let nowhere: libc::sockaddr = unsafe { zeroed() };
    let length = size_of::<libc::sockaddr>() as socklen_t;
    // SAFETY: the pointer and length describe `nowhere`, which outlives the call.
    answer(unsafe { libc::connect(fd, &raw const nowhere, length) }).map(drop)
}

/// `listen(2)`.
pub fn listen(fd: RawFd, backlog: i32) -> Answer<()> {
    // SAFETY: numbers only.
    answer(unsafe { libc::listen(fd, backlog) }).map(drop)
}

/// `accept4(2)`.
pub fn accept(fd: RawFd, flags: i32) -> Answer<RawFd> {
    // SAFETY: no address is asked for, so both pointers may be null.
    answer(unsafe { libc::accept4(fd, null_mut(), null_mut(), flags) })
}

/// `getsockname(2)`, or `getpeername(2)` when `peer`.
pub fn name(fd: RawFd, peer: bool) -> Answer<SocketAddr> {
    // SAFETY: an all-zero sockaddr_storage is valid.
    let mut storage: sockaddr_storage = unsafe { zeroed() };
    let mut length = size_of::<sockaddr_storage>() as socklen_t;
    let address = (&raw mut storage).cast();
    // SAFETY: address and length describe `storage`.
    answer(unsafe {
        if peer {
            libc::getpeername(fd, address, &raw mut length)
        } else {
            libc::getsockname(fd, address, &raw mut length)
        }
    })?;
    from_storage(&storage).ok_or(Errno::EAFNOSUPPORT)
}

/// Room for `max` bytes, all zero; none if the system has not so much memory. It costs only what is
/// written to of it.
#[must_use]
pub fn room(max: usize) -> Option<Vec<u8>> {
    if max == 0 {
        return Some(Vec::new());
    }
    let layout = Layout::array::<u8>(max).ok()?;
    // SAFETY: the layout is not of size zero.
    let bytes = unsafe { alloc_zeroed(layout) };
    // SAFETY: the allocator has just given `max` bytes of this layout, and they are zero.
    (!bytes.is_null()).then(|| unsafe { Vec::from_raw_parts(bytes, max, max) })
}

/// `read(2)`: how many bytes.
pub fn read(fd: RawFd, room: &mut [u8]) -> Answer<usize> {
    // SAFETY: pointer and length describe the room.
    size(unsafe { libc::read(fd, room.as_mut_ptr().cast(), room.len()) })
}

/// `recv(2)`: how many bytes.
pub fn recv(fd: RawFd, room: &mut [u8], flags: i32) -> Answer<usize> {
    // SAFETY: pointer and length describe the room.
    size(unsafe { libc::recv(fd, room.as_mut_ptr().cast(), room.len(), flags) })
}

/// `write(2)`.
pub fn write(fd: RawFd, bytes: &[u8]) -> Answer<usize> {
    // SAFETY: pointer and length describe `bytes`.
    size(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
}

/// `send(2)`.
pub fn send(fd: RawFd, bytes: &[u8], flags: i32) -> Answer<usize> {
    // SAFETY: pointer and length describe `bytes`.
    size(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) })
}

/// `writev(2)`.
pub fn writev(fd: RawFd, parts: &[Vec<u8>]) -> Answer<usize> {
    let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let count = c_int::try_from(slices.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: IoSlice is ABI-compatible with iovec, and the parts outlive the call.
    size(unsafe { libc::writev(fd, slices.as_ptr().cast(), count) })
}

/// `sendfile(2)` of `length` bytes from the start of the file `from`.
pub fn sendfile(fd: RawFd, from: RawFd, length: usize) -> Answer<usize> {
    let mut offset = 0;
    // SAFETY: `offset` outlives the call.
    size(unsafe { libc::sendfile(fd, from, &raw mut offset, length) })
}

/// `splice(2)` of at most `length` bytes; one end must be a pipe.
pub fn splice(from: RawFd, to: RawFd, length: usize) -> Answer<usize> {
    // SAFETY: null offsets mean "at the current position".
    size(unsafe { libc::splice(from, null_mut(), to, null_mut(), length, 0) })
}

/// `pipe(2)`: the reading end, then the writing end.
pub fn pipe() -> Answer<(RawFd, RawFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both numbers.
    answer(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((ends[0], ends[1]))
}

/// An anonymous file that holds `bytes` (`memfd_create(2)`), to send from.
pub fn scratch_file(bytes: &[u8]) -> Answer<RawFd> {
    // SAFETY: the name is a C string constant.
    let fd = answer(unsafe { libc::memfd_create(c"lastack".as_ptr(), libc::MFD_CLOEXEC) })?;
    let held = filled(fd, bytes);
    if held.is_err() {
        let _ = close(fd);
    }
    held.map(|()| fd)
}

/// A pipe that holds `bytes`: its reading end, and its writing end, which is open still. It is
/// made large enough (`F_SETPIPE_SZ`; who is not root gets up to `fs.pipe-max-size`, 1 MiB).
pub fn filled_pipe(bytes: &[u8]) -> Answer<(RawFd, RawFd)> {
    let (reader, writer) = pipe()?;
    let length = c_int::try_from(bytes.len()).map_err(|_| Errno::EFBIG);
    // SAFETY: numbers only.
    let roomy = length
        .and_then(|length| answer(unsafe { libc::fcntl(writer, libc::F_SETPIPE_SZ, length) }));
    let held = roomy.and_then(|_| filled(writer, bytes));
    if held.is_err() {
        let _ = (close(reader), close(writer));
    }
    held.map(|()| (reader, writer))
}

fn filled(fd: RawFd, bytes: &[u8]) -> Answer<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(fd, rest)? {
            0 => return Err(Errno::ENOSPC),
            n => rest = &rest[n..],
        }
    }
    Ok(())
}

/// `shutdown(2)`.
pub fn shutdown(fd: RawFd, how: i32) -> Answer<()> {
    // SAFETY: numbers only.
    answer(unsafe { libc::shutdown(fd, how) }).map(drop)
}

/// `close(2)`.
pub fn close(fd: RawFd) -> Answer<()> {
    // SAFETY: a number; the agent owns every descriptor a case can name.
    answer(unsafe { libc::close(fd) }).map(drop)
}

/// `dup(2)`, close-on-exec like everything the agent opens.
pub fn dup(fd: RawFd) -> Answer<RawFd> {
    // SAFETY: numbers only.
    answer(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) })
}

/// Sets or clears `O_NONBLOCK`.
pub fn set_nonblocking(fd: RawFd, on: bool) -> Answer<()> {
    // SAFETY: numbers only.
    let flags = answer(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    // SAFETY: numbers only.
    answer(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
}

/// Sets or clears close-on-exec.
pub fn set_cloexec(fd: RawFd, on: bool) -> Answer<()> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: numbers only.
    answer(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) }).map(drop)
}

/// `setsockopt(2)` with the option's bytes.
pub fn set_option(fd: RawFd, level: i32, name: i32, value: &[u8]) -> Answer<()> {
    let length = value.len() as socklen_t;
    // SAFETY: pointer and length describe `value`.
    answer(unsafe { libc::setsockopt(fd, level, name, value.as_ptr().cast(), length) }).map(drop)
}

/// `getsockopt(2)` into at most `room` bytes; the kernel may fill fewer.
pub fn get_option(fd: RawFd, level: i32, name: i32, room: usize) -> Answer<Vec<u8>> {
    let mut value = vec![0u8; room];
    let mut length = room as socklen_t;
    // SAFETY: pointer and length describe `value`.
    answer(unsafe {
        libc::getsockopt(fd, level, name, value.as_mut_ptr().cast::<c_void>(), &raw mut length)
    })?;
    value.truncate(length as usize);
    Ok(value)
}

/// `ioctl(2)` with one integer answer, such as SIOCINQ or SIOCOUTQ.
pub fn ioctl_int(fd: RawFd, request: u64) -> Answer<i32> {
    let mut value: c_int = 0;
    // SAFETY: the requests lastack offers write one int.
    answer(unsafe { libc::ioctl(fd, request, &raw mut value) })?;
    Ok(value)
}

/// Sends descriptor `fd` over the Unix socket `over` (`SCM_RIGHTS`, unix(7)).
pub fn send_fd(over: RawFd, fd: RawFd) -> Answer<()> {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    let rights = [fd];
    let rights = [ControlMessage::ScmRights(&rights)];
    sendmsg::<()>(over, &[IoSlice::new(b"f")], &rights, MsgFlags::empty(), None).map(drop)
}

/// `pidfd_getfd(2)`: a copy of descriptor `fd` of the process `pid`.
pub fn steal_fd(pid: i32, fd: RawFd) -> Answer<RawFd> {
    let pidfd = super::inside::pidfd(pid)?;
    use std::os::fd::AsRawFd;
    // SAFETY: numbers only.
    let got = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) };
    Errno::result(got).map(|n| i32::try_from(n).expect("a descriptor fits an i32"))
}

/// `fork(2)`: zero in the child, its process id in the parent.
///
/// Only the calling thread lives on in the child. glibc keeps its allocator usable across the
/// fork; the agent holds no other lock when it calls this.
pub fn fork() -> Answer<i32> {
    // SAFETY: see above; the child goes on single-threaded with its own control socket.
    answer(unsafe { libc::fork() })
}

/// As [`fork`], the child being the first process of a new PID namespace, as the first process
/// of a container is (`pid_namespaces(7)`).
pub fn fork_container() -> Answer<i32> {
    use nix::sched::{CloneFlags, setns, unshare};
    let own = std::fs::File::open("/proc/self/ns/pid").map_err(|_| Errno::ENOENT)?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    let forked = fork();
    if forked != Ok(0) {
        // A thread whose children go elsewhere cannot start threads (`kernel/fork.c`,
        // `copy_process`), so the parent's next child is its own again.
        setns(own, CloneFlags::CLONE_NEWPID)?;
    }
    forked
}

/// How the child `pid` has ended, once it has; it is left to be collected (`WNOWAIT`) unless
/// `collect`.
pub fn wait_for_child(pid: i32, collect: bool) -> Answer<nix::sys::wait::WaitStatus> {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let keep = if collect { WaitPidFlag::empty() } else { WaitPidFlag::WNOWAIT };
    waitid(Id::Pid(nix::unistd::Pid::from_raw(pid)), WaitPidFlag::WEXITED | keep)
}

/// `execv(3)`; returns only on failure.
pub fn exec(program: &std::ffi::CStr, arguments: &[std::ffi::CString]) -> Errno {
    let mut pointers: Vec<*const libc::c_char> = arguments.iter().map(|a| a.as_ptr()).collect();
    pointers.push(null());
    // SAFETY: a null-terminated array of C strings that outlive the call.
    unsafe { libc::execv(program.as_ptr(), pointers.as_ptr()) };
    Errno::last()
}

/// This thread's kernel id.
#[must_use]
pub fn thread_id() -> i32 {
    nix::unistd::gettid().as_raw()
}

/// The Internet sockets open in this process, by their local address.
#[must_use]
pub fn own_inet_sockets() -> Vec<String> {
    let fds = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = fds.filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    let inet = |fd: &RawFd| {
        let domain = get_option(*fd, libc::SOL_SOCKET, libc::SO_DOMAIN, 4).unwrap_or_default();
        [libc::AF_INET, libc::AF_INET6].iter().any(|family| domain == family.to_ne_bytes())
    };
    let named = |fd| name(fd, false).map_or("unnamed".to_owned(), |address| address.to_string());
    numbers.filter(inet).map(|fd| format!("{fd} ({})", named(fd))).collect()
}

fn to_storage(address: SocketAddr) -> (sockaddr_storage, socklen_t) {
    // SAFETY: an all-zero sockaddr_storage is valid, and is larger than both kinds.
    let mut storage: sockaddr_storage = unsafe { zeroed() };
    let length = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: the storage is large enough and suitably aligned for any address.
            let raw = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in>() };
            raw.sin_family = libc::AF_INET as libc::sa_family_t;
            raw.sin_port = v4.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let raw = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in6>() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = v6.port().to_be();
            raw.sin6_flowinfo = v6.flowinfo();
            raw.sin6_addr.s6_addr = v6.ip().octets();
            raw.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, length as socklen_t)
}

fn from_storage(storage: &sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the kernel says it wrote a sockaddr_in.
            let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddr::new(ip.into(), u16::from_be(raw.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the kernel says it wrote a sockaddr_in6.
            let raw = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            let port = u16::from_be(raw.sin6_port);
            Some(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernel_form() {
        for text in ["10.0.0.1:80", "[fd00::2]:65535", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_storage(&to_storage(address).0), Some(address));
        }
    }

    #[test]
    fn a_pipe_and_a_file_hold_what_they_are_given() {
        let bytes: Vec<u8> = (0..200_000u32).map(|place| (place % 251) as u8).collect();
        let (reader, writer) = filled_pipe(&bytes).unwrap();
        close(writer).unwrap();
        let file = scratch_file(&bytes).unwrap();
        // A file's offset is behind what was written to it.
        // SAFETY: numbers only.
        assert_eq!(unsafe { libc::lseek(file, 0, libc::SEEK_SET) }, 0);
        for fd in [reader, file] {
            let (mut seen, mut part) = (Vec::new(), room(150_000).unwrap());
            while let Ok(n @ 1..) = read(fd, &mut part) {
                seen.extend_from_slice(&part[..n]);
            }
            assert!(seen == bytes);
            close(fd).unwrap();
        }
        assert!(filled_pipe(&vec![0; 1 << 28]).is_err());
    }

    #[test]
    fn a_closed_number_answers_ebadf() {
        assert_eq!(close(1_000_000), Err(Errno::EBADF));
        assert_eq!(read(1_000_000, &mut [0]), Err(Errno::EBADF));
        assert_eq!(room(usize::MAX), None);
    }
}
