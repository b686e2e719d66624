//! One scenario, as the runner knows it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use super::elsewhere;
use super::needs::{Need, Unmet};
use super::span::span;
use crate::error::Result;
use crate::scene::Scene;
use crate::virt;

/// No case may hold up a run for longer, whatever it waits for; in virtual time none does.
const LONGEST: Duration = Duration::from_secs(60);

/// Set-up, tear-down and a slow machine, on top of what the scenario itself takes.
const MARGIN: Duration = Duration::from_secs(10);

/// What a case does, given its lab's beginnings.
pub type Body = Arc<dyn Fn(Scene) -> LocalBoxFuture<'static, Result> + Send + Sync>;

/// One scenario, as the runner knows it: everything but what it does.
#[derive(Clone)]
pub struct Case {
    /// Its test name: `family::sentence`, or `family::sentence::variant`.
    pub name: String,
    /// Its family: the folder its file is in.
    pub family: &'static str,
    /// Its file, relative to the case crate.
    pub file: &'static str,
    /// What it shows, in words.
    pub title: String,
    /// The catalogue rows it covers.
    pub covers: Vec<&'static str>,
    /// The numbered claims it decides.
    pub claims: Vec<&'static str>,
    /// Where the expected behaviour is written down.
    pub source: &'static str,
    /// What it needs of the machine.
    pub needs: Vec<Need>,
    /// How long the scenario itself takes.
    pub waits: Duration,
    /// Whether nothing else may run beside it.
    pub quiet: bool,
    pub(super) own_limit: Option<Duration>,
    pub(super) body: Body,
}

impl Case {
    /// After how long the runner gives up on it.
    #[must_use]
    pub fn limit(&self) -> Duration {
        let derived = self.waits.saturating_mul(3).saturating_add(MARGIN);
        let limit = self.own_limit.unwrap_or(derived);
        if self.needs.contains(&Need::VirtualTime) { limit } else { limit.min(LONGEST) }
    }

    /// What it does.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Why it cannot run on this machine's kernel: the first of its needs that is not met.
    #[must_use]
    pub fn obstacle(&self) -> Option<Unmet> {
        let unmet = |need: &Need| match (need, need.check()) {
            (Need::VirtualTime, Err(unmet)) => Some(Unmet {
                reason: format!("it takes {} of real time", span(self.waits)),
                ..unmet
            }),
            (_, answer) => answer.err(),
        };
        self.needs.iter().find_map(unmet)
    }

    /// Why it cannot run on a virtual kernel, as far as that is known before it is up: on
    /// this one, or on any at all.
    #[must_use]
    pub fn obstacle_on(&self, kernel: Option<&virt::Kernel>) -> Option<Unmet> {
        self.needs.iter().find_map(|need| elsewhere::check(*need, kernel).err())
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("file", &self.file).finish()
    }
}
