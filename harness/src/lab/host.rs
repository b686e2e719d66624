//! A machine in the lab: its own network stack, addresses, processes and sysctls.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{HostKind, Ip};
use crate::{
    error::{Error, Result},
    guest::Guest,
    stamp::Stamp,
    sys::{netns::Netns, rtnl::Rtnl},
    wire::{Journal, Record},
};

mod life;
mod looks;
mod work;

pub(crate) use life::Life;
pub use work::Running;

/// A host. Clones name the same one.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) name: String,
    /// `Err` says what it died of.
    pub(super) life: Mutex<std::result::Result<Life, &'static str>>,
    /// The index of its interface in the namespace that the host is, or that holds its card.
    pub(super) index: u32,
    /// The same as a guest counts, once it is the host.
    pub(super) card: AtomicU32,
    pub(super) v4: IpAddr,
    pub(super) v6: IpAddr,
    pub(super) mac: [u8; 6],
    pub(super) kind: HostKind,
    pub(super) journal: Journal,
    pub(super) pids: Mutex<Vec<i32>>,
}

impl Host {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Whether both handles name the same host.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its address of this family.
    #[must_use]
    pub fn ip(&self, ip: Ip) -> IpAddr {
        match ip {
            Ip::V4 => self.0.v4,
            Ip::V6 => self.0.v6,
        }
    }

    /// An address and port on it, to listen on or connect to.
    #[must_use]
    pub fn address(&self, ip: Ip, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(ip), port)
    }

    /// The hardware address of its interface.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.0.mac
    }

    /// Its routing side: links, addresses, neighbours. A guest's is spoken to over its line.
    ///
    /// # Errors
    /// The host is dead, or a guest that sleeps.
    pub fn rtnl(&self) -> Result<Rtnl> {
        if self.kind() == HostKind::Guest {
            self.is_awake()?;
        }
        self.alive(|life| life.routes.as_ref().unwrap_or(&life.rtnl).clone())
    }

    /// The routing side of the namespace that the host is, or that holds its network card.
    pub(crate) fn shell_rtnl(&self) -> Result<Rtnl> {
        self.alive(|life| life.rtnl.clone())
    }

    /// What the host is made of.
    #[must_use]
    pub fn kind(&self) -> HostKind {
        self.0.kind
    }

    /// The guest kernel that it is, if it is one.
    pub(crate) fn guest(&self) -> Result<Option<Guest>> {
        self.alive(|life| life.guest.clone())
    }

    /// Refuses what only a namespace of this machine's kernel can offer.
    pub(crate) fn not_in_a_guest(&self, what: &str) -> Result {
        match self.0.kind {
            HostKind::Namespace => Ok(()),
            HostKind::Guest => Err(Error::usage(format!(
                "host {} is a guest kernel, where {what} is out of reach; make it a namespace, or \
                 use its processes",
                self.name()
            ))),
        }
    }

    /// The index of its interface.
    #[must_use]
    pub fn interface(&self) -> u32 {
        match self.kind() {
            HostKind::Namespace => self.0.index,
            HostKind::Guest => self.0.card.load(Ordering::Relaxed),
        }
    }

    /// The index of its interface in the namespace that the host is, or that holds its card.
    pub(crate) fn shell_interface(&self) -> u32 {
        self.0.index
    }

    /// Takes its interface away, and with it its addresses, routes and cable, as is done with
    /// the network of a container. The namespace itself lives on while anybody holds it.
    ///
    /// # Errors
    /// It has been taken away before, or the host is a guest, whose card is soldered in.
    pub async fn lose_network(&self) -> Result {
        self.not_in_a_guest("taking its network card away")?;
        self.rtnl()?.delete_link(self.0.index).await?;
        let text = format!("{} has lost its network", self.name());
        self.0.journal.write(&Record::Note { at: Stamp::now(), text });
        Ok(())
    }

    /// Its network namespace.
    ///
    /// # Errors
    /// The host is dead.
    pub fn netns(&self) -> Result<Netns> {
        self.not_in_a_guest("its network namespace")?;
        self.shell()
    }

    /// The namespace that the host is, or that holds its network card.
    pub(crate) fn shell(&self) -> Result<Netns> {
        self.alive(|life| life.netns.clone())
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }
}
