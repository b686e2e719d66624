//! Many cases side by side, told as they come in. (`cargo test` runs them through
//! [`super::libtest`] instead.)

use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::case::Case;
use super::events::{Event, Finished, Outcome, Reporter};
use super::launch::Launcher;
use super::{jobs, needs};

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

/// Runs the cases, so many side by side, and tells every reporter.
pub fn run(
    cases: &[&Case],
    launcher: &Launcher,
    jobs: usize,
    reporters: &mut [&mut dyn Reporter],
) -> Summary {
    let began = Instant::now();
    let mut telling = Telling { reporters, summary: Summary::default() };
    telling.tell(&Event::RunStarted { cases: cases.len(), jobs });
    let mut runnable = Vec::new();
    for case in in_order(cases) {
        match case.obstacle() {
            Some(unmet) => telling.obstacle(case, &unmet),
            None => runnable.push(case),
        }
    }
    jobs::make_room(jobs);
    let queue = Mutex::new(runnable.iter().copied());
    let (news, incoming) = channel::<(&Case, Option<Finished>)>();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(runnable.len()) {
            let (news, queue) = (news.clone(), &queue);
            // The receiver lives until the last sender is gone.
            let tell = move |case, finished| news.send((case, finished)).expect("it listens");
            scope.spawn(move || {
                loop {
                    let next = queue.lock().expect("taking the next cannot panic").next();
                    let Some(case) = next else { return };
                    let finished = launcher.run(case, || tell(case, None));
                    tell(case, Some(finished));
                }
            });
        }
        drop(news);
        loop {
            match incoming.recv_timeout(TICK) {
                Ok((case, None)) => telling.tell(&Event::CaseStarted { case }),
                Ok((case, Some(finished))) => telling.finished(case, &finished),
                Err(RecvTimeoutError::Timeout) => telling.tell(&Event::Tick),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    telling.tell(&Event::RunFinished { elapsed: began.elapsed() });
    telling.summary
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
            Outcome::Passed => self.summary.passed += 1,
            Outcome::TooSlow(_) if !jobs::skips_denied() => self.summary.ignored += 1,
            Outcome::TooSlow(_) | Outcome::Failed(_) => self.summary.failed += 1,
        }
        self.tell(&Event::CaseFinished { case, finished });
    }

    fn obstacle(&mut self, case: &Case, unmet: &needs::Unmet) {
        if jobs::skip_denied(unmet) {
            let message = format!("cannot run here, and skips are denied: {unmet}");
            let outcome = Outcome::Failed(message);
            let (elapsed, judged, evidence) = (Duration::ZERO, Vec::new(), None);
            self.finished(case, &Finished { outcome, elapsed, rss_kib: 0, judged, evidence });
        } else {
            self.summary.ignored += 1;
            self.tell(&Event::CaseIgnored { case, reason: &unmet.to_string() });
        }
    }
}
