//! What a case file says about its cases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use super::elsewhere;
use super::needs::{Need, Unmet};
use super::span::span;
use crate::error::Result;
use crate::lab::HostKind;
use crate::scene::Scene;
use crate::virt;

/// No case may hold up a run for longer, whatever it waits for; in virtual time none does.
const LONGEST: Duration = Duration::from_secs(60);

/// Set-up, tear-down and a slow machine, on top of what the scenario itself takes.
const MARGIN: Duration = Duration::from_secs(10);

/// What a guest kernel takes to boot, which the scenario waits for.
const BOOT: Duration = Duration::from_secs(2);

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
    own_limit: Option<Duration>,
    body: Body,
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

/// Where a case file registers its cases.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    file: &'static str,
    cases: Vec<Case>,
    problems: Vec<String>,
}

impl Family {
    pub(super) fn new(name: &'static str, file: &'static str) -> Self {
        Self { name, file, cases: Vec::new(), problems: Vec::new() }
    }

    /// A new case, named by a sentence in snake case. It exists once [`Registration::run`] or
    /// [`Registration::across`] gives it a body.
    pub fn case(&mut self, name: &'static str) -> Registration<'_> {
        Registration {
            name,
            title: None,
            covers: Vec::new(),
            claims: Vec::new(),
            source: "",
            needs: Vec::new(),
            waits: Duration::from_millis(500),
            quiet: false,
            own_limit: None,
            finished: false,
            family: self,
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Case>, Vec<String>) {
        (self.cases, self.problems)
    }
}

/// A case being described.
#[derive(Debug)]
#[must_use = "a case without a body does not exist: end with `run` or `across`"]
pub struct Registration<'family> {
    family: &'family mut Family,
    name: &'static str,
    title: Option<String>,
    covers: Vec<&'static str>,
    claims: Vec<&'static str>,
    source: &'static str,
    needs: Vec<Need>,
    waits: Duration,
    quiet: bool,
    own_limit: Option<Duration>,
    finished: bool,
}

impl Registration<'_> {
    /// The rows of the catalogue it covers, such as "GC-02".
    pub fn covers(mut self, ids: impl IntoIterator<Item = &'static str>) -> Self {
        self.covers.extend(ids);
        self
    }

    /// The numbered claims it decides, such as "B10".
    pub fn claims(mut self, claims: impl IntoIterator<Item = &'static str>) -> Self {
        self.claims.extend(claims);
        self
    }

    /// What it shows, in words; otherwise its name with spaces.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Where the expected behaviour is written down: a kernel function, an RFC's section.
    pub fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// What it needs of the machine, beside namespaces.
    pub fn needs(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// How long the scenario itself takes (500 ms if not said). Longer ones start earlier, and
    /// the time limit is 10 s and three times this, at most 60 s unless it needs
    /// [`Need::VirtualTime`].
    pub fn waits(mut self, time: Duration) -> Self {
        self.waits = time;
        self
    }

    /// The time limit, where the one that follows from [`Registration::waits`] will not do; at
    /// most 60 s, as there. The usual one leaves room for a slow machine: think twice.
    pub fn limit(mut self, time: Duration) -> Self {
        self.own_limit = Some(time);
        self
    }

    /// Runs with nothing else beside it.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Registers it with what it does.
    pub fn run<B, F>(mut self, body: B)
    where
        B: Fn(Scene) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        self.register(None, Arc::new(move |scene| Box::pin(body(scene))));
    }

    /// Registers one case a variant, each named `name::variant`, all with this body.
    pub fn across<V, B, F>(mut self, variants: impl IntoIterator<Item = (&'static str, V)>, body: B)
    where
        V: Copy + Send + Sync + 'static,
        B: Fn(Scene, V) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        let body = Arc::new(body);
        for (variant, value) in variants {
            let body = Arc::clone(&body);
            self.register(Some(variant), Arc::new(move |scene| Box::pin(body(scene, value))));
        }
        if !self.finished {
            self.finished = true;
            self.family.problems.push(format!("case {} is across no variant", self.name));
        }
    }

    /// Registers one case for each kind of host that may play a part in it, `name::namespace` and
    /// `name::guest`, both with this body.
    pub fn on_both_kinds<B, F>(mut self, body: B)
    where
        B: Fn(Scene, HostKind) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        let body = Arc::new(body);
        for (name, kind) in HostKind::BOTH {
            let body = Arc::clone(&body);
            let body: Body = Arc::new(move |scene| Box::pin(body(scene, kind)));
            self.register_on(kind, name.to_owned(), body);
        }
    }

