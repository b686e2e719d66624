//! What a case file says about its cases.
//!
//! A file tells one [`Rule`]: what its cases have in common is said once of the rule, what
//! differs of the single case.

use std::sync::Arc;
use std::time::Duration;

use super::case::{Body, Case};
use super::needs::Need;
use super::variants::Variants;
use crate::error::Result;
use crate::lab::HostKind;
use crate::scene::Scene;

/// What a scenario takes that does not say.
const SHORT: Duration = Duration::from_millis(500);

/// What a stock scenario takes that does not say: until stock `tcp_retries2` gives up (924.6 s).
const GIVEN_UP: Duration = Duration::from_secs(940);

/// What a guest kernel takes to boot, which the scenario waits for.
const BOOT: Duration = Duration::from_secs(2);

/// Where a case file registers its cases.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    file: &'static str,
    rules: Vec<Rule>,
}

impl Family {
    pub(super) fn new(name: &'static str, file: &'static str) -> Self {
        Self { name, file, rules: Vec::new() }
    }

    /// The rule that the following cases are about, by its rows of the catalogue, such as
    /// "GC-02".
    pub fn rule(&mut self, covers: impl IntoIterator<Item = &'static str>) -> &mut Rule {
        let common = About { covers: covers.into_iter().collect(), ..About::default() };
        self.begin(common)
    }

    /// A new case with nothing in common with others, named by a sentence in snake case. It
    /// exists once [`Registration::run`] or [`Registration::across`] gives it a body.
    pub fn case(&mut self, name: &'static str) -> Registration<'_> {
        self.begin(About::default()).case(name)
    }

    fn begin(&mut self, common: About) -> &mut Rule {
        let (family, file) = (self.name, self.file);
        let (cases, problems, open) = (Vec::new(), Vec::new(), Vec::new());
        self.rules.push(Rule { family, file, common, cases, problems, open });
        let last = self.rules.len() - 1;
        &mut self.rules[last]
    }

    /// The cases, and what is wrong with how they were registered.
    pub(super) fn into_parts(self) -> (Vec<Case>, Vec<String>) {
        let (mut cases, mut problems) = (Vec::new(), Vec::new());
        for rule in self.rules {
            if rule.cases.is_empty() && rule.problems.is_empty() && rule.open.is_empty() {
                problems.push(format!("rule {} has no case", rule.common.covers.join(", ")));
            }
            // A warning is overlooked; a registry that refuses to be built is not.
            let bare = |name| format!("case {name} was given no body (run or across)");
            problems.extend(rule.problems);
            problems.extend(rule.open.into_iter().map(bare));
            cases.extend(rule.cases);
        }
        (cases, problems)
    }
}

/// What is said about a case, of its own or of its rule.
#[derive(Debug, Clone)]
struct About {
    covers: Vec<&'static str>,
    claims: Vec<&'static str>,
    source: &'static str,
    needs: Vec<Need>,
    waits: Duration,
    quiet: bool,
    limit: Option<Duration>,
}

impl Default for About {
    fn default() -> Self {
        let (covers, claims, needs) = (Vec::new(), Vec::new(), Vec::new());
        Self { covers, claims, source: "", needs, waits: SHORT, quiet: false, limit: None }
    }
}

/// A rule, and what its cases have in common. What a case says itself takes the place of what is
/// said here, except that needs add up.
#[derive(Debug)]
pub struct Rule {
    family: &'static str,
    file: &'static str,
    common: About,
    cases: Vec<Case>,
    problems: Vec<String>,
    /// Cases that were begun and have no body yet.
    open: Vec<&'static str>,
}

impl Rule {
    /// The numbered claims that its cases decide, such as "B10".
    pub fn claims(&mut self, claims: impl IntoIterator<Item = &'static str>) -> &mut Self {
        self.common.claims = claims.into_iter().collect();
        self
    }

    /// Where the rule is written down: a kernel function, an RFC's section.
    pub fn source(&mut self, source: &'static str) -> &mut Self {
        self.common.source = source;
        self
    }

    /// What its cases need of the machine, beside namespaces.
    pub fn needs(&mut self, needs: impl IntoIterator<Item = Need>) -> &mut Self {
        self.common.needs.extend(needs);
        self
    }

