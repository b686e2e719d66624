//! A handle to one descriptor in one process.

use std::{net::SocketAddr, os::fd::RawFd, time::Duration};

use nix::errno::Errno;

use super::{
    answer::{ReadToEnd, Ready},
    call::Call,
    data::Data,
    events::Events,
    option::{OptionValue, SocketOption},
    subject::Process,
    syscall::{self, Syscall},
};
use crate::{
    error::{Error, Result},
    sys::{codec::Bytes, tcp_info::TcpInfo},
    verdict::Drained,
};

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

    /// A handle to the descriptor of this number in a process.
    pub(super) fn of(process: &Process, fd: RawFd) -> Result<Self> {
        Ok(Self { process: process.clone(), fd })
    }

    /// A call whose answer is what the case asked for.
    fn call<C: Syscall>(&self, call: C) -> Call<C::Answer> {
        Call::new(&self.process, call, |_, answer| Ok(answer))
    }

    /// A call that makes another descriptor.
    fn open(&self, call: impl Syscall<Answer = RawFd>) -> Call<Self> {
        Call::new(&self.process, call, Self::of)
    }

    /// A call that brings bytes.
    fn bring(&self, call: impl Syscall<Answer = Bytes>) -> Call<Vec<u8>> {
        Call::new(&self.process, call, |_, Bytes(bytes)| Ok(bytes))
    }

    /// `bind(2)`.
    pub fn bind(&self, address: SocketAddr) -> Call<()> {
        self.call(syscall::Bind { fd: self.fd, address })
    }

    /// `listen(2)`.
    pub fn listen(&self, backlog: i32) -> Call<()> {
        self.call(syscall::Listen { fd: self.fd, backlog })
    }

    /// `accept(2)`.
    pub fn accept(&self) -> Call<Self> {
        self.open(syscall::Accept { fd: self.fd, nonblocking: false })
    }

    /// `connect(2)`.
    pub fn connect(&self, address: SocketAddr) -> Call<()> {
        self.call(syscall::Connect { fd: self.fd, address })
    }

    /// `connect(2)` with `AF_UNSPEC`: takes the connection apart, and the socket may connect again.
    pub fn disconnect(&self) -> Call<()> {
        self.call(syscall::Disconnect { fd: self.fd })
    }

    /// `read(2)` of at most `max` bytes.
    pub fn read(&self, max: u32) -> Call<Vec<u8>> {
        self.bring(syscall::Read { fd: self.fd, max })
    }

    /// `recv(2)` with `MSG_` flags.
    pub fn recv(&self, max: u32, flags: i32) -> Call<Vec<u8>> {
        self.bring(syscall::Recv { fd: self.fd, max, flags })
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
        let call = syscall::Drain { fd: self.fd, limit };
        Call::new(&self.process, call, |_, ReadToEnd { bytes, intact, error }| {
            Ok(Drained { bytes, intact, error: error.map(Errno::from_raw) })
        })
    }

    /// `write(2)`.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> Call<usize> {
        let data = Data::of(bytes.as_ref());
        self.call(syscall::Write { fd: self.fd, data })
    }

    /// One `write(2)` of `length` bytes of the bulk pattern, from its start.
    pub fn write_pattern(&self, length: u32) -> Call<usize> {
        self.write_pattern_from(0, length)
    }

    /// One `write(2)` of `length` bytes of the bulk pattern, from place `from` on.
    pub fn write_pattern_from(&self, from: u64, length: u32) -> Call<usize> {
        self.call(syscall::Write { fd: self.fd, data: Data::Pattern { from, length } })
    }

    /// `send(2)` with `MSG_` flags.
    pub fn send(&self, bytes: impl AsRef<[u8]>, flags: i32) -> Call<usize> {
        let data = Data::of(bytes.as_ref());
        self.call(syscall::Send { fd: self.fd, data, flags })
    }

    /// `writev(2)`.
    pub fn writev(&self, parts: &[&[u8]]) -> Call<usize> {
        let parts = parts.iter().map(|part| Data::of(part)).collect();
        self.call(syscall::Writev { fd: self.fd, parts })
    }

    /// `sendfile(2)` from an anonymous file that holds `bytes`.
    pub fn sendfile(&self, bytes: impl AsRef<[u8]>) -> Call<usize> {
        let data = Data::of(bytes.as_ref());
        self.call(syscall::Sendfile { fd: self.fd, data })
    }

    /// `splice(2)` from the socket into a fresh pipe, at most `max` bytes and what the pipe holds
    /// (64 KiB).
    pub fn splice(&self, max: u32) -> Call<usize> {
        self.call(syscall::SpliceIn { fd: self.fd, max })
    }

    /// `splice(2)` into the socket from a fresh pipe that holds `bytes`. A process that is not root
    /// has pipes of up to 1 MiB (`fs.pipe-max-size`).
    pub fn splice_out(&self, bytes: impl AsRef<[u8]>) -> Call<usize> {
        let data = Data::of(bytes.as_ref());
        self.call(syscall::SpliceOut { fd: self.fd, data })
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
        self.call(syscall::Shutdown { fd: self.fd, how })
    }

    /// `close(2)`.
    pub fn close(&self) -> Call<()> {
        self.call(syscall::Close { fd: self.fd })
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
        self.call(syscall::Vanish { fd: self.fd })
    }

    /// `dup(2)`.
    pub fn dup(&self) -> Call<Self> {
        self.open(syscall::Dup { fd: self.fd })
    }

    /// `getsockname(2)`.
    pub fn local(&self) -> Call<SocketAddr> {
        self.call(syscall::Name { fd: self.fd, peer: false })
    }

    /// `getpeername(2)`.
    pub fn peer(&self) -> Call<SocketAddr> {
        self.call(syscall::Name { fd: self.fd, peer: true })
    }

    /// `O_NONBLOCK` on or off.
    pub fn nonblocking(&self, on: bool) -> Call<()> {
        self.call(syscall::SetNonblocking { fd: self.fd, on })
    }

    /// Close-on-exec on or off; every descriptor starts with it on.
    pub fn cloexec(&self, on: bool) -> Call<()> {
        self.call(syscall::SetCloexec { fd: self.fd, on })
    }

    /// `setsockopt(2)`.
    pub fn set<T: OptionValue>(&self, option: SocketOption<T>, value: T) -> Call<()> {
        let SocketOption { level, number, .. } = option;
        let what = format!("setsockopt({}, {}, {value:?})", self.fd, option.name());
        let value = value.to_bytes();
        self.call(syscall::SetOption { fd: self.fd, level, name: number, value }).called(what)
    }

    /// `getsockopt(2)`.
    pub fn get<T: OptionValue>(&self, option: SocketOption<T>) -> Call<T> {
        let SocketOption { level, number, .. } = option;
        let what = format!("getsockopt({}, {})", self.fd, option.name());
        let call = syscall::GetOption { fd: self.fd, level, name: number, room: T::ROOM };
        let failed = what.clone();
        Call::new(&self.process, call, move |_, Bytes(bytes)| {
            T::from_bytes(&bytes).ok_or_else(|| {
                let answer = format!("{} bytes are too few for its value", bytes.len());
                Error::system(failed, answer)
            })
        })
        .called(what)
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
        let failed = what.clone();
        Call::new(&self.process, syscall::Ioctl { fd: self.fd, request }, move |_, count| {
            usize::try_from(count).map_err(|_| Error::system(failed, format!("{count} bytes")))
        })
        .called(what)
    }

    /// `poll(2)`; `None` waits for ever.
    pub fn poll(&self, events: Events, timeout: Option<Duration>) -> Call<Events> {
        let timeout_ms = milliseconds(timeout);
        self.call(syscall::Poll { fd: self.fd, events, timeout_ms })
    }

    /// `epoll_wait(2)` on an instance that watches only this socket.
    pub fn epoll(&self, events: Events, timeout: Option<Duration>) -> Call<Events> {
        let timeout_ms = milliseconds(timeout);
        self.call(syscall::Epoll { fd: self.fd, events, timeout_ms })
    }

    /// `select(2)`: whether the socket is readable, writable, exceptional.
    pub fn select(&self, timeout: Option<Duration>) -> Call<(bool, bool, bool)> {
        let timeout_ms = milliseconds(timeout);
        let call = syscall::Select { fd: self.fd, timeout_ms };
        Call::new(&self.process, call, |_, Ready(ready)| Ok(ready))
    }

    /// Lets this much time pass in the socket's process: see [`Process::pause`].
    pub fn pause(&self, time: Duration) -> Call<()> {
        self.process.pause(time)
    }

    /// Sends this descriptor over the Unix socket `over` of the same process.
    pub fn send_over(&self, over: &Self) -> Call<()> {
        self.call(syscall::SendFd { over: over.fd, fd: self.fd })
    }

    /// Receives a descriptor over this Unix socket.
    pub fn receive_fd(&self) -> Call<Self> {
        self.open(syscall::ReceiveFd { over: self.fd })
    }
}

pub(super) fn milliseconds(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX))
}
