//! Many cases side by side: the one loop that runs them, whoever is told.
//!
//! Cases run in lanes: one on this machine's kernel, one on every virtual kernel. A case comes back
//! for another when its kernel lacks what it has used and another may have it, and, once, when the
//! machine was too slow to judge it; it then starts when this machine's own lane has ended.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
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
    std::thread::scope(|scope| {
        let (news, incoming) = channel();
        let mut lanes = Lanes { means, jobs, news, scope, host: false, virtually: 0 };
        loop {
            if !lanes.host {
                lanes.start(run.next.take());
            }
            if lanes.all_ended() {
                // Nothing is left but those that nothing may run beside.
                lanes.start_on_host(std::mem::take(&mut run.next.alone));
            }
            if lanes.all_ended() {
                break;
            }
            run.listen(&incoming, &mut lanes);
        }
    });
    run.tell(&Event::RunFinished { elapsed: began.elapsed() });
    run.summary
}

/// What comes from the lanes.
enum News<'c> {
    Of(&'c Case, Target, Box<Progress>),
    HostEnded,
    VirtualEnded,
}

/// The lanes that run now.
struct Lanes<'scope, 'env, 'c> {
    means: &'env Means,
    jobs: usize,
    news: Sender<News<'c>>,
    scope: &'scope std::thread::Scope<'scope, 'env>,
    /// Whether there is one on this machine's kernel.
    host: bool,
    /// How many sets of virtual ones there are.
    virtually: usize,
}

impl<'scope, 'c: 'scope> Lanes<'scope, '_, 'c> {
    fn all_ended(&self) -> bool {
        !self.host && self.virtually == 0
    }

    fn start(&mut self, round: Round<'c>) {
        let (means, jobs) = (self.means, self.jobs);
        let Round { here, elsewhere, .. } = round;
        self.start_on_host(here);
        if !elsewhere.is_empty() {
            self.virtually += 1;
            let lane = Lane { news: self.news.clone(), ended: Some(News::VirtualEnded) };
            self.scope.spawn(move || {
                means.on_virtual(&elsewhere, jobs, &|kernel, case, progress| {
                    lane.tell(case, Target::Virtual(kernel.clone()), progress);
                });
            });
        }
    }

    fn start_on_host(&mut self, cases: Vec<&'c Case>) {
        if cases.is_empty() {
            return;
        }
        self.host = true;
        let (means, jobs) = (self.means, self.jobs);
        let lane = Lane { news: self.news.clone(), ended: Some(News::HostEnded) };
        self.scope.spawn(move || {
            side_by_side(&cases, jobs, |_, case| {
                let started = || lane.tell(case, Target::Host, Progress::Started);
                let ended = means.on_host(case, started);
                let progress = ended.map_or_else(Progress::Unmet, Progress::Finished);
                lane.tell(case, Target::Host, progress);
            });
        });
    }
}

/// A lane's way to the loop, which hears of its end however it ends.
struct Lane<'c> {
    news: Sender<News<'c>>,
    ended: Option<News<'c>>,
}

impl<'c> Lane<'c> {
    fn tell(&self, case: &'c Case, target: Target, progress: Progress) {
        // The loop listens until every lane has ended.
        let _ = self.news.send(News::Of(case, target, Box::new(progress)));
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let _ = self.ended.take().map(|ended| self.news.send(ended));
    }
}

/// What is run next, and where.
#[derive(Default)]
struct Round<'c> {
    here: Vec<&'c Case>,
    /// Those on this machine's kernel that want quiet.
    alone: Vec<&'c Case>,
    elsewhere: Vec<(Arc<Kernel>, Vec<&'c Case>)>,
}

impl<'c> Round<'c> {
    /// All but those that want quiet.
    fn take(&mut self) -> Self {
        let alone = std::mem::take(&mut self.alone);
        std::mem::replace(self, Self { alone, ..Self::default() })
    }

    fn add(&mut self, case: &'c Case, target: Target) {
        let kernel = match target {
            Target::Host if case.quiet => return self.alone.push(case),
            Target::Host => return self.here.push(case),
            Target::Virtual(kernel) => kernel,
        };
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

impl<'c> Run<'_, '_, 'c> {
    fn listen(&mut self, incoming: &Receiver<News<'c>>, lanes: &mut Lanes<'_, '_, 'c>) {
        let began = Instant::now();
        match incoming.recv_timeout(TICK) {
            Ok(News::Of(case, target, progress)) => self.hear(case, target, *progress),
            Ok(News::HostEnded) => lanes.host = false,
            Ok(News::VirtualEnded) => lanes.virtually -= 1,
            Err(RecvTimeoutError::Timeout) => {
                stall::late_by(began.elapsed().saturating_sub(TICK));
                self.tell(&Event::Tick);
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("the lanes hold a sender"),
        }
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

/// Removes what an attempt left that is repeated: the last one is what counts.
fn forget(finished: &Finished) {
    let evidence = finished.evidence.as_ref();
    if let Some(directory) = evidence.and_then(|evidence| evidence.directory.as_ref()) {
        let _ = std::fs::remove_dir_all(directory);
    }
}
