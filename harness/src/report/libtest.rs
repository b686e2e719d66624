//! `cargo test`: the cases as ordinary tests, through libtest-mimic.
//!
//! The cases run as they do for everybody, and this is one of those who are told. What
//! libtest-mimic takes for a test only waits until it is told how its case came out.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::wants::Wants;
use crate::error::Result;
use crate::runner::case::Case;
use crate::runner::events::{CaseOutcome, Counts, Event, Finished, Repeat, Reporter};
use crate::runner::evidence::account;
use crate::runner::history::History;
use crate::runner::kernels::{Allowed, Choice, Target};
use crate::runner::places::Places;
use crate::runner::policy::Policy;
use crate::runner::pool::{self, Means};
use crate::runner::registry::{Problems, Registry};
use crate::runner::shard::Share;
use crate::runner::span::span;
use crate::runner::{jobs, roles};

/// Set for every test that nextest runs.
const NEXTEST: &str = "NEXTEST";

/// The whole of a test target's `main` (`harness = false`): runs the cases the way `cargo test`
/// and `cargo nextest` expect. Exit codes: 0 all passed, 101 a case failed, 2 wrong use, 3 the
/// machine can run nothing.
pub fn test_main(gather: impl Fn() -> std::result::Result<Registry, Problems>) -> ExitCode {
    if let Some(code) = roles::dispatch(&gather) {
        return code;
    }
    let mut arguments = Arguments::from_args();
    let registry = match gather() {
        Ok(registry) => registry,
        Err(problems) => return wrong_use(&problems),
    };
    let threads = match jobs::asked() {
        Ok(asked) => arguments.test_threads.or(asked).unwrap_or_else(jobs::usual),
        Err(error) => return wrong_use(&error),
    };
    if threads == 0 {
        return wrong_use(&"--test-threads must be a positive number");
    }
    arguments.test_threads = Some(threads);
    let choice = match Allowed::asked() {
        Ok(allowed) => Choice::among(allowed),
        Err(error) => return wrong_use(&error),
    };
    let policy = Policy::asked();
    let share = match Share::asked(None, &[]) {
        Ok(share) => share,
        Err(error) => return wrong_use(&error),
    };

    let named = |case: &Case| Trial::test(case.name.clone(), || Ok(()));
    let chosen = |case: &&Case| !arguments.is_filtered_out(&named(case).with_ignored_flag(true));
    let (mut chosen, others): (Vec<_>, Vec<_>) = registry.cases().iter().partition(chosen);
    if let Some(share) = share {
        let (mine, words) = share.of(registry.cases(), chosen);
        if !arguments.list {
            eprintln!("lastack: {words}");
        }
        chosen = mine;
    }
    // What is filtered out is counted by libtest-mimic, so it must see it; nobody needs to ask
    // the machine about it.
    let others = others.into_iter().map(named);
    if arguments.list || chosen.is_empty() {
        // `cargo test some_other_test` runs this target too: nothing to do is no obstacle.
        let listed =
            |case: &Case| named(case).with_ignored_flag(unrunnable(&choice, &policy, case));
        let trials = chosen.into_iter().map(listed).chain(others).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let places = Places::find();
    let means = match Means::new(&registry, choice, policy.clone(), places.clone(), false) {
        Ok(means) => means,
        Err(unmet) => {
            eprintln!("lastack: this machine can run no case: {unmet}");
            return ExitCode::from(3);
        }
    };
    let (mut tests, mut trials) = Tests::of(&chosen, &means, &policy);
    // Nobody waits for what libtest-mimic leaves out, such as all but the ignored.
    let wanted = trials.iter().filter(|trial| !arguments.is_filtered_out(trial));
    let wanted: BTreeSet<String> = wanted.map(|trial| trial.name().to_owned()).collect();
    let cases: Vec<_> = chosen.into_iter().filter(|case| wanted.contains(&case.name)).collect();
    trials.extend(others);
    // nextest has a record of its own, and would have this one rewritten once a case.
    let in_one = std::env::var_os(NEXTEST).is_none();
    let mut history = in_one.then(|| History::new(&registry, places));
    let conclusion = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut reporters: Vec<&mut dyn Reporter> = vec![&mut tests];
            reporters.extend(history.as_mut().map(|history| history as &mut dyn Reporter));
            pool::run(&cases, &means, threads, &mut reporters)
        });
        libtest_mimic::run(&arguments, trials)
    });
    tests.sum_up();
    if let Some(trouble) = history.as_ref().and_then(History::trouble) {
        eprintln!("lastack: `run --failed` will not know of this run: {trouble}");
    }
    conclusion.exit_code()
}

fn wrong_use(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("lastack: {}", problem.to_string().trim_end());
    ExitCode::from(2)
}

/// Whether it is known before that the case cannot run, and that this does not fail it.
fn unrunnable(choice: &Choice, policy: &Policy, case: &Case) -> bool {
    choice.target(case).is_err_and(|unmet| !policy.denies(&unmet))
}

