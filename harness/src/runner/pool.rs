//! Many cases side by side, told as they come in. (`cargo test` runs them through
//! [`super::libtest`] instead.)

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::batch::News;
use super::case::Case;
use super::events::{CaseOutcome, Event, Finished, Place, Reporter};
use super::guests::Guests;
use super::jobs;
use super::kernels::{Choice, Target};
use super::launch::Launcher;
use super::needs::Unmet;
use super::places::Places;
use super::registry::Registry;
use crate::virt::Kernel;

/// Between two chances to redraw.
const TICK: Duration = Duration::from_millis(100);

/// What came out of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cases whose every expectation was met.
    pub passed: usize,
    /// Cases that failed.
    pub failed: usize,
    /// Cases that could not run, or not be judged, on this machine.
    pub ignored: usize,
    /// Reports that could not be written, and why.
    pub trouble: Vec<String>,
}

/// The order in which cases start: the longest waits first, so that none begins when all else is
/// done; those that must run alone at the end, where they wait for the fewest.
#[must_use]
pub fn in_order<'r>(cases: &[&'r Case]) -> Vec<&'r Case> {
    let mut ordered = cases.to_vec();
    ordered.sort_by_key(|case| (case.quiet, std::cmp::Reverse(case.waits)));
    ordered
}

/// What cases are run with: this machine's own kernel, and virtual ones.
#[derive(Debug)]
pub struct Means {
    choice: Choice,
    /// For this machine's kernel, where it is allowed and can run anything.
    host: Option<Launcher>,
    guests: Guests,
}

impl Means {
    /// The kernels of this choice, for cases of this registry; evidence is kept in `places` of
    /// cases that do not pass, or with `keep` of all.
    ///
    /// # Errors
    /// None of the kernels can be had: why, and what to do.
    pub fn new(
        registry: &Registry,
        choice: Choice,
        places: Places,
        keep: bool,
    ) -> Result<Self, Unmet> {
        choice.possible()?;
        let host = match choice.host() {
            true => Some(Launcher::new(places.clone(), keep)?),
            false => None,
        };
        Ok(Self { choice, host, guests: Guests::new(registry, places, keep) })
    }

    /// The first kernel that can run this case, as far as is known before a guest is up.
    ///
    /// # Errors
    /// None can: why, and what to do.
    pub fn target(&self, case: &Case) -> Result<Target, Unmet> {
        self.choice.target(case)
    }

    /// Runs one case on this machine's kernel, on the calling thread, and says when it begins.
    ///
    /// # Panics
    /// No seat of this choice is on this machine's kernel.
    pub fn on_host(&self, case: &Case, started: impl FnOnce()) -> Finished {
        self.host.as_ref().expect("a seat on the host").run(case, started)
    }

    /// Runs cases on their virtual kernels, at most `jobs` at a time on each, and tells what
    /// becomes of each. Comes back when all have come to their ends.
    pub fn on_virtual<'c>(
        &self,
        seated: &[(Arc<Kernel>, Vec<&'c Case>)],
        jobs: usize,
        tell: &(dyn Fn(&'c Case, News) + Sync),
    ) {
        std::thread::scope(|scope| {
            for (kernel, cases) in seated {
                scope.spawn(move || self.guests.run(kernel, cases, jobs, tell));
            }
        });
    }
}

/// Runs the cases, each on its kernel, so many side by side, and tells every reporter.
pub fn run(
    cases: &[&Case],
    means: &Means,
    jobs: usize,
    reporters: &mut [&mut dyn Reporter],
) -> Summary {
    let began = Instant::now();
    let mut telling = Telling { reporters, summary: Summary::default() };
    telling.tell(&Event::RunStarted { cases: cases.len(), jobs });
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for case in in_order(cases) {
        match means.target(case) {
            Err(unmet) => telling.obstacle(case, &unmet),
            Ok(Target::Host) => here.push(case),
            Ok(Target::Virtual(kernel)) => add(&mut elsewhere, kernel, case),
        }
    }
    jobs::make_room(jobs);
    let (news, incoming) = channel::<(&Case, News)>();
    std::thread::scope(|scope| {
        let (tell, tell_too) = (teller(&news), teller(&news));
        drop(news);
        // Each thread holds its teller, and lets go of it in the end, though it has no case.
        scope.spawn(move || {
            side_by_side(&here, jobs, |_, case| {
                let finished = means.on_host(case, || tell(case, News::Started));
                tell(case, News::Finished(finished));
            });
        });
        scope.spawn(move || means.on_virtual(&elsewhere, jobs, &tell_too));
        loop {
            match incoming.recv_timeout(TICK) {
                Ok((case, News::Started)) => telling.tell(&Event::CaseStarted { case }),
                Ok((case, News::Finished(finished))) => telling.finished(case, &finished),
                Ok((case, News::Ignored(unmet))) => telling.obstacle(case, &unmet),
                Err(RecvTimeoutError::Timeout) => telling.tell(&Event::Tick),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    telling.tell(&Event::RunFinished { elapsed: began.elapsed() });
    telling.summary
}

fn teller<'c>(news: &Sender<(&'c Case, News)>) -> impl Fn(&'c Case, News) + Sync + use<'c> {
    let news = news.clone();
    // The receiver lives until the last sender is gone.
    move |case, what| news.send((case, what)).expect("it listens")
}

/// Puts a case beside the others on its kernel.
pub(super) fn add<C>(seated: &mut Vec<(Arc<Kernel>, Vec<C>)>, kernel: Arc<Kernel>, case: C) {
    match seated.iter_mut().find(|(known, _)| *known == kernel) {
        Some((_, cases)) => cases.push(case),
        None => seated.push((kernel, vec![case])),
    }
}

/// Does something with each case, in this order, so many at a time; comes back when all is done.
pub(super) fn side_by_side<'c>(
    cases: &[&'c Case],
    jobs: usize,
    work: impl Fn(usize, &'c Case) + Sync,
) {
    let queue = Mutex::new(cases.iter().enumerate());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("taking the next cannot panic").next();
                    let Some((index, case)) = next else { return };
                    work(index, case);
                }
            });
        }
    });
}

struct Telling<'t, 'r> {
    reporters: &'t mut [&'r mut dyn Reporter],
    summary: Summary,
}

impl Telling<'_, '_> {
    fn tell(&mut self, event: &Event<'_>) {
        for reporter in &mut *self.reporters {
            if let Err(error) = reporter.event(event) {
                self.summary.trouble.push(error.to_string());
            }
        }
    }

    fn finished(&mut self, case: &Case, finished: &Finished) {
        match &finished.outcome {
            CaseOutcome::Passed => self.summary.passed += 1,
            CaseOutcome::TooSlow(_) if !jobs::skips_denied() => self.summary.ignored += 1,
            CaseOutcome::TooSlow(_) | CaseOutcome::Failed(_) => self.summary.failed += 1,
        }
        self.tell(&Event::CaseFinished { case, finished });
    }

    fn obstacle(&mut self, case: &Case, unmet: &Unmet) {
        if jobs::skip_denied(unmet) {
            let message = format!("cannot run here, and skips are denied: {unmet}");
            let outcome = CaseOutcome::Failed(message);
            self.finished(case, &Finished::bare(outcome, Place::Host, Duration::ZERO));
        } else {
            self.summary.ignored += 1;
            self.tell(&Event::CaseIgnored { case, unmet });
        }
    }
}
