//! What a host has only while it is alive, and how a life ends and another begins.

use std::{
    net::SocketAddr,
    sync::{MutexGuard, atomic::Ordering},
};

use super::Host;
use crate::{
    error::{Error, Result},
    guest::Guest,
    sys::{
        netns::Netns,
        rtnl::Rtnl,
        sock_diag::{Diag, SocketEntry},
    },
};

/// A running kernel: what a host has only while it is alive.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) netns: Netns,
    pub(crate) rtnl: Rtnl,
    pub(crate) diag: Diag,
    /// The kernel that is the host, if it is not this machine's: then the rest only holds its
    /// network card.
    pub(crate) guest: Option<Guest>,
    /// The conversation with that kernel's routing side, once it is the host.
    pub(crate) routes: Option<Rtnl>,
    /// Whether it stands still.
    pub(crate) asleep: bool,
}

impl Life {
    /// The socket with these addresses, if there is one that is not a listener.
    pub(crate) fn socket(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Option<SocketEntry>> {
        match &self.guest {
            Some(guest) => guest.socket(local, remote),
            None => self.diag.socket(local, remote),
        }
    }
}

impl Host {
    /// Looks at what it has only while it is alive.
    pub(crate) fn alive<T>(&self, look: impl FnOnce(&Life) -> T) -> Result<T> {
        match &*self.life() {
            Ok(life) => Ok(look(life)),
            Err(fate) => Err(Error::usage(format!("host {} {fate}", self.name()))),
        }
    }

    /// Ends its life, and says of what; gives what is left of it.
    pub(crate) fn die(&self, fate: &'static str) -> Result<Life> {
        let mut life = self.life();
        match std::mem::replace(&mut *life, Err(fate)) {
            Ok(ended) => Ok(ended),
            Err(earlier) => {
                *life = Err(earlier);
                Err(Error::usage(format!("host {} {earlier} already", self.name())))
            }
        }
    }

    /// Says whether it lives and is awake.
    pub(crate) fn is_awake(&self) -> Result {
        match self.alive(|life| life.asleep)? {
            false => Ok(()),
            true => Err(Error::usage(format!("host {} sleeps", self.name()))),
        }
    }

    /// Notes that it falls asleep, or wakes up.
    pub(crate) fn sleeps(&self, asleep: bool) -> Result {
        match &mut *self.life() {
            Ok(life) if life.asleep != asleep => life.asleep = asleep,
            Ok(_) => {
                let what = if asleep { "sleeps already" } else { "does not sleep any more" };
                return Err(Error::usage(format!("host {} {what}", self.name())));
            }
            Err(fate) => return Err(Error::usage(format!("host {} {fate}", self.name()))),
        }
        Ok(())
    }

    /// Begins a new life after the last has ended.
    pub(crate) fn live(&self, life: Life) {
        *self.life() = Ok(life);
        self.0.pids.lock().expect("no holder of this lock panics").clear();
    }

    fn life(&self) -> MutexGuard<'_, std::result::Result<Life, &'static str>> {
        self.0.life.lock().expect("no holder of this lock panics")
    }

    /// Gives a living host its guest kernel.
    pub(crate) fn equip(&self, guest: Guest) {
        self.adopt(guest.pid());
        if let Ok(life) = &mut *self.life() {
            life.guest = Some(guest);
        }
    }

    /// A guest kernel has become the host: its routing side, and the index of its network card.
    pub(crate) fn move_in(&self, routes: Rtnl, card: u32) {
        self.0.card.store(card, Ordering::Relaxed);
        if let Ok(life) = &mut *self.life() {
            life.routes = Some(routes);
        }
    }

    /// Takes note of a process that the harness answers for.
    pub(crate) fn adopt(&self, pid: i32) {
        self.0.pids.lock().expect("no holder of this lock panics").push(pid);
    }

    /// The processes the harness has started here.
    pub(crate) fn pids(&self) -> Vec<i32> {
        self.0.pids.lock().expect("no holder of this lock panics").clone()
    }
}
