//! Programs for a virtual kernel: each with its loader and libraries, at the paths they have here.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use object::{
    LittleEndian, ReadCache, elf,
    read::elf::{FileHeader, ProgramHeader},
};

use super::archive::Archive;
use lastack_sys::error::{Context, Error, Result};

type Header = elf::FileHeader64<LittleEndian>;

/// What a loader needs to find libraries that are not in its own folders.
const CACHE: &str = "/etc/ld.so.cache";

/// What tells the files that went into an image from others: another file, length or time of
/// writing is another stamp.
#[derive(Debug, Default)]
pub(super) struct Stamps(DefaultHasher);

impl Stamps {
    fn add(&mut self, path: &str, file: &File) -> io::Result<()> {
        let found = file.metadata()?;
        let written = (found.mtime(), found.mtime_nsec());
        (path, found.dev(), found.ino(), found.len(), written).hash(&mut self.0);
        Ok(())
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// Puts the program in `file` into the archive as `path`, and all it needs to run.
///
/// # Errors
/// It cannot be read, is no program, or a library of it is not there.
pub(super) fn configure<W: Write>(
    archive: &mut Archive<W>,
    path: &str,
    file: &Path,
    stamps: &mut Stamps,
) -> Result {
    let context = || format!("put {} into an image", file.display());
    add(archive, path, file, stamps).context(context)?;
    let program = File::open(file).context(context)?;
    // A script, or linked with all it needs, has no loader.
    let Some(loader) = loader(&ReadCache::new(program)) else { return Ok(()) };
    for library in libraries(&loader, file)?.into_iter().chain([loader, CACHE.into()]) {
        let Some(path) = library.to_str() else { continue };
        match add(archive, path, &library, stamps) {
            Err(error) if path == CACHE && error.kind() == io::ErrorKind::NotFound => {}
            added => added.context(|| format!("put {path} into an image"))?,
        }
    }
    Ok(())
}

/// The program that loads the one in this file, if it is not loaded by the kernel alone.
///
/// # Errors
/// The file cannot be read.
pub(super) fn loader_of(file: &Path) -> Result<Option<PathBuf>> {
    let opened = File::open(file).context(|| format!("read {}", file.display()))?;
    Ok(loader(&ReadCache::new(opened)))
}

/// The program that loads this one, if it is not loaded by the kernel alone.
fn loader(program: &ReadCache<File>) -> Option<PathBuf> {
    let header = Header::parse(program).ok()?;
    let mut parts = header.program_headers(LittleEndian, program).ok()?.iter();
    let name = parts.find_map(|part| part.interpreter(LittleEndian, program).ok()?)?;
    Some(PathBuf::from(str::from_utf8(name).ok()?))
}

/// The libraries that the loader would take, as it says itself.
///
/// # Errors
/// One is not there, or the loader cannot load this file.
pub(super) fn libraries(loader: &Path, program: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("ask {} for the libraries of {}", loader.display(), program.display());
    let output = Command::new(loader).arg("--list").arg(program).output().context(context)?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(Error::system(context(), complaint.trim()));
    }
    let mut found = Vec::new();
    for line in said.lines() {
        // "name => path (address)"; the loader itself and the kernel's page have no arrow.
        let Some((name, place)) = line.split_once(" => ") else { continue };
        match place.split(" (").next() {
            Some(path) if path.starts_with('/') => found.push(PathBuf::from(path)),
            _ => return Err(Error::system(context(), format!("{} {place}", name.trim()))),
        }
    }
    Ok(found)
}

/// Where a file with this path really is: without links in its folders, which are put into the
/// archive, too. On a system of today `/lib` is a link, and it must not be a folder where what is
/// mounted over this tree has it as a link.
fn place<W: Write>(archive: &mut Archive<W>, path: &str) -> io::Result<String> {
    let Some((folder, name)) = Path::new(path).parent().zip(Path::new(path).file_name()) else {
        return Ok(path.to_owned());
    };
    let mut here = PathBuf::from("/");
    for part in folder.components().skip(1) {
        let next = here.join(part);
        here = match next.is_symlink() {
            true => fs::canonicalize(&next)?,
            false => next.clone(),
        };
        if let (true, Some(link), Some(target)) = (here != next, next.to_str(), here.to_str()) {
            archive.link(link, target)?;
        }
    }
    Ok(here.join(name).to_string_lossy().into_owned())
}

/// Adds the file up to the end of what is loaded of it. Behind that are names and debug
/// information, three quarters of a test's file, which would only fill the virtual kernel's memory.
fn add<W: Write>(
    archive: &mut Archive<W>,
    path: &str,
    file: &Path,
    stamps: &mut Stamps,
) -> io::Result<()> {
    let path = &place(archive, path)?;
    let mut file = File::open(file)?;
    stamps.add(path, &file)?;
    let length = file.metadata()?.len();
    let loaded = loaded(&ReadCache::new(file.try_clone()?)).filter(|end| *end <= length);
    file.seek(SeekFrom::Start(0))?;
    let Some(loaded) = loaded else { return archive.copy(path, length, file) };
    let mut head = [0; size_of::<Header>()];
    file.read_exact(&mut head)?;
    if let Ok((header, _)) = object::pod::from_bytes_mut::<Header>(&mut head) {
        header.e_shoff.set(LittleEndian, 0);
        header.e_shnum.set(LittleEndian, 0);
        header.e_shstrndx.set(LittleEndian, 0);
    }
    archive.copy(path, loaded, head.chain(file))
}

/// Where the part of a program ends that is loaded, if it is one.
fn loaded(program: &ReadCache<File>) -> Option<u64> {
    let header = Header::parse(program).ok()?;
    let parts = header.program_headers(LittleEndian, program).ok()?.iter();
    parts
        .filter(|part| part.p_type(LittleEndian) == elf::PT_LOAD)
        .map(|part| part.p_offset(LittleEndian) + part.p_filesz(LittleEndian))
        .max()
}
