//! `lastack run`: the main job.

use super::{Exit, RunArguments, nothing_can_run};
use crate::error::Result;
use crate::report::junit::JUnit;
use crate::report::terminal::Terminal;
use crate::runner::choice::choose;
use crate::runner::events::Reporter;
use crate::runner::kernels::Choice;
use crate::runner::places::Places;
use crate::runner::policy::Policy;
use crate::runner::pool::Means;
use crate::runner::registry::Registry;
use crate::runner::{jobs, pool};

pub(super) fn run(registry: &Registry, arguments: RunArguments) -> Result<Exit> {
    let cases = choose(registry, &arguments.filters, arguments.exact)?;
    let choice = Choice::among(arguments.kernel.allowed()?);
    let mut junit = arguments.junit.as_deref().map(JUnit::create).transpose()?;
    let means = match Means::new(registry, choice, Policy::asked(), Places::find(), arguments.keep)
    {
        Ok(means) => means,
        Err(unmet) => return Ok(nothing_can_run(&unmet)),
    };
    let mut terminal = Terminal::stdout();
    let mut reporters: Vec<&mut dyn Reporter> = vec![&mut terminal];
    reporters.extend(junit.as_mut().map(|junit| junit as &mut dyn Reporter));
    let jobs = arguments.jobs.map_or_else(jobs::usual, usize::from);
    let summary = pool::run(&cases, &means, jobs, &mut reporters);
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
