//! A handle to one descriptor in one process.

use std::{net::SocketAddr, time::Duration};

use super::{
    call::Call,
    events::Events,
    option::{OptionValue, SocketOption},
    protocol::{Data, Op, Value},
    subject::Process,
};
use crate::{error::Result, sys::tcp_info::TcpInfo, verdict::Drained};

pub(super) fn count(_: &Process, value: Value) -> Option<usize> {
    match value {
        Value::Number(n) => usize::try_from(n).ok(),
        _ => None,
    }
}

pub(super) fn done(_: &Process, value: Value) -> Option<()> {
    matches!(value, Value::Number(_)).then_some(())
}

fn bytes(_: &Process, value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn address(_: &Process, value: Value) -> Option<SocketAddr> {
    match value {
        Value::Address(address) => Some(address),
        _ => None,
    }
}

fn ready(_: &Process, value: Value) -> Option<Events> {
    match value {
        Value::Events(events) => Some(Events(events)),
        _ => None,
    }
}

/// A descriptor's number becomes a handle to it in the same process.
pub(super) fn handle(process: &Process, value: Value) -> Option<Socket> {
    match value {
        Value::Number(fd) => Some(Socket { process: process.clone(), fd: i32::try_from(fd).ok()? }),
        _ => None,
    }
}

/// One descriptor of one [`Process`]. Dropping the handle closes nothing: what a program does
/// with its descriptors is the case's to say.
#[derive(Debug, Clone)]
pub struct Socket {
    process: Process,
    fd: i32,
}

impl Socket {
    /// The process that holds it.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its number there.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// The same number in another process that shares the descriptor: a forked child's.
    #[must_use]
    pub fn in_process(&self, process: &Process) -> Self {
        Self { process: process.clone(), fd: self.fd }
    }

    fn call<T: Send + 'static>(
        &self,
        op: Op,
        read: impl FnOnce(&Process, Value) -> Option<T> + Send + 'static,
    ) -> Call<T> {
        Call::new(&self.process, op, read)
    }

    /// `bind(2)`.
    pub fn bind(&self, address: SocketAddr) -> Call<()> {
        self.call(Op::Bind { fd: self.fd, address }, done)
    }

    /// `listen(2)`.
    pub fn listen(&self, backlog: i32) -> Call<()> {
        self.call(Op::Listen { fd: self.fd, backlog }, done)
    }

    /// `accept(2)`.
    pub fn accept(&self) -> Call<Self> {
        self.call(Op::Accept { fd: self.fd, nonblocking: false }, handle)
    }

    /// `connect(2)`.
    pub fn connect(&self, address: SocketAddr) -> Call<()> {
        self.call(Op::Connect { fd: self.fd, address }, done)
    }

    /// `read(2)` of at most `max` bytes.
    pub fn read(&self, max: u32) -> Call<Vec<u8>> {
        self.call(Op::Read { fd: self.fd, max }, bytes)
    }

    /// `recv(2)` with `MSG_` flags.
    pub fn recv(&self, max: u32, flags: i32) -> Call<Vec<u8>> {
        self.call(Op::Recv { fd: self.fd, max, flags }, bytes)
    }

    /// Reads on to the end of file or an error and checks that the bytes were those of
    /// [`Self::write_pattern`] from its start.
    pub fn read_to_end(&self) -> Call<Drained> {
        self.drain(u64::MAX)
    }

    /// As [`Self::read_to_end`], but at most this many bytes.
    pub fn read_until(&self, limit: u64) -> Call<Drained> {
        self.drain(limit)
    }

    fn drain(&self, limit: u64) -> Call<Drained> {
        self.call(Op::Drain { fd: self.fd, limit }, |_, value| match value {
            Value::Drained { bytes, intact, error } => {
                let error = error.map(nix::errno::Errno::from_raw);
                Some(Drained { bytes, intact, error })
            }
            _ => None,
        })
    }

    /// `write(2)`.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> Call<usize> {
        let data = Data::Bytes(bytes.as_ref().to_vec());
        self.call(Op::Write { fd: self.fd, data }, count)
    }

    /// One `write(2)` of `length` bytes of the bulk pattern, from its start.
    pub fn write_pattern(&self, length: u32) -> Call<usize> {
        self.write_pattern_from(0, length)
    }

    /// One `write(2)` of `length` bytes of the bulk pattern, from place `from` on.
    pub fn write_pattern_from(&self, from: u64, length: u32) -> Call<usize> {
        self.call(Op::Write { fd: self.fd, data: Data::Pattern { from, length } }, count)
    }

    /// `send(2)` with `MSG_` flags.
    pub fn send(&self, bytes: impl AsRef<[u8]>, flags: i32) -> Call<usize> {
        let data = Data::Bytes(bytes.as_ref().to_vec());
        self.call(Op::Send { fd: self.fd, data, flags }, count)
    }

    /// `writev(2)`.
    pub fn writev(&self, parts: &[&[u8]]) -> Call<usize> {
        let parts = parts.iter().map(|part| part.to_vec()).collect();
        self.call(Op::Writev { fd: self.fd, parts }, count)
    }

    /// `sendfile(2)` from an anonymous file that holds `bytes`.
    pub fn sendfile(&self, bytes: impl AsRef<[u8]>) -> Call<usize> {
        let data = Data::Bytes(bytes.as_ref().to_vec());
        self.call(Op::Sendfile { fd: self.fd, data }, count)
    }

    /// `splice(2)` from the socket into a fresh pipe, at most `max` bytes.
    pub fn splice(&self, max: u32) -> Call<usize> {
        self.call(Op::SpliceIn { fd: self.fd, max }, count)
    }

    /// `shutdown(2)` of the sending side.
    pub fn shut_wr(&self) -> Call<()> {
        self.shutdown(libc::SHUT_WR)
    }

    /// `shutdown(2)` of the receiving side.
    pub fn shut_rd(&self) -> Call<()> {
        self.shutdown(libc::SHUT_RD)
    }

    /// `shutdown(2)`: `libc::SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
    pub fn shutdown(&self, how: i32) -> Call<()> {
        self.call(Op::Shutdown { fd: self.fd, how }, done)
    }

    /// `close(2)`.
    pub fn close(&self) -> Call<()> {
        self.call(Op::Close { fd: self.fd }, done)
    }

    /// Closes with `SO_LINGER` on and time zero: an abortive close.
    ///
    /// # Errors
    /// Either call failed.
    pub async fn reset(&self) -> Result {
        self.set(super::option::LINGER, super::option::Linger::RESET).ok().await?;
        self.close().ok().await
    }

    /// Makes the connection disappear without a packet (`TCP_REPAIR`, then `close`).
    pub fn vanish(&self) -> Call<()> {
        self.call(Op::Vanish { fd: self.fd }, done)
    }

    /// `dup(2)`.
    pub fn dup(&self) -> Call<Self> {
        self.call(Op::Dup { fd: self.fd }, handle)
    }

    /// `getsockname(2)`.
    pub fn local(&self) -> Call<SocketAddr> {
        self.call(Op::Name { fd: self.fd, peer: false }, address)
    }

    /// `getpeername(2)`.
    pub fn peer(&self) -> Call<SocketAddr> {
        self.call(Op::Name { fd: self.fd, peer: true }, address)
    }

    /// `O_NONBLOCK` on or off.
    pub fn nonblocking(&self, on: bool) -> Call<()> {
        self.call(Op::SetNonblocking { fd: self.fd, on }, done)
    }

    /// Close-on-exec on or off; every descriptor starts with it on.
    pub fn cloexec(&self, on: bool) -> Call<()> {
        self.call(Op::SetCloexec { fd: self.fd, on }, done)
    }

    /// `setsockopt(2)`.
    pub fn set<T: OptionValue>(&self, option: SocketOption<T>, value: T) -> Call<()> {
        let SocketOption { level, number, .. } = option;
        let what = format!("setsockopt({}, {}, {value:?})", self.fd, option.name());
        let op = Op::SetOption { fd: self.fd, level, name: number, value: value.to_bytes() };
        self.call(op, done).called(what)
    }

    /// `getsockopt(2)`.
    pub fn get<T: OptionValue>(&self, option: SocketOption<T>) -> Call<T> {
        let SocketOption { level, number, .. } = option;
        let op = Op::GetOption { fd: self.fd, level, name: number, room: T::ROOM };
        let read = |_: &Process, value| match value {
            Value::Bytes(bytes) => T::from_bytes(&bytes),
            _ => None,
        };
        self.call(op, read).called(format!("getsockopt({}, {})", self.fd, option.name()))
    }

    /// `TCP_INFO`.
    pub fn info(&self) -> Call<TcpInfo> {
        self.get(super::option::INFO)
    }

    /// `SIOCINQ`: bytes received and not read.
    pub fn unread(&self) -> Call<usize> {
        self.ioctl(libc::FIONREAD, "SIOCINQ")
    }

    /// `SIOCOUTQ`: bytes written and not acknowledged.
    pub fn unacknowledged(&self) -> Call<usize> {
        self.ioctl(libc::TIOCOUTQ, "SIOCOUTQ")
    }

    /// `SIOCOUTQNSD`: bytes written and never sent.
    pub fn unsent(&self) -> Call<usize> {
        self.ioctl(0x894b, "SIOCOUTQNSD")
    }

    fn ioctl(&self, request: u64, name: &str) -> Call<usize> {
        let what = format!("ioctl({}, {name})", self.fd);
        self.call(Op::Ioctl { fd: self.fd, request }, count).called(what)
    }

    /// `poll(2)`; `None` waits for ever.
    pub fn poll(&self, events: Events, timeout: Option<Duration>) -> Call<Events> {
        let timeout_ms = milliseconds(timeout);
        self.call(Op::Poll { fd: self.fd, events: events.0 as i16, timeout_ms }, ready)
    }

    /// `epoll_wait(2)` on an instance that watches only this socket.
    pub fn epoll(&self, events: Events, timeout: Option<Duration>) -> Call<Events> {
        let timeout_ms = milliseconds(timeout);
        self.call(Op::Epoll { fd: self.fd, events: events.0, timeout_ms }, ready)
    }

    /// `select(2)`: whether the socket is readable, writable, exceptional.
    pub fn select(&self, timeout: Option<Duration>) -> Call<(bool, bool, bool)> {
        let timeout_ms = milliseconds(timeout);
        self.call(Op::Select { fd: self.fd, timeout_ms }, |_, value| match value {
            Value::Ready { read, write, except } => Some((read, write, except)),
            _ => None,
        })
    }

    /// Sends this descriptor over the Unix socket `over` of the same process.
    pub fn send_over(&self, over: &Self) -> Call<()> {
        self.call(Op::SendFd { over: over.fd, fd: self.fd }, done)
    }

    /// Receives a descriptor over this Unix socket.
    pub fn receive_fd(&self) -> Call<Self> {
        self.call(Op::ReceiveFd { over: self.fd }, handle)
    }
}

fn milliseconds(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX))
}
