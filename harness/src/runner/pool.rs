//! Many cases side by side: the one loop that runs them, whoever is told.
//!
//! It goes round until nothing is left to do. A case comes back for another round when its kernel
//! lacks what it has used and another may have it, and, once, when the machine was too slow to
//! judge it; the others have finished by then.

use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::batch::Progress;
use super::case::Case;
use super::events::{CaseOutcome, Counts, Event, Finished, Place, Repeat, Reporter};
use super::jobs;
use super::kernels::{Choice, Target};
use super::launch::Launcher;
use super::needs::Unmet;
use super::places::Places;
use super::policy::Policy;
use super::registry::Registry;
use super::virtual_kernels::VirtualKernels;
use crate::stall;
use crate::virt::Kernel;

/// Between two chances to redraw.
const TICK: Duration = Duration::from_millis(100);

/// What came out of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cases whose every expectation was met.
    pub passed: usize,
    /// Cases that failed, or that count as failed.
    pub failed: usize,
    /// Cases that could not run, or not be judged, on this machine.
    pub ignored: usize,
    /// Those of the failed or ignored that the machine was twice too slow to judge.
    pub inconclusive: usize,
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
    virtual_kernels: VirtualKernels,
    policy: Policy,
}

impl Means {
    /// The kernels of this choice, for cases of this registry; evidence is kept in `places` of
    /// cases that do not pass, or with `keep` of all. What counts as what, `policy` says.
    ///
    /// # Errors
    /// None of the kernels can be had: why, and what to do.
    pub fn new(
        registry: &Registry,
        choice: Choice,
        policy: Policy,
        places: Places,
        keep: bool,
    ) -> Result<Self, Unmet> {
        choice.possible()?;
        let host = match choice.host() {
            true => Some(Launcher::new(places.clone(), keep)?),
            false => None,
        };
        let virtual_kernels = VirtualKernels::new(registry, places, keep);
        Ok(Self { choice, host, virtual_kernels, policy })
    }

    /// The first kernel that can run this case, as far as is known before it is up.
    ///
    /// # Errors
    /// None can: why, and what to do.
    pub fn target(&self, case: &Case) -> Result<Target, Unmet> {
        self.choice.target(case)
    }

    /// Runs one case on this machine's kernel, on the calling thread, and says when it begins.
    ///
    /// # Errors
    /// This kernel lacks what the case has used.
    ///
    /// # Panics
    /// No target of this choice is this machine's kernel.
    pub fn on_host(&self, case: &Case, started: impl FnOnce()) -> Result<Finished, Unmet> {
        self.host.as_ref().expect("the host is a target").run(case, started)
    }

