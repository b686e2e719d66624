//! `lastack show`: one case, and all it saw.

use super::{Exit, nothing_can_run, print};
use crate::error::{Error, Result};
use crate::runner::choice::choose_one;
use crate::runner::evidence::account;
use crate::runner::launch::Launcher;
use crate::runner::places::Places;
use crate::runner::registry::Registry;

pub(super) fn show(registry: &Registry, filters: &[String]) -> Result<Exit> {
    let [filter] = filters else {
        return Err(Error::Usage(format!(
            "show takes one case; {} were given ({}): two filters where one is allowed",
            filters.len(),
            filters.join(", ")
        )));
    };
    let case = choose_one(registry, filter)?;
    let launcher = match Launcher::new(Places::find(), true) {
        Ok(launcher) => launcher,
        Err(unmet) => return Ok(nothing_can_run(&unmet)),
    };
    if let Some(unmet) = case.obstacle() {
        return Ok(nothing_can_run(&format!("{} is ignored: {unmet}", case.name)));
    }
    let finished = launcher.run(case, || ());
    let mut text = account(case, &finished);
    text.push_str(&format!("\ntook {:.3} s\n", finished.elapsed.as_secs_f64()));
    print(&text);
    Ok(if finished.outcome.passed() { Exit::AllWell } else { Exit::CaseFailed })
}