    /// How long its cases take; see [`Registration::waits`]. It is not meant for
    /// [`Rule::stock`]'s.
    pub fn waits(&mut self, time: Duration) -> &mut Self {
        self.common.waits = time;
        self
    }

    /// A new case of it, named by a sentence in snake case. It exists once [`Registration::run`]
    /// or [`Registration::across`] gives it a body.
    pub fn case(&mut self, name: &'static str) -> Registration<'_> {
        let about = self.common.clone();
        self.begin(name, about)
    }

    /// A new case with stock values, which a virtual kernel's clock makes short: it needs
    /// [`Need::VirtualTime`], and takes a quarter of an hour (the end of stock `tcp_retries2`)
    /// unless it says what else it [`waits`](Registration::waits) for.
    pub fn stock(&mut self, name: &'static str) -> Registration<'_> {
        let about = self.common.clone();
        self.begin_stock(name, about)
    }

    fn begin_stock(&mut self, name: &'static str, mut about: About) -> Registration<'_> {
        about.needs.insert(0, Need::VirtualTime);
        about.waits = GIVEN_UP;
        self.begin(name, about)
    }

    fn begin(&mut self, name: &'static str, about: About) -> Registration<'_> {
        self.open.push(name);
        Registration { rule: self, name, title: None, about }
    }
}

/// A case being described.
#[derive(Debug)]
#[must_use = "a case without a body does not exist: end with `run` or `across`"]
pub struct Registration<'rule> {
    rule: &'rule mut Rule,
    name: &'static str,
    title: Option<String>,
    about: About,
}

impl<'rule> Registration<'rule> {
    /// The rows of the catalogue it covers, if not its rule's.
    pub fn covers(mut self, ids: impl IntoIterator<Item = &'static str>) -> Self {
        self.about.covers = ids.into_iter().collect();
        self
    }

    /// The numbered claims it decides, if not its rule's.
    pub fn claims(mut self, claims: impl IntoIterator<Item = &'static str>) -> Self {
        self.about.claims = claims.into_iter().collect();
        self
    }

    /// What it shows, in words; otherwise its name with spaces.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Where the expected behaviour is written down, if not where its rule is.
    pub fn source(mut self, source: &'static str) -> Self {
        self.about.source = source;
        self
    }

    /// What it needs of the machine, beside namespaces and what its rule needs.
    pub fn needs(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        self.about.needs.extend(needs);
        self
    }

    /// How long the scenario itself takes (500 ms if neither the case nor its rule says). Longer
    /// ones start earlier, and the time limit is 10 s and three times this, at most 60 s unless
    /// it needs [`Need::VirtualTime`].
    pub fn waits(mut self, time: Duration) -> Self {
        self.about.waits = time;
        self
    }

    /// The time limit, where the one that follows from [`Registration::waits`] will not do; at
    /// most 60 s, as there. The usual one leaves room for a slow machine: think twice.
    pub fn limit(mut self, time: Duration) -> Self {
        self.about.limit = Some(time);
        self
    }

    /// Runs with nothing else beside it.
    pub fn quiet(mut self) -> Self {
        self.about.quiet = true;
        self
    }

    /// Registers it with what it does.
    pub fn run<B, F>(mut self, body: B) -> Registered<'rule>
    where
        B: Fn(Scene) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        self.add("", self.about.clone(), Arc::new(move |scene| Box::pin(body(scene))));
        self.done()
    }

    /// Registers one case a variant, each named `name::variant`, all with this body.
    pub fn across<A, B, F>(mut self, variants: A, body: B) -> Registered<'rule>
    where
        A: Variants<Value: Copy + Send + Sync + 'static>,
        B: Fn(Scene, A::Value) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        let body = Arc::new(body);
        for (variant, value) in self.each(variants) {
            let body = Arc::clone(&body);
            let body: Body = Arc::new(move |scene| Box::pin(body(scene, value)));
            self.add(&variant, self.about.clone(), body);
        }
        self.done()
    }

    /// Registers one case for each kind of host that may play a part in it, `name::namespace` and
    /// `name::guest`, both with this body.
    pub fn on_both_kinds<B, F>(mut self, body: B) -> Registered<'rule>
    where
        B: Fn(Scene, HostKind) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        let body = Arc::new(body);
        for (name, kind) in HostKind::BOTH {
            let body = Arc::clone(&body);
            let body: Body = Arc::new(move |scene| Box::pin(body(scene, kind)));
            self.add(name, self.on(kind), body);
        }
        self.done()
    }

