//! `lastack matrix`: the same cases on several kernels, and where these differ.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::{Exit, MatrixArguments, json, nothing_can_run, print};
use crate::error::Result;
use crate::runner::case::Case;
use crate::runner::choice::choose;
use crate::runner::events::{Event, Finished, Outcome, Reporter};
use crate::runner::jobs;
use crate::runner::kernels::{Allowed, Choice};
use crate::runner::needs::Unmet;
use crate::runner::places::Places;
use crate::runner::pool::{self, Means};
use crate::runner::registry::Registry;
use crate::sys::probe;
use crate::virt::Kernel;

/// Up to so many cases are shown one by one; of more, only those in which kernels differ.
const SHOWN: usize = 40;

/// What became of one case on one kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Cell {
    verdict: &'static str,
    /// What there is to say about it: why it was ignored, or what was expected and what seen.
    evidence: String,
    /// Whether it was ignored for what this kernel is or has, not for what the machine lacks.
    #[serde(skip)]
    of_kernel: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    id: Vec<&'static str>,
    differs: bool,
    /// In the order of the matrix's kernels.
    on: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Matrix {
    kernels: Vec<String>,
    cases: Vec<Row>,
}

impl Cell {
    fn finished(finished: &Finished) -> Self {
        let verdict = match finished.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed(_) => "FAILED",
            Outcome::TooSlow(_) => "too slow",
        };
        let mut evidence = finished.outcome.message().to_owned();
        let directory = finished.evidence.as_ref().and_then(|left| left.directory.as_ref());
        if let Some(directory) = directory {
            let _ = write!(evidence, "\nkept in {}", directory.display());
        }
        Self { verdict, evidence, of_kernel: false }
    }

    fn ignored(unmet: &Unmet) -> Self {
        let of_kernel = ["kernel", "sysctl"].iter().any(|kind| unmet.need.starts_with(kind));
        Self { verdict: "ignored", evidence: unmet.reason.clone(), of_kernel }
    }

    /// What is compared: a pass is a pass, whatever was measured on the way; a failure is what
    /// was looked at, without the figures that follow.
    fn essence(&self) -> (&str, &str) {
        let first = self.evidence.lines().next().unwrap_or_default();
        (self.verdict, if self.verdict == "ignored" { "" } else { first })
    }

    /// Whether it says anything about the kernel.
    fn counts(&self) -> bool {
        self.of_kernel || !matches!(self.verdict, "ignored" | "too slow")
    }
}

