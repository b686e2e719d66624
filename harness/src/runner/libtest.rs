//! `cargo test`: the cases as ordinary tests, through libtest-mimic.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use super::case::Case;
use super::launch::Launcher;
use super::needs::Unmet;
use super::places::Places;
use super::registry::{Problems, Registry};
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

    let chosen: Vec<_> = registry.cases().iter().filter(|case| chosen(&arguments, case)).collect();
    let trials = if arguments.list {
        let trial = |case: &Case| Trial::test(case.name.clone(), || Ok(()));
        chosen.iter().map(|case| trial(case).with_ignored_flag(ignored(case))).collect()
    } else if chosen.is_empty() {
        // `cargo test some_other_test` runs this target too: nothing to do is no obstacle.
        Vec::new()
    } else {
        let launcher = match Launcher::new(Places::find(), false) {
            Ok(launcher) => Arc::new(launcher),
            Err(unmet) => {
                eprintln!("lastack: this machine can run no case: {unmet}");
                return ExitCode::from(3);
            }
        };
        jobs::make_room(threads);
        trials(&chosen, &launcher)
    };
    // What is filtered out is counted by libtest-mimic, so it must see it; nobody needs to ask
    // the machine about it.
    let others = registry.cases().iter().filter(|case| !self::chosen(&arguments, case));
    let others = others.map(|case| Trial::test(case.name.clone(), || Ok(())));
    let trials = trials.into_iter().chain(others).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
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
fn ignored(case: &Case) -> bool {
    case.obstacle().is_some_and(|unmet| !jobs::skip_denied(&unmet))
}

fn trials(chosen: &[&Case], launcher: &Arc<Launcher>) -> Vec<Trial> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let trials = pool::in_order(chosen)
        .into_iter()
        .map(|case| match case.obstacle() {
            None => runnable(case.clone(), launcher.clone()),
            Some(unmet) => {
                if !jobs::skip_denied(&unmet) {
                    *reasons.entry(unmet.to_string()).or_default() += 1;
                }
                unrunnable(case, &unmet)
            }
        })
        .collect();
    for (reason, count) in reasons {
        let cases = if count == 1 { "case is" } else { "cases are" };
        eprintln!("lastack: {count} {cases} ignored: {reason}");
    }
    trials
}

fn runnable(case: Case, launcher: Arc<Launcher>) -> Trial {
    Trial::ignorable_test(case.name.clone(), move || completion(&case, &launcher.run(&case, || ())))
}

/// A case that cannot run here. It does run when asked for by `--ignored` or where skips are
/// denied, and then it fails: a skip is never a pass.
fn unrunnable(case: &Case, unmet: &Unmet) -> Trial {
    let reason = format!("cannot run here: {unmet}");
    Trial::test(case.name.clone(), move || Err(Failed::from(reason)))
        .with_ignored_flag(!jobs::skip_denied(unmet))
}