    /// As [`Registration::across`] and [`Registration::on_both_kinds`] at once:
    /// `name::variant::namespace` and `name::variant::guest` for each variant.
    pub fn across_on_both_kinds<A, B, F>(mut self, variants: A, body: B) -> Registered<'rule>
    where
        A: Variants<Value: Copy + Send + Sync + 'static>,
        B: Fn(Scene, HostKind, A::Value) -> F + Send + Sync + 'static,
        F: Future<Output = Result> + 'static,
    {
        let body = Arc::new(body);
        for (variant, value) in self.each(variants) {
            for (name, kind) in HostKind::BOTH {
                let body = Arc::clone(&body);
                let body: Body = Arc::new(move |scene| Box::pin(body(scene, kind, value)));
                self.add(&format!("{variant}::{name}"), self.on(kind), body);
            }
        }
        self.done()
    }

    fn each<A: Variants>(&mut self, variants: A) -> Vec<(String, A::Value)> {
        let (named, problem) = match variants.named() {
            Ok(named) if named.is_empty() => {
                (named, Some(format!("case {} is across no variant", self.name)))
            }
            Ok(named) => (named, None),
            Err(problem) => (Vec::new(), Some(format!("case {}: {problem}", self.name))),
        };
        self.rule.problems.extend(problem);
        named
    }

    /// What is said about it where a host of this kind plays a part.
    fn on(&self, kind: HostKind) -> About {
        let mut about = self.about.clone();
        if kind == HostKind::Guest {
            about.needs.push(Need::Guest);
            about.waits += BOOT;
        }
        about
    }

    fn add(&mut self, variant: &str, about: About, body: Body) {
        let About { covers, claims, source, needs, waits, quiet, limit } = about;
        let in_words = |name: &str| name.replace("::", ", ").replace('_', " ");
        let title = self.title.clone().unwrap_or_else(|| in_words(self.name));
        let (suffix, title) = match variant {
            "" => (String::new(), title),
            _ => (format!("::{variant}"), format!("{title} ({})", in_words(variant))),
        };
        let Rule { family, file, .. } = *self.rule;
        let name = format!("{family}::{}{suffix}", self.name);
        self.rule.cases.push(Case {
            name,
            family,
            file,
            title,
            covers,
            claims,
            source,
            needs,
            waits,
            quiet,
            own_limit: limit,
            body,
        });
    }

    fn done(self) -> Registered<'rule> {
        let Self { rule, name, about, .. } = self;
        rule.open.retain(|open| *open != name);
        Registered { rule, name, about }
    }
}

/// A case that is registered, and may have more variants or a twin.
#[derive(Debug)]
pub struct Registered<'rule> {
    rule: &'rule mut Rule,
    name: &'static str,
    about: About,
}

