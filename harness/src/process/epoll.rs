//! An epoll instance that lasts over several waits, as an event loop has one.

use std::{os::fd::RawFd, time::Duration};

use super::{
    call::Call,
    events::Events,
    socket::{Socket, milliseconds},
    subject::Process,
    syscall,
};

/// An epoll instance of one [`Process`], made by [`Process::epoll`]. Dropping the handle closes
/// nothing.
///
/// With [`Events::EDGE`] a socket is told of once for each change, and not again while it only
/// stays as it is (`epoll(7)`).
#[derive(Debug, Clone)]
pub struct Epoll {
    process: Process,
    fd: RawFd,
}

impl Process {
    /// `epoll_create1(2)`. [`Socket::epoll`] is for a single wait.
    pub fn epoll(&self) -> Call<Epoll> {
        Call::new(self, syscall::EpollCreate {}, |process, fd| {
            Ok(Epoll { process: process.clone(), fd })
        })
    }
}

impl Epoll {
    /// Watches a socket of the same process for these events (`EPOLL_CTL_ADD`).
    pub fn add(&self, socket: &Socket, events: Events) -> Call<()> {
        let call = syscall::EpollAdd { epoll: self.fd, fd: socket.fd(), events };
        Call::new(&self.process, call, |_, ()| Ok(()))
    }

    /// Watches a socket for other events than before (`EPOLL_CTL_MOD`).
    pub fn modify(&self, socket: &Socket, events: Events) -> Call<()> {
        let call = syscall::EpollModify { epoll: self.fd, fd: socket.fd(), events };
        Call::new(&self.process, call, |_, ()| Ok(()))
    }

    /// Watches a socket no more (`EPOLL_CTL_DEL`).
    pub fn remove(&self, socket: &Socket) -> Call<()> {
        let call = syscall::EpollRemove { epoll: self.fd, fd: socket.fd() };
        Call::new(&self.process, call, |_, ()| Ok(()))
    }

    /// `epoll_wait(2)`: the numbers of the sockets that are ready ([`Socket::fd`]), with their
    /// events; none after the timeout. Without a timeout it waits for ever.
    pub fn wait(&self, timeout: Option<Duration>) -> Call<Vec<(RawFd, Events)>> {
        let timeout_ms = milliseconds(timeout);
        Call::new(&self.process, syscall::EpollWait { epoll: self.fd, timeout_ms }, |_, it| Ok(it))
    }

    /// `close(2)`.
    pub fn close(&self) -> Call<()> {
        Call::new(&self.process, syscall::Close { fd: self.fd }, |_, ()| Ok(()))
    }
}
