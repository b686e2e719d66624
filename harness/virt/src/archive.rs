//! The archive that a kernel unpacks into its first file system: cpio, in the newer ASCII form.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use cpio::newc::{Builder, trailer};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

/// The kernel finds the next archive at a multiple of four; this one also pleases who reads it by
/// sectors.
const BLOCK: usize = 512;

/// The name of the last entry.
const END: &[u8] = b"TRAILER!!!";

/// An archive being written. Several may follow each other in one file: the kernel unpacks them
/// all, into one tree.
pub(super) struct Archive {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    files: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    pub(super) fn new() -> Self {
        let (folders, files) = (BTreeSet::new(), BTreeSet::new());
        Self { bytes: Vec::new(), folders, files, entries: 0 }
    }

    /// A file that may be executed, by its path from the root, with the folders above it. One
    /// that is there already, as a library of two programs is, stays as it is.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        if !self.files.insert(path.to_owned()) {
            return Ok(());
        }
        self.folders_above(path)?;
        self.entry(path, PROGRAM, None, content)
    }

    /// An empty folder.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        self.folders_above(path)?;
        if self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER, None, &[])
        } else {
            Ok(())
        }
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        self.folders_above(path)?;
        self.entry(path, DEVICE, Some((major, minor)), &[])
    }

    /// Whether an archive that was finished is still whole.
    pub(super) fn is_whole(archive: &[u8]) -> bool {
        let last = archive.len().saturating_sub(BLOCK + END.len());
        archive.len().is_multiple_of(BLOCK) && archive[last..].windows(END.len()).any(|w| w == END)
    }

    fn folders_above(&mut self, path: &str) -> io::Result<()> {
        let ends: Vec<_> = path.match_indices('/').map(|(end, _)| end).collect();
        for end in ends {
            if self.folders.insert(path[..end].to_owned()) {
                self.entry(&path[..end], FOLDER, None, &[])?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        path: &str,
        mode: u32,
        device: Option<(u32, u32)>,
        content: &[u8],
    ) -> io::Result<()> {
        self.entries += 1;
        let (major, minor) = device.unwrap_or_default();
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        // Nobody's time and nobody's inode: the same content makes the same archive.
        let entry = Builder::new(path).ino(self.entries).nlink(1).mode(mode);
        let entry = entry.rdev_major(major).rdev_minor(minor);
        let mut writer = entry.write(&mut self.bytes, length);
        writer.write_all(content)?;
        writer.finish().map(drop)
    }

    /// The archive, ended and filled up to a block.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        let mut bytes = trailer(self.bytes)?;
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use cpio::newc::Reader;

    use super::*;

    #[test]
    fn each_folder_and_file_is_in_it_once_and_folders_come_first() {
        let mut archive = Archive::new();
        archive.file("/usr/lib/one", b"1").unwrap();
        archive.file("/usr/lib/two", b"22").unwrap();
        archive.file("/usr/lib/one", b"another").unwrap();
        archive.folder("/usr/lib").unwrap();
        let bytes = archive.finish().unwrap();
        assert!(Archive::is_whole(&bytes) && !Archive::is_whole(&bytes[..BLOCK / 2]));
        let (mut rest, mut names) = (&bytes[..], Vec::new());
        loop {
            let entry = Reader::new(rest).unwrap();
            if entry.entry().is_trailer() {
                break;
            }
            names.push((entry.entry().name().to_owned(), entry.entry().file_size()));
            rest = entry.finish().unwrap();
        }
        let expected = [("usr", 0), ("usr/lib", 0), ("usr/lib/one", 1), ("usr/lib/two", 2)];
        assert_eq!(names, expected.map(|(name, size)| (name.to_owned(), size)));
    }
}
