//! A bad path: slow, lossy, out of order. The qdisc netem on the ports by which the patch sends,
//! so that neither host takes part in it.

use std::sync::{Arc, Mutex};

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    taken::{Place, Takes},
};
use crate::{
    error::{Context, Error, Result},
    lab::{Lab, Patch, Port},
    sys::{
        netem::Netem,
        probe::{self, Trial},
        qdisc::Counted,
        rtnl::Rtnl,
    },
    wire::Segment,
};

/// An impairment in the making: both ways, unless narrowed.
#[must_use = "a fault acts once it is on"]
pub struct ImpairmentBuilder {
    lab: Lab,
    netem: Netem,
    towards: Option<String>,
    from: Option<String>,
    may_miss: bool,
}

impl Lab {
    /// Impairs the path between the hosts; see [`Impairment`].
    pub fn impair(&self, netem: Netem) -> ImpairmentBuilder {
        let lab = self.clone();
        ImpairmentBuilder { lab, netem, towards: None, from: None, may_miss: false }
    }
}

impl ImpairmentBuilder {
    /// One way: only what this host sends to the other one.
    pub fn from(mut self, host: &str) -> Self {
        self.from = Some(host.to_owned());
        self
    }

    /// One way: only what is sent to this host, from any other one.
    pub fn towards(mut self, host: &str) -> Self {
        self.towards = Some(host.to_owned());
        self
    }

    /// Says that the case is right also when no segment shows the impairment.
    pub fn that_may_miss(mut self) -> Self {
        self.may_miss = true;
        self
    }

    /// Seeds netem's random numbers where the kernel can (Linux 6.6), so that they are the same in
    /// every run. Elsewhere they are not, and the case must be right with any.
    pub fn repeatable(mut self, seed: u64) -> Self {
        if probe::kernel_version().0 >= SEEDS_SINCE {
            self.netem = self.netem.seed(seed);
        }
        self
    }

    /// Turns it on: when this returns, every frame that enters the patch is impaired.
    ///
    /// # Errors
    /// The settings are impossible, there is no patch, no such host or a dead one, the path is
    /// impaired already, or the kernel has no netem.
    pub async fn turn_on(self) -> Result<Impairment> {
        let (ports, way) = self.way()?;
        let Self { lab, netem, towards, from, may_miss } = self;
        let context = || format!("impair the path {way}");
        possible(&netem).context(context)?;
        for host in from.iter().chain(&towards) {
            lab.living(host).context(context)?;
        }
        let patch = lab.patch()?.clone();
        let text = format!("{netem} {way}");
        let aim = Aim {
            from,
            to: towards,
            any_fate: netem.holds_back() || netem.corrupts(),
            copies: netem.copies(),
            may_miss,
            place: Place::Queue,
            takes: if netem.loses_all() { Takes::Hits } else { Takes::Nothing },
            ..Aim::default()
        };
        let hits = Hits::of(&lab, &text, aim);
        patch.claim(&ports)?;
        // From here on the guard gives back what was taken.
        let impaired = Arc::new(Mutex::new(Vec::new()));
        let mut guard = Guard::in_middle(patch.rtnl(), hits, {
            let (impaired, claimed, patch) = (impaired.clone(), ports.clone(), patch.clone());
            async move |rtnl: Rtnl| {
                let impaired = std::mem::take(&mut *impaired.lock().expect("no holder panics"));
                let lifted = delete(&rtnl, impaired).await;
                patch.release(&claimed);
                lifted
            }
        });
        for port in &ports {
            let put = patch.rtnl().impair(port.index, &netem).await;
            Trial::Netem
                .tried(put)
                .context(|| format!("impair what goes to host {}: {text}", port.host))?;
            impaired.lock().expect("no holder panics").push(port.clone());
        }
        lab.wire().allow(netem.longest_delay());
        guard.on();
        Ok(Impairment { lab, patch, ports, guard })
    }

    /// The impaired ports, and their direction in words.
    fn way(&self) -> Result<(Vec<Port>, String)> {
        let patch = self.lab.patch()?;
        match (&self.from, &self.towards) {
            (None, None) => Ok((patch.ports().to_vec(), "both ways".to_owned())),
            (None, Some(to)) => Ok((vec![patch.port_to(to)?], format!("towards {to}"))),
            (Some(from), None) => {
                patch.port_to(from)?;
                let others = patch.ports().iter().filter(|port| port.host != *from);
                match others.collect::<Vec<_>>()[..] {
                    [only] => Ok((vec![only.clone()], format!("from {from}"))),
                    _ => Err(Error::usage(format!(
                        "what host {from} sends has more than one way here: say towards whom"
                    ))),
                }
            }
            (Some(from), Some(to)) => Err(Error::usage(format!(
                "an impairment from {from} and towards {to}: say one of them"
            ))),
        }
    }
}

/// An impaired path. Change it, lift it, or drop it. What is on its way when it is lifted is lost.
#[must_use = "an impairment ends when its guard is dropped"]
pub struct Impairment {
    lab: Lab,
    patch: Patch,
    ports: Vec<Port>,
    guard: Guard,
}

impl Impairment {
    /// Impairs the path in another way from now on; nothing of the old settings stays. What is on
    /// its way stays there as long as it was told to.
    ///
    /// # Errors
    /// The settings are impossible.
    pub async fn change(&mut self, netem: Netem) -> Result {
        for port in &self.ports {
            let context = || format!("impair what goes to host {}: {netem}", port.host);
            possible(&netem).context(context)?;
            let changed = self.patch.rtnl().impair_otherwise(port.index, &netem).await;
            changed.context(context)?;
        }
        if !netem.loses_all() {
            self.guard.hits().leaks();
        }
        self.lab.wire().allow(netem.longest_delay());
        self.lab.stage().note(format!("impairment changed: {netem}"));
        Ok(())
    }

    /// What the kernel has counted so far.
    ///
    /// # Errors
    /// The kernel does not say.
    pub async fn counted(&self) -> Result<Counted> {
        let mut all = Counted::default();
        for port in &self.ports {
            all += self.patch.rtnl().counted(port.index).await?;
        }
        Ok(all)
    }

    /// The segments it has hit: on a path that only loses, those that were lost; on one that
    /// delays or corrupts, all of them, because those hit cannot be told from the others.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn hit(&self) -> Result<Vec<Segment>> {
        self.guard.hits().settled().await
    }

    /// Ends the impairment, and says what the kernel has counted.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn lift(mut self) -> Result<Counted> {
        let counted = self.counted().await?;
        self.guard.lift().await?;
        Ok(counted)
    }
}

/// Takes netem away from these ports.
async fn delete(rtnl: &Rtnl, ports: Vec<Port>) -> Result {
    for port in ports {
        let lifted = rtnl.delete_root(port.index).await;
        lifted.context(|| format!("lift the impairment towards host {}", port.host))?;
    }
    Ok(())
}

/// The first kernel whose netem takes a seed (`sch_netem.c`, `TCA_NETEM_PRNG_SEED`).
const SEEDS_SINCE: (u32, u32) = (6, 6);

/// Whether the settings are possible, here.
fn possible(netem: &Netem) -> Result {
    netem.check()?;
    let (version, release) = probe::kernel_version();
    // An older kernel would ignore it without a word.
    if netem.has_seed() && version < SEEDS_SINCE {
        return Err(Error::usage(format!(
            "impossible impairment: a seed, which netem takes since Linux 6.6; this is {release}"
        )));
    }
    Ok(())
}