    /// As [`Registration::across`] and [`Registration::on_both_kinds`] at once:
    /// `name::variant::namespace` and `name::variant::guest` for each variant.
    pub fn across_on_both_kinds<V, B, F>(
        mut self,
        variants: impl IntoIterator<Item = (&'static str, V)>,
        body: B,
    ) where
        V: Copy + Send + Sync + 'static,
        B: Fn(Scene, HostKind, V) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        let body = Arc::new(body);
        for (variant, value) in variants {
            for (name, kind) in HostKind::BOTH {
                let body = Arc::clone(&body);
                let body: Body = Arc::new(move |scene| Box::pin(body(scene, kind, value)));
                self.register_on(kind, format!("{variant}::{name}"), body);
            }
        }
    }

    fn register_on(&mut self, kind: HostKind, variant: String, body: Body) {
        let (needs, waits) = (self.needs.clone(), self.waits);
        if kind == HostKind::Guest {
            self.needs.push(Need::Guest);
            self.waits += BOOT;
        }
        self.register(Some(&variant), body);
        (self.needs, self.waits) = (needs, waits);
    }

    fn register(&mut self, variant: Option<&str>, body: Body) {
        self.finished = true;
        let suffix = variant.map(|variant| format!("::{variant}")).unwrap_or_default();
        let in_words = |name: &str| name.replace("::", ", ").replace('_', " ");
        let title = self.title.clone().unwrap_or_else(|| in_words(self.name));
        self.family.cases.push(Case {
            name: format!("{}::{}{suffix}", self.family.name, self.name),
            family: self.family.name,
            file: self.family.file,
            title: match variant {
                Some(variant) => format!("{title} ({})", in_words(variant)),
                None => title,
            },
            covers: self.covers.clone(),
            claims: self.claims.clone(),
            source: self.source,
            needs: self.needs.clone(),
            waits: self.waits,
            quiet: self.quiet,
            own_limit: self.own_limit,
            body,
        });
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        // A warning is overlooked; a registry that refuses to be built is not.
        if !self.finished {
            let problem = format!("case {} was given no body (run or across)", self.name);
            self.family.problems.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_from_the_wait_and_ends_at_a_minute() {
        let mut family = Family::new("f", "f/a.rs");
        let nothing = |_: Scene| async { Ok(()) };
        family.case("short").run(nothing);
        family.case("long").waits(Duration::from_secs(15)).run(nothing);
        family.case("endless").waits(Duration::MAX).run(nothing);
        family.case("own").limit(Duration::from_secs(2)).run(nothing);
        family.case("too_much").limit(Duration::MAX).run(nothing);
        family
            .case("stock")
            .needs([Need::VirtualTime])
            .waits(Duration::from_secs(7_925))
            .run(nothing);
        let limits: Vec<_> = family.cases.iter().map(|case| case.limit().as_millis()).collect();
        assert_eq!(limits, [11_500, 55_000, 60_000, 2_000, 60_000, 23_785_000]);
        let unmet = family.cases[5].obstacle().expect("time here is real");
        assert_eq!(unmet.reason, "it takes 2h12m05s of real time");
    }

    #[test]
    fn variants_get_names_and_titles_of_their_own() {
        let mut family = Family::new("half_close", "half_close/a.rs");
        family
            .case("peer_may_still_write")
            .across([("ipv4", 4), ("ipv6", 6)], |_, _| async { Ok(()) });
        let named: Vec<_> =
            family.cases.iter().map(|case| (case.name.as_str(), case.title.as_str())).collect();
        assert_eq!(
            named,
            [
                ("half_close::peer_may_still_write::ipv4", "peer may still write (ipv4)"),
                ("half_close::peer_may_still_write::ipv6", "peer may still write (ipv6)"),
            ]
        );
    }
}
