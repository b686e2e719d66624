//! What a host's kernel says of itself and is told: sysctls, counters, sockets.

use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::Host;
use crate::{
    error::{Context, Error, Result},
    lab::snapshot,
    sys::{counters, probe::Trial, sock_diag::SocketEntry, sysctl},
};

impl Host {
    /// Reads a sysctl of the host.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn sysctl(&self, name: &str) -> Result<String> {
        if let Some(guest) = self.guest()? {
            return guest.sysctl(name);
        }
        self.netns()?.enter(|| sysctl::read(name))?.map_err(|error| error.on_host(self.name()))
    }

    /// Whether the host's kernel has a sysctl of this name.
    ///
    /// # Errors
    /// The host is dead, or the name is not one of a network's.
    pub fn has_sysctl(&self, name: &str) -> Result<bool> {
        match self.sysctl(name) {
            Ok(_) => Ok(true),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes a sysctl of the host.
    ///
    /// # Errors
    /// There is none of that name, or it refuses the value.
    pub fn set_sysctl(&self, name: &str, value: &str) -> Result {
        if let Some(guest) = self.guest()? {
            return guest.set_sysctl(name, value);
        }
        self.netns()?
            .enter(|| sysctl::write(name, value))?
            .map_err(|error| error.on_host(self.name()))
    }

    /// One of the counters that its kernel keeps for the administrator, such as
    /// "TCPAbortOnClose", or "Tcp:InCsumErrors" where more than one protocol has one of that name
    /// (`/proc/net/netstat` and `/proc/net/snmp`; `net/ipv4/proc.c`).
    ///
    /// # Errors
    /// There is none of that name.
    pub fn counter(&self, name: &str) -> Result<u64> {
        if let Some(guest) = self.guest()? {
            return guest.counter(name);
        }
        self.netns()?.enter(|| counters::read(name))?.map_err(|error| error.on_host(self.name()))
    }

    /// Waits until a counter has reached this value. Unlike a segment on the wire, it says that
    /// the kernel has dealt with the segment.
    ///
    /// # Errors
    /// It does not within five seconds, or there is none of that name.
    pub async fn counts(&self, name: &str, value: u64) -> Result {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let seen = self.counter(name)?;
            if seen >= value {
                return Ok(());
            }
            if Instant::now() > deadline {
                let what = format!("{}: counter {name}", self.name());
                return Err(Error::mismatch(what, format!("{value} within 5 s"), seen.to_string()));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Every TCP socket of the host, as `ss -tan` would list them.
    ///
    /// # Errors
    /// The kernel refuses the dump.
    pub fn sockets(&self) -> Result<Vec<SocketEntry>> {
        match self.guest()? {
            Some(guest) => guest.sockets(),
            None => self.alive(|life| life.diag.sockets())?,
        }
    }

    /// Aborts one socket from outside, as `ss -K` does (`SOCK_DESTROY`).
    ///
    /// # Errors
    /// The kernel was built without `CONFIG_INET_DIAG_DESTROY`, or the socket is gone.
    pub fn destroy(&self, entry: &SocketEntry) -> Result {
        self.not_in_a_guest("destroying a socket from outside")?;
        let destroyed = self.alive(|life| life.diag.destroy(entry))?.context(|| {
            format!("destroy the socket {} > {} on host {}", entry.local, entry.remote, self.name())
        });
        Trial::SockDestroy.tried(destroyed)
    }

    /// Its sockets as text, for the record.
    #[must_use]
    pub fn states(&self) -> String {
        match self.sockets() {
            Ok(sockets) => snapshot(self.name(), &sockets),
            Err(error) => format!("{}: {error}\n", self.name()),
        }
    }
}
