//! The qdisc netem, which impairs what a port sends: its settings, and how they are told to the
//! kernel (`linux/pkt_sched.h`, `net/sched/sch_netem.c`, `tc-netem(8)`).

use std::time::Duration;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use super::rtnl::Rtnl;
use crate::error::Result;

mod check;
mod encode;
mod slot;
mod table;

pub use slot::Slot;
pub use table::Distribution;

/// What an impaired path does to what is sent over it. A percentage is between 0 and 100.
///
/// ```
/// use std::time::Duration;
///
/// use lastack_sys::netem::Netem;
///
/// let satellite = Netem::new().delay(Duration::from_millis(300)).loss(1.5);
/// assert!(satellite.check().is_ok());
/// assert!(Netem::new().loss(150.0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "an impairment acts once a lab's path has it"]
pub struct Netem {
    delay: Duration,
    jitter: Duration,
    distribution: Distribution,
    delay_correlation: f64,
    loss: Option<Loss>,
    loss_correlation: f64,
    duplicate: f64,
    duplicate_correlation: f64,
    reorder: f64,
    reorder_correlation: f64,
    gap: Option<u32>,
    corrupt: f64,
    corrupt_correlation: f64,
    rate: Option<Rate>,
    limit: Option<u32>,
    slot: Option<Slot>,
    seed: Option<u64>,
}

/// How frames are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    /// Each on its own.
    Random(f64),
    Bursts(GilbertElliott),
    /// A second model was asked for, which the check refuses.
    Both,
}

/// Loss in bursts: the path is in a good or in a bad state, and changes with every frame. All
/// four are percentages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GilbertElliott {
    /// From good to bad.
    pub to_bad: f64,
    /// From bad to good.
    pub to_good: f64,
    /// Of the frames sent in the bad state, so many are lost.
    pub lost_in_bad: f64,
    /// Of the frames sent in the good state, so many are lost.
    pub lost_in_good: f64,
}

/// How fast a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second.
    pub bytes: u64,
    /// Bytes every frame costs more (or less) than it has.
    pub overhead: i32,
    /// Bytes in a cell, where the path carries only whole ones, as ATM does; else 0.
    pub cell: u32,
    /// Bytes every cell costs more than it carries.
    pub cell_overhead: i32,
}

impl Rate {
    /// So many bytes a second and nothing else.
    #[must_use]
    pub fn bytes(bytes: u64) -> Self {
        Self { bytes, overhead: 0, cell: 0, cell_overhead: 0 }
    }
}

impl Netem {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds every frame back for this long.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Lets the delay vary by up to this much, evenly.
    pub fn jitter(self, jitter: Duration) -> Self {
        self.jitter_of(jitter, Distribution::Uniform)
    }

    /// Lets the delay vary as `distribution` does, with this as its standard deviation.
    pub fn jitter_of(mut self, jitter: Duration, distribution: Distribution) -> Self {
        (self.jitter, self.distribution) = (jitter, distribution);
        self
    }

    /// How much one delay follows the one before.
    pub fn delay_correlation(mut self, percent: f64) -> Self {
        self.delay_correlation = percent;
        self
    }

    /// Loses frames, each with this probability; 100 is a dead path.
    pub fn loss(mut self, percent: f64) -> Self {
        self.loss = Some(match self.loss {
            None | Some(Loss::Random(_)) => Loss::Random(percent),
            Some(_) => Loss::Both,
        });
        self
    }

    /// How much one loss follows the one before.
    pub fn loss_correlation(mut self, percent: f64) -> Self {
        self.loss_correlation = percent;
        self
    }

    /// Loses frames in bursts.
    pub fn loss_in_bursts(mut self, model: GilbertElliott) -> Self {
        self.loss = Some(match self.loss {
            None | Some(Loss::Bursts(_)) => Loss::Bursts(model),
            Some(_) => Loss::Both,
        });
        self
    }

    /// Sends frames twice, each with this probability.
    pub fn duplicate(mut self, percent: f64) -> Self {
        self.duplicate = percent;
        self
    }

    /// How much one duplication follows the one before.
    pub fn duplicate_correlation(mut self, percent: f64) -> Self {
        self.duplicate_correlation = percent;
        self
    }

    /// Lets frames overtake the delayed ones before them, each with this probability.
    pub fn reorder(mut self, percent: f64) -> Self {
        self.reorder = percent;
        self
    }

    /// How much one reordering follows the one before.
    pub fn reorder_correlation(mut self, percent: f64) -> Self {
        self.reorder_correlation = percent;
        self
    }

