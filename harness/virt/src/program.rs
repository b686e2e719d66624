//! Programs for a guest: each with its loader and libraries, at the paths they have here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use object::{
    LittleEndian, elf,
    read::elf::{FileHeader, ProgramHeader},
};

use super::archive::Archive;
use lastack_sys::error::{Context, Error, Result};

type Header = elf::FileHeader64<LittleEndian>;

/// What a loader needs to find libraries that are not in its own folders.
const CACHE: &str = "/etc/ld.so.cache";

/// Puts the program in `file` into the archive as `path`, and all it needs to run.
///
/// # Errors
/// It cannot be read, is no program, or a library of it is not there.
pub(super) fn configure(archive: &mut Archive, path: &str, file: &Path) -> Result {
    let context = || format!("put {} into a guest's image", file.display());
    let bytes = fs::read(file).context(context)?;
    let Some(loader) = loader(&bytes) else {
        // A script, or linked with all it needs.
        return archive.file(path, &without_sections(bytes)).context(context);
    };
    archive.file(path, &without_sections(bytes)).context(context)?;
    for library in libraries(&loader, file)?.into_iter().chain([loader, CACHE.into()]) {
        let Some(path) = library.to_str() else { continue };
        match fs::read(&library) {
            Ok(bytes) => archive.file(path, &without_sections(bytes)).context(context)?,
            Err(_) if path == CACHE => {}
            Err(error) => return Err(Error::system(format!("read {path}"), error)),
        }
    }
    Ok(())
}

/// The program that loads this one, if it is not loaded by the kernel alone.
fn loader(program: &[u8]) -> Option<PathBuf> {
    let header = Header::parse(program).ok()?;
    let mut parts = header.program_headers(LittleEndian, program).ok()?.iter();
    let name = parts.find_map(|part| part.interpreter(LittleEndian, program).ok()?)?;
    Some(PathBuf::from(str::from_utf8(name).ok()?))
}

/// The libraries that the loader would take, as it says itself.
fn libraries(loader: &Path, program: &Path) -> Result<Vec<PathBuf>> {
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

/// The program up to the end of what is loaded of it. Behind that are names and debug
/// information, three quarters of a test's file, which would only fill the guest's memory.
fn without_sections(mut program: Vec<u8>) -> Vec<u8> {
    let end = || {
        let header = Header::parse(&program[..]).ok()?;
        let parts = header.program_headers(LittleEndian, &program[..]).ok()?.iter();
        let ends = parts
            .filter(|part| part.p_type(LittleEndian) == elf::PT_LOAD)
            .map(|part| part.p_offset(LittleEndian) + part.p_filesz(LittleEndian));
        usize::try_from(ends.max()?).ok().filter(|end| *end <= program.len())
    };
    let Some(end) = end() else { return program };
    program.truncate(end);
    if let Ok((header, _)) = object::pod::from_bytes_mut::<Header>(&mut program) {
        header.e_shoff.set(LittleEndian, 0);
        header.e_shnum.set(LittleEndian, 0);
        header.e_shstrndx.set(LittleEndian, 0);
    }
    program
}
