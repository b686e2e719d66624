//! One order, one system call.

use std::os::fd::RawFd;

use nix::{errno::Errno, sys::signal::Signal};

use super::protocol::{Op, READ_LIMIT, Value, pattern};
use crate::sys::{calls, signals};

/// Makes the system call that `op` stands for, on the calling thread.
///
/// # Errors
/// The kernel's errno.
pub fn perform(op: &Op) -> Result<Value, Errno> {
    let number = |n: i32| Value::Number(n.into());
    let count = |n: usize| Value::Number(n as i64);
    let done = |()| Value::Number(0);
    match op {
        Op::Socket { v6, nonblocking } => {
            let flags = if *nonblocking { libc::SOCK_NONBLOCK } else { 0 };
            calls::socket(*v6, libc::SOCK_CLOEXEC | flags).map(number)
        }
        Op::Bind { fd, address } => calls::bind(*fd, *address).map(done),
        Op::Listen { fd, backlog } => calls::listen(*fd, *backlog).map(done),
        Op::Accept { fd, nonblocking } => {
            let flags = if *nonblocking { libc::SOCK_NONBLOCK } else { 0 };
            calls::accept(*fd, libc::SOCK_CLOEXEC | flags).map(number)
        }
        Op::Connect { fd, address } => calls::connect(*fd, *address).map(done),
        Op::Read { fd, max } => calls::read(*fd, bounded(*max)).map(Value::Bytes),
        Op::Recv { fd, max, flags } => calls::recv(*fd, bounded(*max), *flags).map(Value::Bytes),
        Op::Write { fd, data } => calls::write(*fd, &data.bytes()).map(count),
        Op::Send { fd, data, flags } => calls::send(*fd, &data.bytes(), *flags).map(count),
        Op::Writev { fd, parts } => calls::writev(*fd, parts).map(count),
        Op::Sendfile { fd, data } => {
            let file = calls::scratch_file(&data.bytes())?;
            let sent = calls::sendfile(*fd, file, data.len()).map(count);
            let _ = calls::close(file);
            sent
        }
        Op::SpliceIn { fd, max } => {
            let (reader, writer) = calls::pipe()?;
            let moved = calls::splice(*fd, writer, bounded(*max)).map(count);
            let _ = calls::close(reader);
            let _ = calls::close(writer);
            moved
        }
        Op::Drain { fd, limit } => Ok(drain(*fd, *limit)),
        Op::Shutdown { fd, how } => calls::shutdown(*fd, *how).map(done),
        Op::Close { fd } => calls::close(*fd).map(done),
        Op::Dup { fd } => calls::dup(*fd).map(number),
        Op::Name { fd, peer } => calls::name(*fd, *peer).map(Value::Address),
        Op::SetNonblocking { fd, on } => calls::set_nonblocking(*fd, *on).map(done),
        Op::SetCloexec { fd, on } => calls::set_cloexec(*fd, *on).map(done),
        Op::SetOption { fd, level, name, value } => {
            calls::set_option(*fd, *level, *name, value).map(done)
        }
        Op::GetOption { fd, level, name, room } => {
            calls::get_option(*fd, *level, *name, *room as usize).map(Value::Bytes)
        }
        Op::Ioctl { fd, request } => calls::ioctl_int(*fd, *request).map(number),
        Op::Poll { fd, events, timeout_ms } => {
            calls::poll(*fd, *events, *timeout_ms).map(|ready| Value::Events(ready as u16 as u32))
        }
        Op::Epoll { fd, events, timeout_ms } => {
            calls::epoll(*fd, *events, *timeout_ms).map(Value::Events)
        }
        Op::Select { fd, timeout_ms } => calls::select(*fd, *timeout_ms)
            .map(|(read, write, except)| Value::Ready { read, write, except }),
        Op::Vanish { fd } => vanish(*fd).map(done),
        Op::Dispose { signal, disposition, interrupt } => {
            let signal = Signal::try_from(*signal)?;
            if *interrupt {
                signals::interrupt_on(signal).map(done)
            } else {
                signals::dispose(signal, *disposition).map(done)
            }
        }
        Op::SendFd { over, fd } => calls::send_fd(*over, *fd).map(done),
        Op::ReceiveFd { over } => receive_fd(*over).map(number),
        Op::StealFd { pid, fd } => calls::steal_fd(*pid, *fd).map(number),
        Op::Adopt
        | Op::Fork { .. }
        | Op::Wait { .. }
        | Op::Exec { .. }
        | Op::Become
        | Op::Exit { .. }
        | Op::Abort
        | Op::Crash
        | Op::Panic => unreachable!("the agent's main thread does these itself"),
    }
}

fn bounded(max: u32) -> usize {
    (max as usize).min(READ_LIMIT)
}

/// Reads until end of file, an error or `limit` bytes, checking the bulk pattern on the way.
fn drain(fd: RawFd, limit: u64) -> Value {
    let (mut bytes, mut intact) = (0u64, true);
    let error = loop {
        let room = READ_LIMIT.min(usize::try_from(limit - bytes).unwrap_or(READ_LIMIT));
        if room == 0 {
            break None;
        }
        match calls::read(fd, room) {
            Ok(got) if got.is_empty() => break None,
            Ok(got) => {
                intact &= got.iter().zip(bytes..).all(|(byte, place)| *byte == pattern(place));
                bytes += got.len() as u64;
            }
            Err(errno) => break Some(errno as i32),
        }
    };
    Value::Drained { bytes, intact, error }
}

/// Makes a connection disappear without a packet: a socket under `TCP_REPAIR` is dropped as if
/// it never was (`net/ipv4/tcp.c`, `__tcp_close`).
fn vanish(fd: RawFd) -> Result<(), Errno> {
    calls::set_option(fd, libc::IPPROTO_TCP, libc::TCP_REPAIR, &1i32.to_ne_bytes())?;
    calls::close(fd)
}

fn receive_fd(over: RawFd) -> Result<RawFd, Errno> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut byte = [0u8; 1];
    let mut parts = [std::io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(over, &mut parts, Some(&mut space), flags)?;
    let received = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    received.ok_or(Errno::ENOMSG)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
    };

    use super::*;

    #[test]
    fn a_drain_tells_whole_from_torn() {
        for (bytes, intact) in [(vec![0, 1, 2], true), (vec![0, 2], false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (far, _) = listener.accept().unwrap();
            near.write_all(&bytes).unwrap();
            drop(near);
            let drained = drain(far.as_raw_fd(), u64::MAX);
            let expected = Value::Drained { bytes: bytes.len() as u64, intact, error: None };
            assert_eq!(drained, expected);
        }
    }
}
