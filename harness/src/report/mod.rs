//! Consumers of the runner's events. None of them knows how a case is run.

pub mod junit;
pub mod libtest;
mod progress;
pub mod terminal;
mod wants;

/// What the last line of a run says of cases that the machine was too slow to judge, twice.
fn inconclusive(names: &[String]) -> String {
    let (count, names) = (names.len(), names.join(", "));
    let cases = if count == 1 { "case stays" } else { "cases stay" };
    format!("warning: {count} {cases} inconclusive, the machine was twice too slow: {names}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::runner::events::{CaseOutcome, Finished, Place};
    use crate::runner::needs::Unmet;
    use crate::runner::registry::{FamilySource, Registry};

    /// Two cases, `close::fin` and `linger::zero`.
    pub(super) fn registry() -> Registry {
        let source = |family, file, cases| FamilySource { family, file, cases };
        Registry::build(&[
            source("close", "close/fin.rs", |family| {
                family.case("fin").covers(["GC-01"]).source("s").run(|_| async { Ok(()) });
            }),
            source("linger", "linger/zero.rs", |family| {
                family.case("zero").covers(["LI-01"]).source("s").run(|_| async { Ok(()) });
            }),
        ])
        .unwrap()
    }

    pub(super) fn no_nft() -> Unmet {
        Unmet { need: "nft".into(), reason: "no nft".into(), remedy: "install it".into() }
    }

    pub(super) fn finished(outcome: CaseOutcome, millis: u64) -> Finished {
        Finished::bare(outcome, Place::Host, Duration::from_millis(millis))
    }
}
