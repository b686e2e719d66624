//! `cargo test`: the cases as ordinary tests, through libtest-mimic.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use super::case::Case;
use super::kernels::{Allowed, Choice, Target};
use super::needs::Unmet;
use super::places::Places;
use super::pool::Means;
use super::registry::{Problems, Registry};
use super::waiting::Waiting;
use super::{jobs, pool, roles};
use crate::report::libtest::completion;

/// The whole of a test target's `main` (`harness = false`): runs the cases the way `cargo test`
/// and `cargo nextest` expect. Exit codes: 0 all passed, 101 a case failed, 2 wrong use, 3 the
/// machine can run nothing.
pub fn test_main(gather: impl Fn() -> Result<Registry, Problems>) -> ExitCode {
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

    let allowed = match Allowed::asked() {
        Ok(allowed) => allowed,
        Err(error) => return wrong_use(&error),
    };
    let choice = Choice::among(allowed);

    let chosen: Vec<_> = registry.cases().iter().filter(|case| chosen(&arguments, case)).collect();
    let mut waiting = Waiting::default();
    let trials = if arguments.list {
        let trial = |case: &Case| Trial::test(case.name.clone(), || Ok(()));
        chosen.iter().map(|case| trial(case).with_ignored_flag(ignored(&choice, case))).collect()
    } else if chosen.is_empty() {
        // `cargo test some_other_test` runs this target too: nothing to do is no obstacle.
        Vec::new()
    } else {
        let means = match Means::new(&registry, choice, Places::find(), false) {
            Ok(means) => Arc::new(means),
            Err(unmet) => {
                eprintln!("lastack: this machine can run no case: {unmet}");
                return ExitCode::from(3);
            }
        };
        jobs::make_room(threads);
        let trials = trials(&chosen, &arguments, &means, &mut waiting);
        waiting.start(&means, threads);
        trials
    };
    // What is filtered out is counted by libtest-mimic, so it must see it; nobody needs to ask
    // the machine about it.
    let others = registry.cases().iter().filter(|case| !self::chosen(&arguments, case));
    let others = others.map(|case| Trial::test(case.name.clone(), || Ok(())));
    let trials = trials.into_iter().chain(others).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    waiting.sum_up();
    conclusion.exit_code()
}

fn wrong_use(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("lastack: {}", problem.to_string().trim_end());
    ExitCode::from(2)
}

/// Whether the filters leave this case in, be it ignored or not.
fn chosen(arguments: &Arguments, case: &Case) -> bool {
    let trial = Trial::test(case.name.clone(), || Ok(())).with_ignored_flag(true);
    !arguments.is_filtered_out(&trial)
}

/// Denied skips run, to fail with their reason.
fn ignored(choice: &Choice, case: &Case) -> bool {
    choice.target(case).is_err_and(|unmet| !jobs::skip_denied(&unmet))
}

/// One trial a case. Those on virtual kernels come last: they wait for guests that run many at
/// once, on threads that the others need to run at all.
fn trials(
    chosen: &[&Case],
    arguments: &Arguments,
    means: &Arc<Means>,
    waiting: &mut Waiting,
) -> Vec<Trial> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut trials, mut last) = (Vec::new(), Vec::new());
    for case in pool::in_order(chosen) {
        match means.target(case) {
            Ok(Target::Host) => trials.push(runnable(case.clone(), means.clone())),
            Ok(Target::Virtual(kernel)) => {
                let trial = waiting.trial(case);
                // Only what is really run: a guest does not know that nobody will ask.
                if !arguments.is_filtered_out(&trial) {
                    waiting.seat(case, kernel);
                }
                last.push(trial);
            }
            Err(unmet) => {
                if !jobs::skip_denied(&unmet) {
                    *reasons.entry(unmet.to_string()).or_default() += 1;
                }
                trials.push(unrunnable(case, &unmet));
            }
        }
    }
    for (reason, count) in reasons {
        let cases = if count == 1 { "case is" } else { "cases are" };
        eprintln!("lastack: {count} {cases} ignored: {reason}");
    }
    trials.append(&mut last);
    trials
}

fn runnable(case: Case, means: Arc<Means>) -> Trial {
    Trial::ignorable_test(case.name.clone(), move || {
        completion(&case, &means.on_host(&case, || ()))
    })
}

/// A case that cannot run here. It does run when asked for by `--ignored` or where skips are
/// denied, and then it fails: a skip is never a pass.
fn unrunnable(case: &Case, unmet: &Unmet) -> Trial {
    let reason = format!("cannot run here: {unmet}");
    Trial::test(case.name.clone(), move || Err(Failed::from(reason)))
        .with_ignored_flag(!jobs::skip_denied(unmet))
}