/// What a test is told.
type Told = std::result::Result<Completion, Failed>;

/// Tells every test how its case came out.
#[derive(Default)]
struct Tests {
    /// By the names of cases: who waits.
    waiting: BTreeMap<String, mpsc::Sender<Told>>,
    /// Those of which it is known before that they cannot run. Who asks for them by `--ignored`
    /// is told so by a failure: a skip is never a pass.
    unrunnable: BTreeSet<String>,
    /// Why cases are ignored.
    wants: Wants,
    /// On each virtual kernel: how many cases, and the longest.
    ran: BTreeMap<String, (usize, Duration)>,
    inconclusive: Vec<String>,
}

impl Tests {
    /// One test a case. Those on virtual kernels come last: they wait for a boot, on threads that
    /// the others need to be told at all.
    fn of(cases: &[&Case], means: &Means, policy: &Policy) -> (Self, Vec<Trial>) {
        let (mut tests, mut trials, mut last) = (Self::default(), Vec::new(), Vec::new());
        for case in pool::in_order(cases) {
            let target = means.target(case);
            let (tell, told) = mpsc::channel::<Told>();
            tests.waiting.insert(case.name.clone(), tell);
            let ended = || Failed::from("its run ended without a word about it");
            let trial = Trial::ignorable_test(case.name.clone(), move || {
                told.recv().unwrap_or_else(|_| Err(ended()))
            });
            let unrunnable = target.as_ref().is_err_and(|unmet| !policy.denies(unmet));
            if unrunnable {
                tests.unrunnable.insert(case.name.clone());
            }
            let trial = trial.with_ignored_flag(unrunnable);
            match target {
                Ok(Target::Virtual(_)) => last.push(trial),
                Ok(Target::Host) | Err(_) => trials.push(trial),
            }
        }
        trials.append(&mut last);
        (tests, trials)
    }

    fn tell(&mut self, case: &Case, told: Told) {
        // A test that is not run does not wait.
        if let Some(waiting) = self.waiting.remove(&case.name) {
            let _ = waiting.send(told);
        }
    }

    fn finished(&mut self, case: &Case, finished: &Finished) {
        if finished.place.release().is_some() {
            let (cases, longest) = self.ran.entry(finished.place.to_string()).or_default();
            *cases += 1;
            *longest = finished.elapsed.max(*longest);
        }
        if matches!(finished.outcome, CaseOutcome::TooSlow(_)) {
            self.inconclusive.push(case.name.clone());
        }
        self.tell(case, completion(case, finished));
    }

    /// Says on standard error what the lines of libtest cannot carry: where cases ran, why some
    /// did not, and last what stays inconclusive.
    fn sum_up(&self) {
        for (count, want) in self.wants.in_few_lines("`lastack list` has them all") {
            let cases = if count == 1 { "case is" } else { "cases are" };
            eprintln!("lastack: {count} {cases} ignored{want}");
        }
        for (place, (cases, longest)) in &self.ran {
            let cases = if *cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") };
            eprintln!("lastack: {cases} ran on {place}, the longest for {}", span(*longest));
        }
        if !self.inconclusive.is_empty() {
            eprintln!("lastack: {}", super::inconclusive(&self.inconclusive));
        }
    }
}

impl Reporter for Tests {
    fn event(&mut self, event: &Event<'_>) -> Result {
        match event {
            Event::CaseIgnored { case, unmet } => {
                self.wants.add(unmet);
                let reason = format!("cannot run here: {unmet}");
                let told = match self.unrunnable.contains(&case.name) {
                    true => Err(Failed::from(reason)),
                    false => Ok(Completion::ignored_with(reason)),
                };
                self.tell(case, told);
            }
            Event::CaseFinished { case, finished } => self.finished(case, finished),
            Event::CaseRepeated { case, why: Repeat::TooSlow(why) } => {
                eprintln!("lastack: {} runs once more: {why}", case.name);
            }
            // Whoever still waits was forgotten, and is told so.
            Event::RunFinished { .. } => self.waiting.clear(),
            Event::RunStarted { .. }
            | Event::CaseStarted { .. }
            | Event::CaseRepeated { .. }
            | Event::Tick => {}
        }
        Ok(())
    }
}

/// What libtest-mimic is told of a case that has ended.
fn completion(case: &Case, finished: &Finished) -> Told {
    match finished.counts {
        Counts::Passed => Ok(Completion::Completed),
        Counts::Failed => Err(account(case, finished).into()),
        Counts::Ignored => {
            let directory = finished.evidence.as_ref().and_then(|kept| kept.directory.as_ref());
            let kept = directory.map(|kept| format!("; kept in {}", kept.display()));
            let reason = finished.outcome.message();
            Ok(Completion::ignored_with(format!("{reason}{}", kept.unwrap_or_default())))
        }
    }
}
