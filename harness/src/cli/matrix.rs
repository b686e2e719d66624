//! `lastack matrix`: the same cases on several kernels, and where these differ.

use std::collections::BTreeMap;

use super::{Exit, MatrixArguments, json, nothing_can_run, print};
use crate::error::Result;
use crate::runner::choice::choose;
use crate::runner::events::{Event, Reporter};
use crate::runner::jobs;
use crate::runner::kernels::{Allowed, Choice};
use crate::runner::needs::Unmet;
use crate::runner::places::Places;
use crate::runner::policy::Policy;
use crate::runner::pool::{self, Means};
use crate::runner::registry::Registry;
use crate::sys::probe;
use crate::virt::Kernel;

mod cell;
mod markdown;
mod table;

use cell::Cell;
use table::Matrix;

/// Takes down what becomes of each case on one kernel.
#[derive(Default)]
struct Column(BTreeMap<String, Cell>);

impl Reporter for Column {
    fn event(&mut self, event: &Event<'_>) -> Result {
        let (case, cell) = match event {
            Event::CaseFinished { case, finished } => (case, Cell::finished(finished)),
            Event::CaseIgnored { case, unmet } => (case, Cell::ignored(unmet)),
            _ => return Ok(()),
        };
        self.0.insert(case.name.clone(), cell);
        Ok(())
    }
}

pub(super) fn matrix(registry: &Registry, arguments: &MatrixArguments) -> Result<Exit> {
    let cases = choose(registry, &arguments.filters, arguments.exact)?;
    let kernels = match kernels(&arguments.kernels) {
        Ok(kernels) => kernels,
        Err(unmet) => return Ok(nothing_can_run(&unmet)),
    };
    let jobs = arguments.jobs.map_or_else(jobs::usual, usize::from);
    let policy = Policy::asked();
    let mut columns = Vec::new();
    for (label, choice) in kernels {
        let means = match Means::new(registry, choice, policy.clone(), Places::find(), false) {
            Ok(means) => means,
            Err(unmet) => return Ok(nothing_can_run(&unmet)),
        };
        eprintln!("lastack: {} cases on {label}", cases.len());
        let mut column = Column::default();
        pool::run(&cases, &means, jobs, &mut [&mut column]);
        columns.push((label, column));
    }
    let matrix = Matrix::of(&cases, columns);
    match (arguments.json, arguments.markdown) {
        (true, _) => json(&matrix),
        (_, true) => print(&markdown::of(&matrix)),
        _ => print(&matrix.in_words()),
    }
    Ok(matrix.exit())
}

/// The kernels asked for, each with what to call it; unasked, all there are.
fn kernels(asked: &[Allowed]) -> std::result::Result<Vec<(String, Choice)>, Unmet> {
    let host = || {
        let label = format!("host {}", probe::kernel_version().1);
        (label, Choice::among(Allowed::Host))
    };
    let other = |kernel: Kernel| {
        let label = format!("virtual {}", kernel.release);
        (label, Choice::only(kernel))
    };
    let every = [Allowed::Host, Allowed::Virtual(None)];
    let mut kernels = Vec::new();
    for one in if asked.is_empty() { &every } else { asked } {
        match one {
            Allowed::Any | Allowed::Host => kernels.push(host()),
            Allowed::Virtual(Some(which)) => {
                let kernel = Kernel::find(Some(which)).map_err(|lack| Unmet::from(&lack))?;
                kernels.push(other(kernel));
            }
            Allowed::Virtual(None) => match Kernel::find(None) {
                Ok(_) => kernels.extend(Kernel::all().into_iter().map(other)),
                // Nobody asked for them by name: what there is, is compared.
                Err(lack) if asked.is_empty() => eprintln!("lastack: no virtual kernel: {lack}"),
                Err(lack) => return Err(Unmet::from(&lack)),
            },
        }
    }
    Ok(kernels)
}
