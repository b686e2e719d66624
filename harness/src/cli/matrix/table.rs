//! Cases by kernels: what became of each on each, for people and for programs.

use std::fmt::Write;

use serde::Serialize;

use super::Column;
use super::cell::{Cell, differ};
use crate::cli::{Exit, nothing_can_run};
use crate::runner::case::Case;

/// What can become of a case, in the order that tables have.
pub(super) const VERDICTS: [&str; 4] = ["ok", "FAILED", "ignored", "too slow"];

/// Up to so many cases are shown one by one; of more, only those in which kernels differ.
const SHOWN: usize = 40;

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    id: Vec<&'static str>,
    pub(super) differs: bool,
    /// In the order of the matrix's kernels.
    pub(super) on: Vec<Cell>,
}

#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    pub(super) kernels: Vec<String>,
    pub(super) cases: Vec<Row>,
}

impl Matrix {
    pub(super) fn of(cases: &[&Case], columns: Vec<(String, Column)>) -> Self {
        let (kernels, mut columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let row = |case: &&Case| {
            let on: Vec<_> =
                columns.iter_mut().filter_map(|Column(cells)| cells.remove(&case.name)).collect();
            let (name, id) = (case.name.clone(), case.covers.clone());
            Row { name, id, differs: differ(&on), on }
        };
        Self { kernels, cases: cases.iter().map(row).collect() }
    }

    /// On how many cases this kernel came to this verdict.
    pub(super) fn count(&self, verdict: &str, kernel: usize) -> usize {
        let of = |row: &&Row| row.on.get(kernel).is_some_and(|cell| cell.verdict == verdict);
        self.cases.iter().filter(of).count()
    }

    pub(super) fn exit(&self) -> Exit {
        let any = |verdict| (0..self.kernels.len()).any(|kernel| self.count(verdict, kernel) > 0);
        let failed = self.cases.iter().flat_map(|row| &row.on).any(|cell| cell.fails);
        match () {
            () if failed => Exit::CaseFailed,
            () if any("ok") || any("too slow") || self.cases.is_empty() => Exit::AllWell,
            () => nothing_can_run(&"all that was chosen is ignored on every kernel"),
        }
    }

    pub(super) fn in_words(&self) -> String {
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
        for verdict in VERDICTS {
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
    use crate::cli::matrix::cell::tests::{cell, ignored};
    use crate::cli::matrix::markdown;

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
        assert_eq!(
            markdown::of(&matrix),
            "| cases | host 6.18.5 | virtual 6.1.0 |\n\
             | --- | --: | --: |\n\
             | ok | 2 | 1 |\n\
             | FAILED | 0 | 0 |\n\
             | ignored | 0 | 1 |\n\
             | too slow | 0 | 0 |\n\
             \n\
             | where they differ | host 6.18.5 | virtual 6.1.0 |\n\
             | --- | --- | --- |\n\
             | `a::other` | ok | ignored: kernel 6.5 |\n"
        );
        assert_eq!(matrix.exit(), Exit::AllWell);
    }
}