    /// Runs cases on their virtual kernels, at most `jobs` at a time on each, and tells what
    /// becomes of each. Comes back when all have come to their ends.
    fn on_virtual<'c>(
        &self,
        cases: &[(Arc<Kernel>, Vec<&'c Case>)],
        jobs: usize,
        tell: &(dyn Fn(&Arc<Kernel>, &'c Case, Progress) + Sync),
    ) {
        std::thread::scope(|scope| {
            for (kernel, cases) in cases {
                let tell = move |case, progress| tell(kernel, case, progress);
                scope.spawn(move || self.virtual_kernels.run(kernel, cases, jobs, &tell));
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
    let (summary, repeated) = (Summary::default(), BTreeSet::new());
    let mut run = Run { means, reporters, summary, repeated, next: Round::default() };
    run.tell(&Event::RunStarted { cases: cases.len(), jobs });
    for case in in_order(cases) {
        match means.target(case) {
            Err(unmet) => run.ignored(case, &unmet),
            Ok(target) => run.next.add(case, target),
        }
    }
    jobs::make_room(jobs);
    while !run.next.is_empty() {
        let round = std::mem::take(&mut run.next);
        run.round(&round, jobs);
    }
    run.tell(&Event::RunFinished { elapsed: began.elapsed() });
    run.summary
}

/// What is run next, and where.
#[derive(Default)]
struct Round<'c> {
    here: Vec<&'c Case>,
    elsewhere: Vec<(Arc<Kernel>, Vec<&'c Case>)>,
}

impl<'c> Round<'c> {
    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.elsewhere.is_empty()
    }

    fn add(&mut self, case: &'c Case, target: Target) {
        let Target::Virtual(kernel) = target else { return self.here.push(case) };
        match self.elsewhere.iter_mut().find(|(known, _)| *known == kernel) {
            Some((_, cases)) => cases.push(case),
            None => self.elsewhere.push((kernel, vec![case])),
        }
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

/// A run: who is told of it, and what came out so far.
struct Run<'r, 'd, 'c> {
    means: &'r Means,
    reporters: &'r mut [&'d mut dyn Reporter],
    summary: Summary,
    /// By name, the cases that the machine was too slow to judge once.
    repeated: BTreeSet<&'c str>,
    next: Round<'c>,
}

type News<'c> = (&'c Case, Target, Progress);

impl<'c> Run<'_, '_, 'c> {
    fn round(&mut self, round: &Round<'c>, jobs: usize) {
        let means = self.means;
        let (news, incoming) = channel::<News<'c>>();
        std::thread::scope(|scope| {
            let (tell, tell_too) = (teller(&news), teller(&news));
            drop(news);
            // Each thread holds its teller, and lets go of it in the end, though it has no case.
            scope.spawn(move || {
                side_by_side(&round.here, jobs, |_, case| {
                    let ended = means.on_host(case, || tell(case, Target::Host, Progress::Started));
                    let progress = ended.map_or_else(Progress::Unmet, Progress::Finished);
                    tell(case, Target::Host, progress);
                });
            });
            scope.spawn(move || {
                means.on_virtual(&round.elsewhere, jobs, &|kernel, case, progress| {
                    tell_too(case, Target::Virtual(kernel.clone()), progress);
                });
            });
            loop {
                let began = Instant::now();
                match incoming.recv_timeout(TICK) {
                    Ok((case, target, progress)) => self.hear(case, target, progress),
                    Err(RecvTimeoutError::Timeout) => {
                        stall::late_by(began.elapsed().saturating_sub(TICK));
                        self.tell(&Event::Tick);
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
    }

    fn hear(&mut self, case: &'c Case, target: Target, progress: Progress) {
        match progress {
            Progress::Started => self.tell(&Event::CaseStarted { case }),
            Progress::Finished(finished) => match &finished.outcome {
                CaseOutcome::TooSlow(why) if self.repeated.insert(&case.name) => {
                    self.tell(&Event::CaseRepeated { case, why: &Repeat::TooSlow(why.clone()) });
                    forget(&finished);
                    self.next.add(case, target);
                }
                _ => self.finished(case, finished),
            },
            Progress::Unmet(unmet) => match self.means.choice.next(case, &target, &unmet) {
                Ok(next) => {
                    self.tell(&Event::CaseRepeated { case, why: &Repeat::Unmet(unmet) });
                    self.next.add(case, next);
                }
                Err(unmet) => self.ignored(case, &unmet),
            },
        }
    }

    fn tell(&mut self, event: &Event<'_>) {
        for reporter in &mut *self.reporters {
            if let Err(error) = reporter.event(event) {
                self.summary.trouble.push(error.to_string());
            }
        }
    }

    fn finished(&mut self, case: &Case, mut finished: Finished) {
        finished.counts = self.means.policy.counts(&finished.outcome);
        match finished.counts {
            Counts::Passed => self.summary.passed += 1,
            Counts::Failed => self.summary.failed += 1,
            Counts::Ignored => self.summary.ignored += 1,
        }
        if matches!(finished.outcome, CaseOutcome::TooSlow(_)) {
            self.summary.inconclusive += 1;
        }
        self.tell(&Event::CaseFinished { case, finished: &finished });
    }

    fn ignored(&mut self, case: &Case, unmet: &Unmet) {
        if self.means.policy.denies(unmet) {
            let message = format!("cannot run here, and skips are denied: {unmet}");
            let outcome = CaseOutcome::Failed(message);
            self.finished(case, Finished::bare(outcome, Place::Host, Duration::ZERO));
        } else {
            self.summary.ignored += 1;
            self.tell(&Event::CaseIgnored { case, unmet });
        }
    }
}

fn teller<'c>(news: &Sender<News<'c>>) -> impl Fn(&'c Case, Target, Progress) + Sync + use<'c> {
    let news = news.clone();
    // The receiver lives until the last sender is gone.
    move |case, target, what| news.send((case, target, what)).expect("it listens")
}

/// Removes what an attempt left that is repeated: the last one is what counts.
fn forget(finished: &Finished) {
    let evidence = finished.evidence.as_ref();
    if let Some(directory) = evidence.and_then(|evidence| evidence.directory.as_ref()) {
        let _ = std::fs::remove_dir_all(directory);
    }
}
