//! A cable pulled out at one host: the host sees its carrier go, and nothing gets to it.
//!
//! Behind the patch the patch's port that faces the host is set down, so only this host notices.
//! On a direct cable there is nothing between the two: the far host's interface is set down, which
//! its kernel takes for its administrator's doing.
//!
//! A guest kernel gets nothing either, but its card has no sense for carrier: it goes on sending.

use std::time::{Duration, Instant};

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    taken::Place,
};
use crate::{
    error::{Context, Error, Result},
    lab::{Card, Host, Lab, carries},
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
    host: Host,
    guard: Guard,
}

impl Lab {
    /// Pulls the cable out at a host, which loses its carrier; see [`Unplugged`].
    pub fn unplug(&self, host: &str) -> Unplug {
        let to = Some(host.to_owned());
        let aim = Aim { to, resolution: true, place: Place::Cable, ..Aim::default() };
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
    /// There is no such host, it or the far one is dead, it has no carrier to lose, or the lab is
    /// routed.
    pub async fn now(self) -> Result<Unplugged> {
        let Self { lab, aim, host } = self;
        let host = lab.host(&host)?.clone();
        let context = || format!("unplug host {}", host.name());
        let card = host.card().context(context)?;
        if !card.is_plugged_in().await.context(context)? {
            return Err(Error::usage(format!(
                "host {} has no carrier to lose: it is unplugged already, or its interface is down",
                host.name()
            )));
        }
        if lab.router().is_ok() {
            return Err(Error::usage(
                "this lab is routed, and cables are pulled at a patch or between two hosts"
                    .to_owned(),
            ))
            .context(context);
        }
        let hits = Hits::of(&lab, &format!("{} is unplugged", host.name()), aim);
        let mut guard = match lab.patch() {
            Ok(patch) => {
                let port = patch.port_to(host.name())?.index;
                patch.rtnl().set_link(port, false).await?;
                Guard::in_middle(patch.rtnl(), hits, async move |rtnl: Rtnl| {
                    rtnl.set_link(port, true).await?;
                    carries(rtnl, port).await
                })
            }
            Err(_) => {
                let far = lab.hosts().iter().find(|far| far.name() != host.name());
                let far = far.expect("a cable has two ends").clone();
                far.card().context(context)?.set_down().await?;
                Guard::on_host(&far, hits, async move |card: Card| {
                    card.reconfigure(&lab).await?;
                    card.is_back().await
                })
            }
        };
        guard.on();
        loses_carrier(&card).await.context(context)?;
        Ok(Unplugged { host, guard })
    }
}

impl Unplugged {
    /// The segments sent to the host since, none of which arrived.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn swallowed(&self) -> Result<Vec<Segment>> {
        self.guard.hits().settled().await
    }

    /// Plugs it in again: when this returns the path carries segments.
    ///
    /// # Errors
    /// A host has died meanwhile, or the kernel refuses.
    pub async fn plug_in(mut self) -> Result {
        let context = || format!("plug in host {}", self.host.name());
        self.guard.lift().await.context(context)?;
        self.host.card().context(context)?.is_back().await.context(context)
    }
}

async fn loses_carrier(card: &Card) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    while card.is_plugged_in().await? {
        if Instant::now() > deadline {
            return Err(Error::system("see the carrier go", "it was still there after 5 s"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
