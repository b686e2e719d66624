//! `lastack show`: one case and all it saw, or a row of the catalogue and its case.

use super::{Exit, KernelArgument, boots, nothing_can_run, print};
use crate::error::{Error, Result};
use crate::runner::catalogue::Row;
use crate::runner::choice::{choose, choose_one};
use crate::runner::events::{Event, Finished, Reporter};
use crate::runner::evidence::account;
use crate::runner::history::History;
use crate::runner::kernels::Choice;
use crate::runner::places::Places;
use crate::runner::policy::Policy;
use crate::runner::pool::{self, Means};
use crate::runner::registry::Registry;
use crate::runner::span::span;

/// What became of the one case.
#[derive(Default)]
struct Seen {
    finished: Option<Finished>,
    ignored: Option<String>,
}

impl Reporter for Seen {
    fn event(&mut self, event: &Event<'_>) -> Result {
        match event {
            Event::CaseFinished { finished, .. } => self.finished = Some((*finished).clone()),
            Event::CaseIgnored { unmet, .. } => self.ignored = Some(unmet.to_string()),
            _ => {}
        }
        Ok(())
    }
}

pub(super) fn show(
    registry: &Registry,
    filters: &[String],
    kernel: KernelArgument,
) -> Result<Exit> {
    let [filter] = filters else {
        return Err(Error::usage(format!(
            "show takes one case; {} were given ({}): two filters where one is allowed",
            filters.len(),
            filters.join(", ")
        )));
    };
    // "GC-02" and "GC-02::ipv4" name a row, which comes before what there is of it.
    let id = filter.split("::").next().unwrap_or_default();
    if let Some(row) = registry.row(id) {
        let missing = registry.missing().any(|missing| missing.id == row.id);
        if missing || choose(registry, std::slice::from_ref(filter), false).is_ok() {
            print(&in_words(row, missing));
        }
        if missing {
            return Ok(Exit::AllWell);
        }
    }
    let case = choose_one(registry, filter)?;
    let choice = Choice::among(kernel.allowed()?);
    let places = Places::find();
    let means = match Means::new(registry, choice, Policy::asked(), places.clone(), true) {
        Ok(means) => means,
        Err(unmet) => return Ok(nothing_can_run(&unmet)),
    };
    boots::warn(&[case], &means);
    // Who wants to see one case does not miss its record, where that cannot be written.
    let (mut seen, mut history) = (Seen::default(), History::new(registry, places));
    pool::run(&[case], &means, 1, &mut [&mut seen, &mut history]);
    let finished = match seen {
        Seen { finished: Some(finished), .. } => finished,
        Seen { ignored, .. } => {
            let why = ignored.unwrap_or_else(|| "it came to no end".to_owned());
            return Ok(nothing_can_run(&format!("{} is ignored: {why}", case.name)));
        }
    };
    let mut text = account(case, &finished);
    text.push_str(&format!("\ntook {}\n", span(finished.elapsed)));
    print(&text);
    Ok(if finished.outcome.passed() { Exit::AllWell } else { Exit::CaseFailed })
}

/// The row, and why it has no case or a line between it and its case.
fn in_words(row: &Row, missing: bool) -> String {
    let Row { id, rule, source, absent } = row;
    let rest = match missing {
        true => format!("no case: {}", absent.unwrap_or("no reason is given")),
        false => String::new(),
    };
    format!("{id}  {rule}\nsource: {source}\n{rest}\n")
}
