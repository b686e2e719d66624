//! The journal of a case as a reader sees it.
//!
//! Both take time in proportion to what the case did, which its journal bounds; neither belongs on
//! a thread that others wait for.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Context, Result};
use crate::wire::{Journal, Story, ladder, pcapng};

/// What the journal tells.
#[must_use]
pub fn story(journal: &File) -> Story {
    Story::of(Journal::read(journal))
}

/// The story in text: both hosts, calls, segments and faults in order of time.
#[must_use]
pub fn ladder(journal: &File) -> String {
    ladder::draw(&story(journal))
}

/// Writes the frames as a file that Wireshark reads.
///
/// # Errors
/// The file cannot be written.
pub fn pcapng(story: &Story, out: &Path) -> Result {
    let write = || {
        let mut file = BufWriter::new(File::create(out)?);
        pcapng::save(story, &mut file)?;
        file.flush()
    };
    write().context(|| format!("write {}", out.display()))
}