    /// Only every so many-th frame may overtake.
    pub fn reorder_gap(mut self, frames: u32) -> Self {
        self.gap = Some(frames);
        self
    }

    /// Flips a bit somewhere in a frame, with this probability.
    pub fn corrupt(mut self, percent: f64) -> Self {
        self.corrupt = percent;
        self
    }

    /// How much one corruption follows the one before.
    pub fn corrupt_correlation(mut self, percent: f64) -> Self {
        self.corrupt_correlation = percent;
        self
    }

    /// How fast the path is.
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// How many frames may wait; those that come then are lost. 1000 unless set.
    pub fn limit(mut self, frames: u32) -> Self {
        self.limit = Some(frames);
        self
    }

    /// Opens the path only now and then.
    pub fn slot(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Makes chance repeatable (Linux 6.6).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The seed, if one is set.
    #[must_use]
    pub fn has_seed(&self) -> bool {
        self.seed.is_some()
    }

    /// Whether every frame that gets through shows that it was impaired: it is late.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        let waits = [self.delay, self.jitter].iter().any(|time| !time.is_zero());
        waits || self.rate.is_some() || self.slot.is_some()
    }

    /// Whether frames get through that are not what was sent, which a tap that keeps their heads
    /// cannot always tell.
    #[must_use]
    pub fn corrupts(&self) -> bool {
        self.corrupt > 0.0
    }

    /// Whether nothing gets through.
    #[must_use]
    pub fn loses_all(&self) -> bool {
        matches!(self.loss, Some(Loss::Random(percent)) if percent >= 100.0)
    }

    /// Whether frames get through more than once.
    #[must_use]
    pub fn copies(&self) -> bool {
        self.duplicate > 0.0
    }

    /// The longest that a frame is held back, as far as it is bounded; a rate's queue is not.
    #[must_use]
    pub fn longest_delay(&self) -> Duration {
        let slot = self.slot.map_or(Duration::ZERO, |slot| slot.longest());
        self.delay + self.jitter * self.distribution.farthest() + slot
    }

    fn percentages(&self) -> Vec<(&'static str, f64)> {
        let mut all = vec![
            ("delay correlation", self.delay_correlation),
            ("loss correlation", self.loss_correlation),
            ("duplicate", self.duplicate),
            ("duplicate correlation", self.duplicate_correlation),
            ("reorder", self.reorder),
            ("reorder correlation", self.reorder_correlation),
            ("corrupt", self.corrupt),
            ("corrupt correlation", self.corrupt_correlation),
        ];
        match self.loss {
            Some(Loss::Random(percent)) => all.push(("loss", percent)),
            Some(Loss::Bursts(model)) => all.extend([
                ("change to bad", model.to_bad),
                ("change to good", model.to_good),
                ("loss in bad", model.lost_in_bad),
                ("loss in good", model.lost_in_good),
            ]),
            Some(Loss::Both) | None => {}
        }
        all
    }
}

/// In words, as far as it is set: "delay 20ms, loss 5 %".
impl std::fmt::Display for Netem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words = Vec::new();
        if !self.delay.is_zero() {
            words.push(format!("delay {:?}", self.delay));
        }
        if !self.jitter.is_zero() {
            words.push(format!("jitter {:?} {}", self.jitter, self.distribution));
        }
        let shares = self.percentages().into_iter().filter(|(_, percent)| *percent != 0.0);
        words.extend(shares.map(|(name, percent)| format!("{name} {percent} %")));
        if let Some(rate) = self.rate {
            words.push(format!("rate {} B/s", rate.bytes));
        }
        if let Some(limit) = self.limit {
            words.push(format!("limit {limit}"));
        }
        if let Some(slot) = self.slot {
            words.push(slot.to_string());
        }
        f.write_str(&words.join(", "))
    }
}

const NETEM: &str = "netem";

impl Rtnl {
    /// Impairs what a port sends.
    ///
    /// # Errors
    /// The kernel has no netem, or the port sends through another qdisc already.
    pub async fn impair(&self, port: u32, netem: &Netem) -> Result {
        self.put_root(port, NETEM, &netem.encode(), NLM_F_CREATE | NLM_F_EXCL).await.map_err(
            |error| {
                error.advise(
                    "the kernel needs the module sch_netem (CONFIG_NET_SCH_NETEM), and the port \
                     no other root qdisc",
                )
            },
        )
    }

    /// Changes how a port is impaired; what is on its way stays on its way.
    ///
    /// # Errors
    /// It is not impaired.
    pub async fn impair_otherwise(&self, port: u32, netem: &Netem) -> Result {
        self.put_root(port, NETEM, &netem.encode(), 0).await
    }
}

#[cfg(test)]
mod tests;
