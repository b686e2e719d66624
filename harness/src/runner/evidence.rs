//! What a case leaves for its reader: in the test's own output, and in a directory.

use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::artefacts;
use super::case::Case;
use super::events::{CaseOutcome, Evidence, Finished};
use super::places::Places;
use super::span::span;
use crate::error::{Context, Result};
use crate::wire::ladder;

/// Of a long output, the end is kept: it was nearer to the failure.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// The name of the capture in a case's directory.
pub(super) const CAPTURE: &str = "wire.pcapng";

/// Renders what the case left and puts it into a directory of its own. A directory that cannot
/// be written (a full disk) is told in the evidence; it changes neither verdict nor ladder.
pub(super) fn gather(
    places: &Places,
    case: &Case,
    finished: &mut Finished,
    states: String,
    journal: &File,
    output: &File,
) {
    let story = artefacts::story(journal);
    finished.evidence = Some(Evidence {
        ladder: ladder::draw(&story),
        states,
        output: tail(output),
        ..Evidence::default()
    });
    keep(places, case, finished, |capture| artefacts::pcapng(&story, capture));
}

/// Puts what a case left into a directory of its own: the account as a log, and the capture that
/// `write` makes at the path it is given. What cannot be kept is told in the evidence. A directory
/// that the evidence names already is used.
pub(super) fn keep(
    places: &Places,
    case: &Case,
    finished: &mut Finished,
    write: impl FnOnce(&Path) -> Result,
) {
    let told = finished.evidence.get_or_insert_default();
    let directory = match told.directory.take() {
        Some(begun) => Ok(begun),
        None => places.directory(&case.name),
    };
    told.directory = directory.as_ref().ok().cloned();
    let kept = directory.and_then(|directory| {
        let (capture, log) = (directory.join(CAPTURE), directory.join("log.txt"));
        // The log first: where only one fits, it says more.
        std::fs::write(&log, account(case, finished))
            .context(|| format!("write {}", log.display()))
            .and_then(|()| write(&capture))?;
        for file in [&log, &capture] {
            places.hand_over(file);
        }
        Ok(())
    });
    if let (Err(error), Some(told)) = (kept, &mut finished.evidence) {
        told.trouble = Some(error.to_string());
    }
}

fn tail(output: &File) -> String {
    let length = output.metadata().map_or(0, |data| data.len());
    let start = length.saturating_sub(OUTPUT_LIMIT);
    let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(0)];
    let read = output.read_exact_at(&mut bytes, start);
    let text = String::from_utf8_lossy(&bytes);
    match (read, start) {
        (Err(error), _) => format!("(failed to read it: {error})"),
        (Ok(()), 0) => text.into_owned(),
        (Ok(()), _) => format!("(the first {start} bytes are left out)\n{text}"),
    }
}

/// The whole account of one case, as its log and the test's output carry it: what failed, the
/// ladder, the sockets at that moment, what was printed, and where the rest is.
#[must_use]
pub fn account(case: &Case, finished: &Finished) -> String {
    let verdict = match &finished.outcome {
        CaseOutcome::Passed => "passed".to_owned(),
        CaseOutcome::Failed(message) => message.clone(),
        CaseOutcome::TooSlow(reason) => format!("the machine was too slow to judge: {reason}"),
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let covered = match case.covers[..] {
        [] => String::new(),
        _ => format!("  [{}]", case.covers.join(", ")),
    };
    let source = match case.source {
        "" => String::new(),
        source => format!("; source: {source}"),
    };
    let _ = writeln!(text, "{}{covered}\n{}\n{}{source}", case.name, case.title, case.file);
    if let Some(release) = finished.place.release() {
        let spent = span(finished.elapsed);
        let _ = writeln!(text, "on the virtual kernel {release}, for {spent} of its time");
    }
    text.push('\n');
    let _ = writeln!(text, "{}", verdict.trim_end());
    let Some(evidence) = &finished.evidence else { return text };
    for (title, part) in [
        ("the wire, and who called what", &evidence.ladder),
        ("sockets at that moment", &evidence.states),
        ("output", &evidence.output),
        ("the virtual kernel's console", &evidence.console),
    ] {
        if !part.trim().is_empty() {
            let _ = writeln!(text, "\n--- {title}\n{}", part.trim_end());
        }
    }
    if let Some(directory) = &evidence.directory {
        let _ = writeln!(text, "\nkept in {}", directory.display());
    }
    if let Some(trouble) = &evidence.trouble {
        let _ = writeln!(text, "\nnot all could be kept: {trouble}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runner::events::Place;
    use crate::runner::registry::{FamilySource, Registry};

    #[test]
    fn an_account_names_the_rows_and_the_source_if_there_are_any() {
        let cases = |family: &mut crate::runner::registration::Family| {
            family.case("bare").run(|_| async { Ok(()) });
            family.case("row").covers(["GC-01", "GC-02"]).source("RFC").run(|_| async { Ok(()) });
        };
        let source = FamilySource { family: "close", file: "close/fin.rs", cases };
        let registry = Registry::build(&[source]).unwrap();
        let passed = Finished::bare(CaseOutcome::Passed, Place::Host, Duration::ZERO);
        let accounts: Vec<_> = registry.cases().iter().map(|case| account(case, &passed)).collect();
        assert_eq!(accounts[0], "close::bare\nbare\nclose/fin.rs\n\npassed\n");
        let row = "close::row  [GC-01, GC-02]\nrow\nclose/fin.rs; source: RFC\n\npassed\n";
        assert_eq!(accounts[1], row);
    }
}
