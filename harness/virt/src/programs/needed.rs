//! What a program needs that it names itself: its loader and libraries, or its interpreter.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use lastack_sys::{error::Result, program as programs};
use object::elf;

use crate::program;

/// How a script begins (`execve(2)`).
const SCRIPT: &[u8] = b"#!";

/// As much of a script's first line as the kernel reads.
const LINE: usize = 256;

/// What kind of program a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Executable {
    /// One that the processor runs, or a library of such.
    Machine,
    /// One that other programs run: its interpreter, and the program that `env` looks for.
    Script(Vec<PathBuf>),
    /// Anything else.
    Other,
}

/// Looks at the file's first bytes.
///
/// # Errors
/// In a few words, why it cannot be run here: it is for another machine, or its interpreter is not
/// there.
pub(super) fn look(file: &Path) -> Result<Executable, String> {
    let mut head = Vec::new();
    let opened = File::open(file).map_err(|error| error.to_string())?;
    opened.take(LINE as u64).read_to_end(&mut head).map_err(|error| error.to_string())?;
    if head.starts_with(&elf::ELFMAG) {
        return machine(&head).map(|()| Executable::Machine);
    }
    match head.strip_prefix(SCRIPT) {
        Some(line) => interpreters(line).map(Executable::Script),
        None => Ok(Executable::Other),
    }
}

/// Whether a virtual kernel's processor runs this ELF file.
fn machine(head: &[u8]) -> Result<(), String> {
    let field =
        |at: usize| head.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
    let little = head.get(5) == Some(&elf::ELFDATA2LSB);
    let wide = head.get(4) == Some(&elf::ELFCLASS64);
    match field(18) {
        elf::EM_X86_64 if little && wide => Ok(()),
        other => {
            let name = match other {
                elf::EM_386 => "a 32-bit x86",
                elf::EM_X86_64 => "an x32",
                elf::EM_ARM => "an ARM",
                elf::EM_AARCH64 => "an AArch64",
                elf::EM_RISCV => "a RISC-V",
                _ => return Err(format!("it is for another machine (ELF machine {other})")),
            };
            Err(format!("it is for another machine, {name}, and virtual kernels are x86_64"))
        }
    }
}

/// The programs in a script's first line.
fn interpreters(line: &[u8]) -> Result<Vec<PathBuf>, String> {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let first = words.next().ok_or("its first line names no interpreter")?;
    let mut found = vec![PathBuf::from(first)];
    if Path::new(first).file_name().is_some_and(|name| name == "env") {
        let looked_for = words.find(|word| !word.starts_with('-') && !word.contains('='));
        if let Some(name) = looked_for {
            found.push(programs::find(name).ok_or_else(|| format!("there is no program {name}"))?);
        }
    }
    match found.iter().find(|file| !file.is_file()) {
        Some(missing) => Err(format!("its interpreter {} is not there", missing.display())),
        None => Ok(found),
    }
}

/// The loader and the libraries of an ELF program, by the paths under which it looks for them. The
/// libraries of a library are looked up by the loader given.
///
/// # Errors
/// One of them is not there.
pub(super) fn libraries(file: &Path, otherwise: Option<&Path>) -> Result<Vec<PathBuf>> {
    let own = program::loader_of(file)?;
    let Some(loader) = own.as_deref().or(otherwise) else { return Ok(Vec::new()) };
    let mut found = program::libraries(loader, file)?;
    found.extend(own);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(content: &[u8]) -> Result<Executable, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, content).unwrap();
        look(&file)
    }

    #[test]
    fn a_program_for_another_machine_is_told_by_its_machine() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(looked(&own), Ok(Executable::Machine));
        for (machine, name) in [(elf::EM_AARCH64, "AArch64"), (elf::EM_386, "32-bit x86")] {
            let mut other = own[..64].to_vec();
            other[18..20].copy_from_slice(&machine.to_le_bytes());
            let said = looked(&other).unwrap_err();
            assert!(said.contains(name) && said.contains("another machine"), "{said}");
        }
        let mut big = own[..64].to_vec();
        big[5] = elf::ELFDATA2MSB;
        assert!(looked(&big).is_err());
        assert!(looked(&own[..8]).is_err());
    }

    #[test]
    fn a_script_needs_its_interpreter_and_what_env_looks_for() {
        assert_eq!(looked(b"#!/bin/sh -e\n"), Ok(Executable::Script(vec!["/bin/sh".into()])));
        let said = looked(b"#!/usr/bin/env -S A=b sh\n").unwrap();
        let Executable::Script(found) = said else { panic!("{said:?}") };
        assert_eq!(found.len(), 2);
        assert!(found[1].ends_with("sh"), "{found:?}");
        assert!(looked(b"#!/no/such/interpreter\n").unwrap_err().contains("/no/such/interpreter"));
        assert!(
            looked(b"#!/usr/bin/env no-such-program\n").unwrap_err().contains("no-such-program")
        );
        assert!(looked(b"#!").is_err());
        assert_eq!(looked(b"text"), Ok(Executable::Other));
        assert_eq!(looked(b""), Ok(Executable::Other));
    }
}
