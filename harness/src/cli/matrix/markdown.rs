//! The matrix as tables in Markdown, to be put into a document as they are.

use super::cell::Cell;
use super::table::{Matrix, VERDICTS};

/// How many cases came to what on each kernel; and the cases in which kernels differ, those of
/// which the same is to be said in one row.
pub(super) fn of(matrix: &Matrix) -> String {
    let kernels = || matrix.kernels.iter().map(String::as_str);
    let mut text = line(["cases"].into_iter().chain(kernels()));
    text += &line(["---"].into_iter().chain(kernels().map(|_| "--:")));
    for verdict in VERDICTS {
        let counts = (0..matrix.kernels.len()).map(|kernel| matrix.count(verdict, kernel));
        let cells = [verdict.to_owned()].into_iter().chain(counts.map(|count| count.to_string()));
        text += &line(cells);
    }
    let mut rows: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for row in matrix.cases.iter().filter(|row| row.differs) {
        let cells: Vec<_> = row.on.iter().map(words).collect();
        let name = format!("`{}`", row.name);
        match rows.iter_mut().find(|(said, _)| *said == cells) {
            Some((_, names)) => names.push(name),
            None => rows.push((cells, vec![name])),
        }
    }
    if rows.is_empty() {
        return text;
    }
    text.push('\n');
    text += &line(["where they differ"].into_iter().chain(kernels()));
    text += &line(["---"].into_iter().chain(kernels().map(|_| "---")));
    for (cells, names) in rows {
        text += &line([names.join("<br>")].into_iter().chain(cells));
    }
    text
}

fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells = cells.into_iter().map(|cell| format!(" {} |", cell.as_ref().replace('|', "\\|")));
    format!("|{}\n", cells.collect::<String>())
}

fn words(cell: &Cell) -> String {
    let why = cell.need.as_deref().or_else(|| cell.evidence.lines().next());
    format!("{}{}", cell.verdict, why.map(|why| format!(": {why}")).unwrap_or_default())
}
