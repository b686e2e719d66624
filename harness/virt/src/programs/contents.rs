//! The files of this machine that an image is to hold, at the paths they have here: what they are,
//! not yet what is in them.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::{OsStr, OsString},
    fs::{self, Metadata},
    io::{self, ErrorKind},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Component, Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

/// What a virtual kernel mounts there hides what an image has.
const HIDDEN: [&str; 6] = ["/dev", "/mnt", "/proc", "/run", "/sys", "/tmp"];

/// What only a linker reads.
const STATIC: &str = ".a";

/// More links than these on one way lead in a circle (`path_resolution(7)`).
const LINKS: usize = 40;

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder on the way to something else: who puts other things there changes nothing.
    Way,
    /// A folder of which everything was wanted.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link, and what it says.
    Link(PathBuf),
    /// A symbolic link that this machine does not have.
    Made(PathBuf),
}

/// A path with all that is kept of it but its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// With the bits of `chmod(2)` only.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) size: u64,
    /// Since the epoch, in seconds and nanoseconds.
    pub(super) modified: (i64, i64),
}

impl Entry {
    fn of(path: &Path, found: &Metadata) -> io::Result<Option<Self>> {
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Way,
            kind if kind.is_file() => Kind::File,
            kind if kind.is_symlink() => Kind::Link(fs::read_link(path)?),
            // A socket or a device is of no use on another machine.
            _ => return Ok(None),
        };
        let modified = (found.mtime(), found.mtime_nsec());
        let (uid, gid, mode) = (found.uid(), found.gid(), found.mode() & 0o7777);
        Ok(Some(Self { kind, mode, uid, gid, size: found.len(), modified }))
    }

    /// In words that are equal where nothing has changed that an image would show.
    fn words(&self) -> String {
        let Self { kind, mode, uid, gid, size, modified: (seconds, nanoseconds) } = self;
        let owned = format!("{mode:o} {uid} {gid}");
        match kind {
            Kind::Way => format!("way {owned}"),
            Kind::Folder => format!("folder {owned} {seconds}.{nanoseconds}"),
            Kind::File => format!("file {owned} {size} {seconds}.{nanoseconds}"),
            Kind::Link(_) => format!("link {seconds}.{nanoseconds}"),
            Kind::Made(_) => "made".to_owned(),
        }
    }

    fn target(&self) -> &[u8] {
        match &self.kind {
            Kind::Link(target) | Kind::Made(target) => target.as_os_str().as_bytes(),
            _ => &[],
        }
    }
}

