//! What a process does that is not done to one of its sockets: open sockets, handle signals, let
//! time pass.

use std::{net::SocketAddr, time::Duration};

use nix::sys::signal::Signal;

use super::{call::Call, option, socket::Socket, subject::Process, syscall};
use crate::{error::Result, sys::signals::Disposition};

impl Process {
    /// `socket(2)` for TCP over the address family of `like`.
    pub fn socket(&self, like: SocketAddr) -> Call<Socket> {
        Call::new(self, syscall::Socket { v6: like.is_ipv6(), nonblocking: false }, Socket::of)
    }

    /// As [`Self::socket`], with `SOCK_NONBLOCK`.
    pub fn nonblocking_socket(&self, like: SocketAddr) -> Call<Socket> {
        Call::new(self, syscall::Socket { v6: like.is_ipv6(), nonblocking: true }, Socket::of)
    }

    /// A listening socket on `address`: `socket`, `SO_REUSEADDR`, `bind`, `listen`.
    ///
    /// # Errors
    /// One of the calls failed.
    pub async fn listen(&self, address: SocketAddr) -> Result<Socket> {
        self.listen_with_backlog(address, 128).await
    }

    /// As [`Self::listen`], with room for `backlog` connections and one more that nobody has
    /// accepted yet (`include/net/sock.h`, `sk_acceptq_is_full`).
    ///
    /// # Errors
    /// As [`Self::listen`].
    pub async fn listen_with_backlog(&self, address: SocketAddr, backlog: i32) -> Result<Socket> {
        let socket = self.socket(address).ok().await?;
        socket.set(option::REUSEADDR, 1).ok().await?;
        socket.bind(address).ok().await?;
        socket.listen(backlog).ok().await?;
        Ok(socket)
    }

    /// A socket connected to `address`: `socket`, `connect`.
    ///
    /// # Errors
    /// One of the calls failed.
    pub async fn connect(&self, address: SocketAddr) -> Result<Socket> {
        let socket = self.socket(address).ok().await?;
        socket.connect(address).ok().await?;
        Ok(socket)
    }

    /// Sets what the process does on `signal`. An agent starts with SIGPIPE handled, so that
    /// every call can say whether it raised one; all else is at its default.
    pub fn dispose(&self, signal: Signal, disposition: Disposition) -> Call<()> {
        let call = syscall::Dispose { signal: signal as i32, disposition };
        Call::new(self, call, |_, ()| Ok(()))
    }

    /// Installs a handler that interrupts blocked calls (no `SA_RESTART`).
    pub fn interrupt_on(&self, signal: Signal) -> Call<()> {
        Call::new(self, syscall::InterruptOn { signal: signal as i32 }, |_, ()| Ok(()))
    }

    /// Lets this much time pass on its host (`nanosleep(2)`), and the ladder says so: for scenarios
    /// in which the passing of time is the point, not for waiting until something has happened.
    pub fn pause(&self, time: Duration) -> Call<()> {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Call::new(self, syscall::Pause { nanos }, |_, ()| Ok(()))
    }
}
