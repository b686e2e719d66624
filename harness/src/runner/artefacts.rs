//! The journal of a case as a reader sees it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Context, Result};
use crate::wire::{Journal, ladder, pcapng};

/// The story in text: both hosts, calls, segments and faults in order of time.
#[must_use]
pub fn ladder(journal: &File) -> String {
    ladder::ladder(&Journal::read(journal))
}

/// The frames as a file that Wireshark reads.
///
/// # Errors
/// The file cannot be written.
pub fn pcapng(journal: &File, out: &Path) -> Result {
    let write = || {
        let mut file = BufWriter::new(File::create(out)?);
        pcapng::pcapng(&Journal::read(journal), &mut file)?;
        file.flush()
    };
    write().context(|| format!("write {}", out.display()))
}
