//! The folder in which things are kept from one run to the next.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The paths in it whose names begin so.
pub(super) fn named(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(beginning.as_bytes()));
    ours.map(|entry| entry.path()).collect()
}
