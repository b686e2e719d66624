//! A lab that has been built.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use super::{Host, HostKind, Ip, LabBuilder, Labs, Neighbours, Patch, Router, answers_to, carries};
use crate::{
    error::{Error, Result},
    stage::Stage,
    sys::rtnl::Rtnl,
    wire::Wire,
};

/// The private network of one case. Clones name the same one; it is taken down with the case.
#[derive(Debug, Clone)]
pub struct Lab(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) labs: Labs,
    pub(super) hosts: Vec<Host>,
    pub(super) patch: Option<Patch>,
    pub(super) router: Option<Router>,
    pub(super) wire: Wire,
    /// How it was built, for hosts that are built again.
    pub(super) plan: LabBuilder,
    /// The conversation with the case's own namespace.
    pub(super) middle: Rtnl,
}

impl Lab {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Whether both handles name the same lab.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes it down before its case ends: its processes are killed and its sockets destroyed;
    /// the rest goes with the last handle to it.
    pub fn take_down(self) {
        for host in self.hosts() {
            let _ = host.alive(super::teardown::extinguish);
        }
        self.0.labs.forget(&self);
    }

    /// The host of this name.
    ///
    /// # Errors
    /// The lab has none.
    pub fn host(&self, name: &str) -> Result<&Host> {
        self.0.hosts.iter().find(|host| host.name() == name).ok_or_else(|| {
            let names: Vec<_> = self.0.hosts.iter().map(Host::name).collect();
            Error::usage(format!("no host {name} in this lab; it has {}", names.join(", ")))
        })
    }

    /// The host of this name, for a fault that would hit nothing of a dead one.
    ///
    /// # Errors
    /// The lab has none, or it is dead.
    pub(crate) fn living(&self, name: &str) -> Result<&Host> {
        let host = self.host(name)?;
        host.alive(|_| host)
    }

    /// All hosts, in the order they were named.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.0.hosts
    }

    /// What is seen on its cables.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// The patch in its middle.
    ///
    /// # Errors
    /// Its hosts are joined by a cable directly, or by a router.
    pub fn patch(&self) -> Result<&Patch> {
        self.0.patch.as_ref().ok_or_else(|| {
            let instead =
                if self.0.router.is_some() { "it is routed" } else { "it is a direct cable" };
            Error::usage(format!("this lab has no patch to put a fault in: {instead}"))
        })
    }

    /// The router in its middle.
    ///
    /// # Errors
    /// It was built without one.
    pub fn router(&self) -> Result<&Router> {
        self.0
            .router
            .as_ref()
            .ok_or_else(|| Error::usage("this lab has no router: build it with routed()"))
    }

    /// The stage of its case.
    pub(crate) fn stage(&self) -> &Stage {
        self.0.labs.stage()
    }

    /// Gives a dead host a new kernel. Its end of the cable lies with `holder`, or in the middle.
    /// There it is called `index`.
    pub(crate) async fn revive(&self, host: &Host, holder: Option<&Rtnl>, index: u32) -> Result {
        let holder = holder.unwrap_or(&self.0.middle);
        self.0.plan.revive(host, self.hosts(), holder, index).await?;
        self.carries().await
    }

    /// Gives a living host again what it was built with, as far as it has lost it: its interface
    /// up, its addresses and neighbours. `rtnl` is a conversation with the host.
    pub(crate) async fn reconfigure(&self, rtnl: &Rtnl, host: &Host) -> Result {
        self.0.plan.configure_over(rtnl, host, self.hosts()).await
    }

    /// On a direct cable, waits until the others have noticed that `host` holds the link no more,
    /// which takes a work item (`net/core/link_watch.c`); behind a patch they never do.
    pub(crate) async fn carrier_is_lost_by_others(&self, host: &Host) -> Result {
        if self.0.patch.is_some() || self.0.router.is_some() {
            return Ok(());
        }
        for other in self.hosts().iter().filter(|other| !other.is(host)) {
            let Ok(rtnl) = other.shell_rtnl() else { continue };
            let deadline = Instant::now() + Duration::from_secs(5);
            while rtnl.is_operational(other.shell_interface()).await? {
                if Instant::now() > deadline {
                    let context = format!("see host {} lose its carrier", other.name());
                    return Err(Error::system(context, "it has it after 5 s"));
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
        Ok(())
    }

    /// How hosts of this lab know each other.
    pub(crate) fn neighbours(&self) -> Neighbours {
        self.0.plan.neighbours
    }

    /// The largest packet its cables were built for, in bytes.
    pub(crate) fn mtu(&self) -> u32 {
        self.0.plan.mtu
    }

    /// Waits until every path carries segments, between those hosts that are alive.
    pub(super) async fn carries(&self) -> Result {
        let alive = self.hosts().iter().filter_map(|host| host.card().ok());
        let ready = alive.map(|card| async move {
            // A guest kernel says itself when it is up.
            match card.host().kind() {
                HostKind::Namespace => card.is_back().await,
                HostKind::Guest => card.is_plugged_in_soon().await,
            }
        });
        try_join_all(ready).await?;
        let (rtnl, ports) = match (&self.0.patch, &self.0.router) {
            (Some(patch), _) => (patch.rtnl(), patch.ports()),
            (_, Some(router)) => (router.rtnl(), router.ports()),
            (None, None) => return Ok(()),
        };
        if let Some(router) = &self.0.router {
            for host in self.hosts() {
                answers_to(rtnl.clone(), router.address(host.name(), Ip::V6)?).await?;
            }
        }
        let ports = ports.iter().filter(|port| {
            self.hosts().iter().any(|host| host.name() == port.host && host.shell_rtnl().is_ok())
        });
        try_join_all(ports.map(|port| carries(rtnl.clone(), port.index))).await?;
        Ok(())
    }
}
