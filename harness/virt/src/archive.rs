//! The archive that a kernel unpacks into its first file system: cpio, in the newer ASCII form.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

use cpio::newc::{Builder, trailer};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;
const LINK: u32 = 0o120_777;

/// The kernel finds the next archive at a multiple of four; this one also pleases who reads it by
/// sectors.
const BLOCK: usize = 512;

/// The name of the last entry.
const END: &[u8] = b"TRAILER!!!";

/// An archive being written. Several may follow each other in one file: the kernel unpacks them
/// all, into one tree.
pub(super) struct Archive<W> {
    out: Counted<W>,
    folders: BTreeSet<String>,
    files: BTreeSet<String>,
    entries: u32,
}

/// Knows how much was written.
struct Counted<W> {
    out: W,
    written: usize,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether an archive that was finished is still whole.
pub(super) fn is_whole(archive: &[u8]) -> bool {
    let last = archive.len().saturating_sub(BLOCK + END.len());
    archive.len().is_multiple_of(BLOCK) && archive[last..].windows(END.len()).any(|w| w == END)
}

impl<W: Write> Archive<W> {
    /// One that is written to `out`.
    pub(super) fn to(out: W) -> Self {
        let (folders, files) = (BTreeSet::new(), BTreeSet::new());
        Self { out: Counted { out, written: 0 }, folders, files, entries: 0 }
    }

    /// A file that may be executed, by its path from the root, with the folders above it. One
    /// that is there already, as a library of two programs is, stays as it is.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.copy(path, content.len() as u64, content)
    }

    /// As [`Archive::file`], with the first `length` bytes of `content`, which is never whole in
    /// memory.
    pub(super) fn copy(
        &mut self,
        path: &str,
        length: u64,
        mut content: impl Read,
    ) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        if !self.files.insert(path.to_owned()) {
            return Ok(());
        }
        self.folders_above(path)?;
        self.entry(path, PROGRAM, None, length, &mut content)
    }

    /// An empty folder.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        self.folders_above(path)?;
        if self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER, None, 0, &mut io::empty())
        } else {
            Ok(())
        }
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        if !self.files.insert(path.to_owned()) {
            return Ok(());
        }
        self.folders_above(path)?;
        self.entry(path, LINK, None, target.len() as u64, &mut target.as_bytes())
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        self.folders_above(path)?;
        self.entry(path, DEVICE, Some((major, minor)), 0, &mut io::empty())
    }

    fn folders_above(&mut self, path: &str) -> io::Result<()> {
        let ends: Vec<_> = path.match_indices('/').map(|(end, _)| end).collect();
        for end in ends {
            if self.folders.insert(path[..end].to_owned()) {
                self.entry(&path[..end], FOLDER, None, 0, &mut io::empty())?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        path: &str,
        mode: u32,
        device: Option<(u32, u32)>,
        length: u64,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        self.entries += 1;
        let (major, minor) = device.unwrap_or_default();
        let length = u32::try_from(length).map_err(io::Error::other)?;
        // Nobody's time and nobody's inode: the same content makes the same archive.
        let entry = Builder::new(path).ino(self.entries).nlink(1).mode(mode);
        let entry = entry.rdev_major(major).rdev_minor(minor);
        let mut writer = entry.write(&mut self.out, length);
        // Less than was said is an error of the writer's when it finishes.
        io::copy(&mut content.take(u64::from(length)), &mut writer)?;
        writer.finish().map(drop)
    }

    /// Ends the archive and fills it up to a block: what it was written to, and its length.
    pub(super) fn finish(self) -> io::Result<(W, usize)> {
        let mut counted = trailer(self.out)?;
        let left = counted.written.next_multiple_of(BLOCK) - counted.written;
        counted.write_all(&[0; BLOCK][..left])?;
        counted.flush()?;
        Ok((counted.out, counted.written))
    }
}

#[cfg(test)]
mod tests {
    use cpio::newc::Reader;

    use super::*;

    #[test]
    fn each_folder_and_file_is_in_it_once_and_folders_come_first() {
        let mut archive = Archive::to(Vec::new());
        archive.file("/usr/lib/one", b"1").unwrap();
        archive.file("/usr/lib/two", b"22").unwrap();
        archive.file("/usr/lib/one", b"another").unwrap();
        archive.folder("/usr/lib").unwrap();
        let (bytes, length) = archive.finish().unwrap();
        assert_eq!(length, bytes.len());
        assert!(is_whole(&bytes) && !is_whole(&bytes[..BLOCK / 2]));
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