/// Whether kernels differ in these: among those that had their say, not all say the same.
fn differ(cells: &[Cell]) -> bool {
    let mut said = cells.iter().filter(|cell| cell.counts()).map(Cell::essence);
    said.next().is_some_and(|first| said.any(|other| other != first))
}

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
    let mut columns = Vec::new();
    for (label, choice) in kernels {
        let means = match Means::new(registry, choice, Places::find(), false) {
            Ok(means) => means,
            Err(unmet) => return Ok(nothing_can_run(&unmet)),
        };
        eprintln!("lastack: {} cases on {label}", cases.len());
        let mut column = Column::default();
        pool::run(&cases, &means, jobs, &mut [&mut column]);
        columns.push((label, column));
    }
    let matrix = Matrix::of(&cases, columns);
    match arguments.json {
        true => json(&matrix),
        false => print(&matrix.in_words()),
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

impl Matrix {
    fn of(cases: &[&Case], columns: Vec<(String, Column)>) -> Self {
        let (kernels, mut columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let row = |case: &&Case| {
            let on: Vec<_> =
                columns.iter_mut().filter_map(|Column(cells)| cells.remove(&case.name)).collect();
            let (name, id) = (case.name.clone(), case.covers.clone());
            Row { name, id, differs: differ(&on), on }
        };
        Self { kernels, cases: cases.iter().map(row).collect() }
    }

    fn count(&self, verdict: &str, kernel: usize) -> usize {
        let of = |row: &&Row| row.on.get(kernel).is_some_and(|cell| cell.verdict == verdict);
        self.cases.iter().filter(of).count()
    }

    fn exit(&self) -> Exit {
        let any = |verdict| (0..self.kernels.len()).any(|kernel| self.count(verdict, kernel) > 0);
        match () {
            () if any("FAILED") || (any("too slow") && jobs::skips_denied()) => Exit::CaseFailed,
            () if any("ok") || self.cases.is_empty() => Exit::AllWell,
            () => nothing_can_run(&"all that was chosen is ignored on every kernel"),
        }
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for (number, kernel) in (1..).zip(&self.kernels) {
            let _ = writeln!(text, "[{number}] {kernel}");
        }
        let shown: Vec<_> =
            if self.cases.len() <= SHOWN { self.cases.iter().collect() } else { Vec::new() };
        let width = shown.iter().map(|row| row.name.len()).max().unwrap_or(0).max(8);
        let heads =
            (1..=self.kernels.len()).map(|number| format!("  {:>8}", format!("[{number}]")));
        let _ = writeln!(text, "\n{:width$}{}", "", heads.collect::<String>());
        for row in shown {
            let cells: String =
                row.on.iter().map(|cell| format!("  {:>8}", cell.verdict)).collect();
            let mark = if row.differs { "  differs" } else { "" };
            let _ = writeln!(text, "{:width$}{cells}{mark}", row.name);
        }
        for verdict in ["ok", "FAILED", "ignored", "too slow"] {
            let counts = (0..self.kernels.len()).map(|kernel| self.count(verdict, kernel));
            let counts: String = counts.map(|count| format!("  {count:>8}")).collect();
            let _ = writeln!(text, "{verdict:width$}{counts}");
        }
        let differing: Vec<_> = self.cases.iter().filter(|row| row.differs).collect();
        for row in &differing {
            let _ = writeln!(text, "\n{}  [{}]", row.name, row.id.join(", "));
            for (number, cell) in (1..).zip(&row.on) {
                let mut lines = cell.evidence.lines();
                let first = lines.next().map(|line| format!(": {line}")).unwrap_or_default();
                let _ = writeln!(text, "    [{number}] {}{first}", cell.verdict);
                for line in lines {
                    let _ = writeln!(text, "        {line}");
                }
            }
        }
        let (differing, all, kernels) = (differing.len(), self.cases.len(), self.kernels.len());
        let _ = writeln!(text, "\n{differing} of {all} cases differ between {kernels} kernels");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(verdict: &'static str, evidence: &str) -> Cell {
        Cell { verdict, evidence: evidence.to_owned(), of_kernel: false }
    }

    fn ignored(need: &str) -> Cell {
        let (need, reason) = (need.to_owned(), "no".to_owned());
        Cell::ignored(&Unmet { need, reason, remedy: String::new() })
    }

    #[test]
    fn kernels_differ_by_verdict_and_by_what_a_failure_looked_at() {
        let ok = || cell("ok", "");
        assert!(!differ(&[ok(), ok()]));
        assert!(differ(&[ok(), cell("FAILED", "b: read(5)\n    expected: EOF")]));
        let figures = [cell("FAILED", "elapsed\nseen: 1 s"), cell("FAILED", "elapsed\nseen: 2 s")];
        assert!(!differ(&figures));
        assert!(differ(&[cell("FAILED", "elapsed"), cell("FAILED", "b: read(5)")]));
    }

    #[test]
    fn what_a_machine_lacks_is_no_difference_between_kernels() {
        let ok = || cell("ok", "");
        for (need, differs) in [
            ("kernel 6.5", true),
            ("kernel before 6.5", true),
            ("sysctl net.ipv4.tcp_rto_max_ms", true),
            ("virtual-time", false),
            ("program nginx", false),
        ] {
            assert_eq!(differ(&[ok(), ignored(need)]), differs, "{need}");
            assert!(!differ(&[ignored(need), ignored(need)]), "{need}");
        }
        assert!(!differ(&[ok(), cell("too slow", "stalled for 2 s")]));
    }

    #[test]
    fn a_matrix_shows_each_case_and_where_kernels_differ() {
        let row = |name: &str, on: Vec<Cell>| Row {
            name: name.to_owned(),
            id: vec!["RT-12"],
            differs: differ(&on),
            on,
        };
        let matrix = Matrix {
            kernels: vec!["host 6.18.5".into(), "virtual 6.1.0".into()],
            cases: vec![
                row("a::same", vec![cell("ok", ""), cell("ok", "")]),
                row("a::other", vec![cell("ok", ""), ignored("kernel 6.5")]),
            ],
        };
        assert_eq!(
            matrix.in_words(),
            "[1] host 6.18.5\n\
             [2] virtual 6.1.0\n\
             \n\
             \x20              [1]       [2]\n\
             a::same         ok        ok\n\
             a::other        ok   ignored  differs\n\
             ok               2         1\n\
             FAILED           0         0\n\
             ignored          0         1\n\
             too slow         0         0\n\
             \n\
             a::other  [RT-12]\n\
             \x20   [1] ok\n\
             \x20   [2] ignored: no\n\
             \n\
             1 of 2 cases differ between 2 kernels\n"
        );
        assert_eq!(matrix.exit(), Exit::AllWell);
    }
}
