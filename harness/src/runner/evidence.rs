//! What a case leaves for its reader: in the test's own output, and in a directory.

use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::artefacts;
use super::case::Case;
use super::events::{Evidence, Finished, Outcome};
use super::places::Places;
use crate::error::{Attempt, Result};

/// Of a long output, the end is kept: it was nearer to the failure.
const OUTPUT_LIMIT: u64 = 64 * 1024;

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
    let mut evidence = Evidence {
        ladder: artefacts::ladder(journal),
        states,
        output: tail(output),
        directory: None,
        trouble: None,
    };
    match places.directory(&case.name) {
        Ok(directory) => {
            evidence.directory = Some(directory.clone());
            finished.evidence = Some(evidence);
            let kept = keep(places, case, finished, journal, &directory);
            if let (Err(error), Some(evidence)) = (kept, &mut finished.evidence) {
                evidence.trouble = Some(error.to_string());
            }
        }
        Err(error) => {
            evidence.trouble = Some(error.to_string());
            finished.evidence = Some(evidence);
        }
    }
}

fn keep(
    places: &Places,
    case: &Case,
    finished: &Finished,
    journal: &File,
    directory: &Path,
) -> Result {
    let (capture, log) = (directory.join("wire.pcapng"), directory.join("log.txt"));
    // The log first: where only one fits, it says more.
    std::fs::write(&log, account(case, finished))
        .attempt(|| format!("write {}", log.display()))
        .and_then(|()| artefacts::pcapng(journal, &capture))?;
    for file in [&log, &capture] {
        places.hand_over(file);
    }
    Ok(())
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
        Outcome::Passed => "passed".to_owned(),
        Outcome::Failed(message) => message.clone(),
        Outcome::TooSlow(reason) => format!("the machine was too slow to judge: {reason}"),
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}  [{}]", case.name, case.covers.join(", "));
    let _ = writeln!(text, "{}", case.title);
    let _ = writeln!(text, "{}; source: {}\n", case.file, case.source);
    let _ = writeln!(text, "{}", verdict.trim_end());
    let Some(evidence) = &finished.evidence else { return text };
    for (title, part) in [
        ("the wire, and who called what", &evidence.ladder),
        ("sockets at that moment", &evidence.states),
        ("output", &evidence.output),
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
