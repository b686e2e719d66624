//! The outcome of a case in the words of libtest.

use libtest_mimic::{Completion, Failed};

use crate::runner::case::Case;
use crate::runner::events::{CaseOutcome, Finished};
use crate::runner::evidence::account;
use crate::runner::jobs::skips_denied;

/// What libtest-mimic is told. A machine too slow to judge ignores the test with its reason,
/// or, where skips are denied, fails it.
///
/// # Errors
/// The case failed: the whole account of it.
pub fn completion(case: &Case, finished: &Finished) -> Result<Completion, Failed> {
    match &finished.outcome {
        CaseOutcome::Passed => Ok(Completion::Completed),
        CaseOutcome::TooSlow(reason) if !skips_denied() => {
            let directory = finished.evidence.as_ref().and_then(|kept| kept.directory.as_ref());
            let kept = directory.map(|kept| format!("; kept in {}", kept.display()));
            Ok(Completion::ignored_with(format!("{reason}{}", kept.unwrap_or_default())))
        }
        CaseOutcome::TooSlow(_) | CaseOutcome::Failed(_) => Err(account(case, finished).into()),
    }
}