/// Paths from the root, each folder before what is in it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Contents {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_path(), entry))
    }

    /// All regular files.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.iter().filter(|(_, entry)| entry.kind == Kind::File)
    }

    /// Adds what is at this path, with the folders and links on the way to it: the path that they
    /// lead to.
    ///
    /// # Errors
    /// It is not there, may not be looked at, or would be hidden on a virtual kernel.
    pub(super) fn add(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut rest: VecDeque<OsString> = parts(path)?;
        let (mut here, mut links) = (PathBuf::from("/"), 0);
        while let Some(part) = rest.pop_front() {
            if part == ".." {
                here.pop();
                continue;
            }
            let next = here.join(part);
            if let Some(place) = HIDDEN.iter().find(|place| next.starts_with(place)) {
                let why = format!("{place} is the virtual kernel's own there");
                return Err(io::Error::new(ErrorKind::Unsupported, why));
            }
            if next.as_os_str().as_bytes().contains(&b'\n') {
                return Err(io::Error::new(ErrorKind::InvalidInput, "a path of two lines"));
            }
            let entry = match self.entries.get(&next) {
                Some(known) => Some(known.clone()),
                None => Entry::of(&next, &fs::symlink_metadata(&next)?)?,
            };
            let Some(entry) = entry else {
                return Err(io::Error::new(ErrorKind::Unsupported, "no file, folder or link"));
            };
            let kind = entry.kind.clone();
            self.entries.entry(next.clone()).or_insert(entry);
            match kind {
                Kind::Link(target) | Kind::Made(target) => {
                    links += 1;
                    if links > LINKS {
                        return Err(nix::Error::ELOOP.into());
                    }
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    for part in parts(&target)?.into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                Kind::File if !rest.is_empty() => return Err(nix::Error::ENOTDIR.into()),
                _ => here = next,
            }
        }
        Ok(here)
    }

    /// Adds a folder and all below it that may be read, but for what has a name in `without`, and
    /// static libraries, and what links in it lead to. A file, instead, is added alone.
    ///
    /// # Errors
    /// As [`Contents::add`], of the folder itself.
    pub(super) fn tree(&mut self, path: &Path, without: &[&str]) -> io::Result<()> {
        let mut folders = vec![self.add(path)?];
        while let Some(folder) = folders.pop() {
            match self.entries.get_mut(&folder) {
                Some(entry) if entry.kind == Kind::Way => entry.kind = Kind::Folder,
                _ => continue,
            }
            for child in children(&folder) {
                let name = child.file_name().unwrap_or_default().to_string_lossy();
                if without.contains(&&*name) || name.ends_with(STATIC) {
                    continue;
                }
                // What is gone again, or leads nowhere, or may not be read: as it is here.
                let Ok(real) = self.add(&child) else { continue };
                match self.entries.get(&real).map(|entry| &entry.kind) {
                    Some(Kind::File) if access(&real, AccessFlags::R_OK).is_err() => {
                        self.entries.remove(&real);
                    }
                    // A link out of a tree may lead to the root of all, but not far from there.
                    Some(Kind::Way) if real.starts_with(&folder) => folders.push(real),
                    // A link out of the tree may lead to all of a machine, but not from far.
                    Some(Kind::Way) if is_deep(&real) && !folder.starts_with(&real) => {
                        folders.push(real);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Adds a folder and the folders below it, as far as they may be read, without their files.
    ///
    /// # Errors
    /// As [`Contents::add`], of the folder itself.
    pub(super) fn folders(&mut self, path: &Path) -> io::Result<()> {
        let mut folders = vec![self.add(path)?];
        while let Some(folder) = folders.pop() {
            for child in children(&folder) {
                if fs::symlink_metadata(&child).is_ok_and(|found| found.is_dir())
                    && self.add(&child).is_ok()
                {
                    folders.push(child);
                }
            }
        }
        Ok(())
    }

    /// Puts a link at a path of which this machine has only the folder, or something else.
    ///
    /// # Errors
    /// The folder is not there.
    pub(super) fn link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        let folder = self.add(path.parent().unwrap_or(Path::new("/")))?;
        let kind = Kind::Made(target.to_owned());
        let entry = Entry { kind, mode: 0o777, uid: 0, gid: 0, size: 0, modified: (0, 0) };
        self.entries.insert(folder.join(name), entry);
        Ok(())
    }

    /// All of it as text, to be compared and to be read by [`is_current`].
    pub(super) fn list(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for (path, entry) in &self.entries {
            for part in [entry.words().as_bytes(), path.as_os_str().as_bytes(), entry.target()] {
                list.extend_from_slice(part);
                list.push(0);
            }
        }
        list
    }
}

/// The first path in a list that is no longer as it was.
pub(super) fn changed(list: &[u8]) -> Option<PathBuf> {
    let parts: Vec<_> = list.strip_suffix(&[0]).unwrap_or(list).split(|byte| *byte == 0).collect();
    let differs = |entry: &&[&[u8]]| {
        let [words, path, target] = entry else { return true };
        let path = Path::new(OsStr::from_bytes(path));
        if *words == b"made" {
            return false;
        }
        let found = fs::symlink_metadata(path).and_then(|found| Entry::of(path, &found));
        let Ok(Some(mut entry)) = found else { return true };
        if words.starts_with(b"folder") && entry.kind == Kind::Way {
            entry.kind = Kind::Folder;
        }
        entry.words().as_bytes() != *words || entry.target() != *target
    };
    let first = parts.chunks(3).find(differs)?;
    Some(PathBuf::from(OsString::from_vec(first.get(1).unwrap_or(&&b"?"[..]).to_vec())))
}

/// The names on a path, with ".." but without the root.
fn parts(path: &Path) -> io::Result<VecDeque<OsString>> {
    let mut parts = VecDeque::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push_back(name.to_owned()),
            Component::ParentDir => parts.push_back("..".into()),
            Component::RootDir | Component::CurDir => {}
            Component::Prefix(_) => return Err(ErrorKind::InvalidInput.into()),
        }
    }
    Ok(parts)
}

/// Whether a folder is so far from the root that it holds one thing, as `/etc/nginx` and
/// `/usr/share/nginx` do, and not half a machine.
fn is_deep(folder: &Path) -> bool {
    let names = folder.components().skip(1).count();
    names >= if folder.starts_with("/etc") { 2 } else { 3 }
}

/// What is in a folder, in the order of names; nothing if it may not be read.
fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
