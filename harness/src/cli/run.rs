//! `lastack run`: the main job.

use super::{Exit, RunArguments, boots, nothing_can_run};
use crate::error::Result;
use crate::report::junit::JUnit;
use crate::report::terminal::Terminal;
use crate::runner::choice::{choose, failed};
use crate::runner::events::Reporter;
use crate::runner::history::History;
use crate::runner::kernels::Choice;
use crate::runner::places::Places;
use crate::runner::policy::Policy;
use crate::runner::pool::Means;
use crate::runner::record::Record;
use crate::runner::registry::Registry;
use crate::runner::shard::Share;
use crate::runner::{jobs, pool};

pub(super) fn run(registry: &Registry, arguments: RunArguments) -> Result<Exit> {
    let places = Places::find();
    let mut cases = choose(registry, &arguments.filters, arguments.exact)?;
    if let Some(share) = Share::asked(arguments.share.shard, &arguments.share.times)? {
        let (mine, words) = share.of(registry.cases(), cases);
        eprintln!("lastack: {words}");
        cases = mine;
    }
    if arguments.failed {
        cases = failed(cases, &places)?;
        if cases.is_empty() {
            eprintln!("lastack: none of these cases failed when it last ran");
        }
    }
    let choice = Choice::among(arguments.kernel.allowed()?);
    let mut junit = arguments.junit.as_deref().map(JUnit::create).transpose()?;
    let policy = Policy::asked();
    let means = match Means::new(registry, choice, policy, places.clone(), arguments.keep) {
        Ok(means) => means,
        Err(unmet) => return Ok(nothing_can_run(&unmet)),
    };
    if arguments.failed || !arguments.filters.is_empty() {
        boots::warn(&cases, &means);
    }
    // A damaged one says nothing of the time left, and this run replaces it.
    let record = Record::of(&places).ok().flatten().unwrap_or_default();
    let mut terminal = Terminal::stdout().verbose(arguments.verbose).expecting(&cases, &record);
    let mut history = History::new(registry, places);
    let mut reporters: Vec<&mut dyn Reporter> = vec![&mut terminal, &mut history];
    reporters.extend(junit.as_mut().map(|junit| junit as &mut dyn Reporter));
    let jobs = arguments.jobs.map_or_else(jobs::usual, usize::from);
    let summary = pool::run(&cases, &means, jobs, &mut reporters);
    if let Some(trouble) = history.trouble() {
        eprintln!("lastack: --failed will not know of this run: {trouble}");
    }
    for trouble in &summary.trouble {
        eprintln!("lastack: {trouble}");
    }
    Ok(match summary {
        _ if summary.failed > 0 => Exit::CaseFailed,
        // Green with a report that CI will not find would be a lie.
        _ if !summary.trouble.is_empty() => Exit::WrongUse,
        _ if summary.passed == 0 && summary.ignored > summary.inconclusive => {
            nothing_can_run(&"all that was chosen is ignored, for the reasons above")
        }
        _ => Exit::AllWell,
    })
}
