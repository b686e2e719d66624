//! Keeps the record of runs: how every case comes out, and how long it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::events::{Counts, Event, Finished, Reporter};
use super::places::Places;
use super::record::{Last, Record, Verdict};
use super::registry::Registry;
use crate::error::Result;

/// So often a run that has met failures records them, for one that will be interrupted.
const BETWEEN: Duration = Duration::from_secs(1);

/// Takes down a run, and records it when it ends. A record that cannot be written changes nothing
/// else.
#[derive(Debug)]
pub struct History<'r> {
    places: Places,
    families: BTreeSet<&'r str>,
    names: BTreeSet<&'r str>,
    began: BTreeMap<String, Instant>,
    news: Record,
    /// Whether a failure is not yet recorded.
    urgent: bool,
    saved: Instant,
    trouble: Option<String>,
}

impl<'r> History<'r> {
    /// Of runs of this registry's cases.
    #[must_use]
    pub fn new(registry: &'r Registry, places: Places) -> Self {
        Self {
            places,
            families: registry.cases().iter().map(|case| case.family).collect(),
            names: registry.cases().iter().map(|case| case.name.as_str()).collect(),
            began: BTreeMap::new(),
            news: Record::default(),
            urgent: false,
            saved: Instant::now(),
            trouble: None,
        }
    }

    /// Why the run is not recorded, if it is not.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn finished(&mut self, name: &str, finished: &Finished) {
        let took = self.began.remove(name).map_or(finished.elapsed, |began| began.elapsed());
        let verdict = match finished.counts {
            Counts::Passed => Verdict::Passed,
            Counts::Failed => Verdict::Failed,
            // Not judged: what is known of it stays true.
            Counts::Ignored => return,
        };
        self.urgent |= verdict == Verdict::Failed;
        self.news.note(name, Last::new(verdict, took, finished.place.release()));
    }

    fn save(&mut self) {
        (self.urgent, self.saved) = (false, Instant::now());
        // Other programs with families of their own are built into the same directory; what of our
        // own has another name now is forgotten.
        let wanted = |name: &str| {
            let family = name.split("::").next().unwrap_or_default();
            self.names.contains(name) || !self.families.contains(family)
        };
        let added = Record::add_to(&self.places, self.news.clone(), wanted);
        self.trouble = added.err().map(|error| error.to_string());
    }
}

impl Reporter for History<'_> {
    fn event(&mut self, event: &Event<'_>) -> Result {
        match event {
            Event::CaseStarted { case } => {
                self.began.insert(case.name.clone(), Instant::now());
            }
            Event::CaseFinished { case, finished } => self.finished(&case.name, finished),
            Event::Tick if self.urgent && self.saved.elapsed() > BETWEEN => self.save(),
            // What came to no verdict is no news.
            Event::RunFinished { .. } if self.news != Record::default() => self.save(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::events::{CaseOutcome, Place};
    use crate::runner::registry::FamilySource;

    fn registry() -> Registry {
        let cases = |family: &mut crate::runner::registration::Family| {
            family.case("fin").run(|_| async { Ok(()) });
            family.case("rst").run(|_| async { Ok(()) });
        };
        Registry::build(&[FamilySource { family: "close", file: "close/a.rs", cases }]).unwrap()
    }

    #[test]
    fn what_was_judged_is_recorded_and_what_has_gone_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        let mut before = Record::default();
        for name in ["close::fin", "close::rst", "close::renamed", "other::case"] {
            before.note(name, Last::new(Verdict::Failed, Duration::from_secs(9), None));
        }
        Record::add_to(&places, before, |_| true).unwrap();

        let registry = registry();
        let [fin, rst] = registry.cases() else { panic!("two cases") };
        let mut history = History::new(&registry, places.clone());
        let place = Place::Virtual { release: "6.1.0-56".into() };
        let hours = Duration::from_secs(7_200);
        let passed = Finished::bare(CaseOutcome::Passed, place, hours);
        let slow = Finished::bare(CaseOutcome::TooSlow("it stalled".into()), Place::Host, hours);
        for event in [
            Event::CaseStarted { case: fin },
            Event::CaseFinished { case: fin, finished: &passed },
            Event::CaseFinished { case: rst, finished: &slow },
            Event::RunFinished { elapsed: hours },
        ] {
            history.event(&event).unwrap();
        }
        assert_eq!(history.trouble(), None);
        let record = Record::of(&places).unwrap().unwrap();
        // Hours by its own clock, and next to nothing by ours.
        let last = record.get("close::fin").unwrap();
        assert!(last.verdict == Verdict::Passed && last.millis < 60_000, "{last:?}");
        assert_eq!(last.release(), Some("6.1.0-56"));
        assert!(record.failed("close::rst") && record.failed("other::case"));
        assert_eq!(record.get("close::renamed"), None);
    }

    #[test]
    fn a_failure_is_recorded_before_the_run_ends() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        let registry = registry();
        let case = &registry.cases()[0];
        let mut history = History::new(&registry, places.clone());
        let failed =
            Finished::bare(CaseOutcome::Failed("no FIN".into()), Place::Host, Duration::ZERO);
        history.event(&Event::CaseFinished { case, finished: &failed }).unwrap();
        history.saved = Instant::now().checked_sub(2 * BETWEEN).unwrap();
        history.event(&Event::Tick).unwrap();
        assert!(Record::of(&places).unwrap().unwrap().failed("close::fin"));
    }
}