impl<'rule> Registered<'rule> {
    /// More variants of it, which need something else, or are told by another body. It begins
    /// again with what its rule says.
    pub fn more(self) -> Registration<'rule> {
        self.rule.case(self.name)
    }

    /// Its twin with stock values: a case of another name and body about which the same is said,
    /// except that it is a [`Rule::stock`] one.
    pub fn stock(self, name: &'static str) -> Registration<'rule> {
        self.rule.begin_stock(name, self.about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Ip;

    fn family() -> Family {
        Family::new("half_close", "half_close/a.rs")
    }

    async fn nothing(_: Scene) -> Result {
        Ok(())
    }

    async fn nothing_across<V>(_: Scene, _: V) -> Result {
        Ok(())
    }

    #[test]
    fn the_limit_follows_from_the_wait_and_ends_at_a_minute() {
        let mut family = family();
        family.case("short").run(nothing);
        family.case("long").waits(Duration::from_secs(15)).run(nothing);
        family.case("endless").waits(Duration::MAX).run(nothing);
        family.case("own").limit(Duration::from_secs(2)).run(nothing);
        family.case("too_much").limit(Duration::MAX).run(nothing);
        family.rule([]).stock("stock").waits(Duration::from_secs(7_925)).run(nothing);
        let (cases, _) = family.into_parts();
        let limits: Vec<_> = cases.iter().map(|case| case.limit().as_millis()).collect();
        assert_eq!(limits, [11_500, 55_000, 60_000, 2_000, 60_000, 23_785_000]);
        let unmet = cases[5].obstacle().expect("time here is real");
        assert_eq!(unmet.reason, "it takes 2h12m05s of real time");
    }

    #[test]
    fn variants_get_names_and_titles_of_their_own() {
        let mut family = family();
        family.case("peer_may_still_write").across(Ip::BOTH, nothing_across);
        let (cases, _) = family.into_parts();
        let named: Vec<_> =
            cases.iter().map(|case| (case.name.as_str(), case.title.as_str())).collect();
        assert_eq!(
            named,
            [
                ("half_close::peer_may_still_write::ipv4", "peer may still write (ipv4)"),
                ("half_close::peer_may_still_write::ipv6", "peer may still write (ipv6)"),
            ]
        );
    }

    #[test]
    fn a_case_says_what_differs_from_its_rule() {
        let mut family = family();
        let rule = family.rule(["HC-01"]).claims(["B1"]).source("RFC").needs([Need::Nft]);
        rule.case("like_its_rule").run(nothing);
        rule.case("unlike_it").covers(["HC-02"]).claims([]).source("tcp.c").run(nothing);
        rule.case("with_more_needs").needs([Need::Netem]).run(nothing);
        family.rule(["HC-03"]).case("of_the_next").run(nothing);
        let (cases, problems) = family.into_parts();
        assert_eq!(problems, [""; 0]);
        let said = |case: &Case| (case.covers[0], case.claims.len(), case.source);
        let all: Vec<_> = cases.iter().map(said).collect();
        assert_eq!(
            all,
            [("HC-01", 1, "RFC"), ("HC-02", 0, "tcp.c"), ("HC-01", 1, "RFC"), ("HC-03", 0, "")]
        );
        assert_eq!(cases[0].needs, [Need::Nft]);
        assert_eq!(cases[2].needs, [Need::Nft, Need::Netem]);
    }

    #[test]
    fn a_stock_twin_is_told_the_same_but_for_its_time() {
        let mut family = family();
        let rule = family.rule(["HC-01"]);
        rule.case("fast")
            .source("tcp.c")
            .needs([Need::Nft])
            .waits(Duration::from_secs(4))
            .run(nothing)
            .stock("slow")
            .across(Ip::BOTH, nothing_across);
        let (cases, _) = family.into_parts();
        let slow = &cases[2];
        assert_eq!(slow.name, "half_close::slow::ipv6");
        assert_eq!((slow.covers[0], slow.source), ("HC-01", "tcp.c"));
        assert_eq!(slow.needs, [Need::VirtualTime, Need::Nft]);
        assert_eq!(slow.waits, Duration::from_secs(940));
        assert_eq!(cases[0].waits, Duration::from_secs(4));
    }

    #[test]
    fn more_variants_of_a_case_begin_with_what_its_rule_says() {
        let mut family = family();
        let rule = family.rule(["HC-01"]);
        rule.case("either").needs([Need::Nft]).across(Ip::BOTH, nothing_across).more().run(nothing);
        let (cases, problems) = family.into_parts();
        assert_eq!(problems, [""; 0]);
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        let either = "half_close::either";
        assert_eq!(names, [&format!("{either}::ipv4"), &format!("{either}::ipv6"), either]);
        assert_eq!((cases[0].needs.len(), cases[2].needs.len()), (1, 0));
    }

    #[test]
    fn what_is_registered_wrongly_is_said() {
        let mut family = family();
        family.rule(["HC-01"]);
        drop(family.case("forgotten"));
        family.case("mistaken").across(Ip::BOTH.but(["ipv5"]), nothing_across);
        let (_, problems) = family.into_parts();
        assert_eq!(
            problems,
            [
                "rule HC-01 has no case",
                "case forgotten was given no body (run or across)",
                "case mistaken: there is no variant ipv5 to leave out",
            ]
        );
    }
}
