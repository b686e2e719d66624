//! A cable pulled out at one host: the host sees its carrier go, and nothing gets to it.
//!
//! Behind the patch the patch's port that faces the host is set down, so only this host notices.
//! On a direct cable there is nothing between the two: the far host's interface is set down, which
//! its kernel takes for its administrator's doing.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    hits::{Aim, Hits},
    lift_aside, lift_aside_in,
};
use crate::{
    error::{Attempt, Error, Result},
    lab::{Host, Lab, carries},
    sys::rtnl::Rtnl,
    wire::Segment,
};

/// A cable about to be pulled.
#[must_use = "a cable is pulled once this is awaited to its end"]
pub struct Unplug {
    lab: Lab,
    aim: Aim,
    host: String,
}

/// A cable that is out. Plug it in again, or drop this.
#[must_use = "a cable is plugged in again when its guard is dropped"]
pub struct Unplugged {
    lab: Lab,
    host: Host,
    hits: Arc<Hits>,
    out: Option<Side>,
}

/// What was set down to take the carrier away.
#[derive(Clone)]
enum Side {
    /// The patch's port of this index.
    Port(u32),
    /// The interface of the other host.
    Far(Host),
}

impl Lab {
    /// Pulls the cable out at a host, which loses its carrier; see [`Unplugged`].
    pub fn unplug(&self, host: &str) -> Unplug {
        let aim = Aim { to: Some(host.to_owned()), resolution: true, ..Aim::default() };
        Unplug { lab: self.clone(), aim, host: host.to_owned() }
    }
}

impl Unplug {
    /// Says that the case is right also when nobody sends anything to the host. What the host
    /// itself sends is never seen: without carrier it does not get as far as the cable.
    pub fn that_may_miss(mut self) -> Self {
        self.aim.may_miss = true;
        self
    }

    /// Pulls it: when this returns the host has seen its carrier go.
    ///
    /// # Errors
    /// There is no such host, it or the far one is dead, or it has no carrier to lose.
    pub async fn now(self) -> Result<Unplugged> {
        let Self { lab, aim, host } = self;
        let host = lab.host(&host)?.clone();
        let attempt = || format!("unplug host {}", host.name());
        let rtnl = host.rtnl().attempt(attempt)?;
        if !rtnl.is_operational(host.interface()).await.attempt(attempt)? {
            return Err(Error::Usage(format!(
                "host {} has no carrier to lose: it is unplugged already, or its interface is down",
                host.name()
            )));
        }
        let side = match lab.patch() {
            Ok(patch) => Side::Port(patch.port_to(host.name())?.index),
            Err(_) => {
                let far = lab.hosts().iter().find(|far| far.name() != host.name());
                Side::Far(far.expect("a cable has two ends").clone())
            }
        };
        let hits = Hits::of(&lab, &format!("{} is unplugged", host.name()), aim);
        match &side {
            Side::Port(port) => lab.patch()?.rtnl().set_link(*port, false).await?,
            Side::Far(far) => far.rtnl().attempt(attempt)?.set_link(far.interface(), false).await?,
        }
        let unplugged = Unplugged { lab, host: host.clone(), hits, out: Some(side) };
        unplugged.hits.on();
        loses_carrier(&rtnl, host.interface()).await.attempt(attempt)?;
        Ok(unplugged)
    }
}

impl Unplugged {
    /// The segments sent to the host since, none of which arrived.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn swallowed(&self) -> Result<Vec<Segment>> {
        self.hits.settled().await
    }

    /// Plugs it in again: when this returns the path carries segments.
    ///
    /// # Errors
    /// A host has died meanwhile, or the kernel refuses.
    pub async fn plug_in(mut self) -> Result {
        let Some(side) = self.out.take() else { return Ok(()) };
        let attempt = || format!("plug in host {}", self.host.name());
        let rtnl = match &side {
            Side::Port(_) => self.lab.patch()?.rtnl().clone(),
            Side::Far(far) => far.rtnl().attempt(attempt)?,
        };
        plug_in(&self.lab, &side, &rtnl).await.attempt(attempt)?;
        let host = self.host.rtnl().attempt(attempt)?;
        Lab::is_back(&host, &self.host).await.attempt(attempt)?;
        self.hits.off();
        Ok(())
    }
}

impl Drop for Unplugged {
    fn drop(&mut self) {
        let Some(side) = self.out.take() else { return };
        let lab = self.lab.clone();
        match &side {
            Side::Port(_) => lift_aside(async move |rtnl| plug_in(&lab, &side, &rtnl).await),
            Side::Far(far) => {
                let Ok(netns) = far.netns() else { return };
                lift_aside_in(Some(netns), async move |rtnl| plug_in(&lab, &side, &rtnl).await);
            }
        }
        self.hits.off();
    }
}

/// Sets the side up again that was set down; `rtnl` is a conversation with where it is.
async fn plug_in(lab: &Lab, side: &Side, rtnl: &Rtnl) -> Result {
    match side {
        Side::Port(port) => {
            rtnl.set_link(*port, true).await?;
            carries(rtnl.clone(), *port).await
        }
        Side::Far(far) => {
            lab.refurnish(rtnl, far).await?;
            Lab::is_back(rtnl, far).await
        }
    }
}

async fn loses_carrier(rtnl: &Rtnl, index: u32) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    while rtnl.is_operational(index).await? {
        if Instant::now() > deadline {
            return Err(Error::system("see the carrier go", "it was still there after 5 s"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
