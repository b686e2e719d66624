//! Finds the case files: `<family>/<scenario>.rs`, for every folder here that is not the
//! crate's own. A new file needs no other edit; one without `pub fn cases` does not compile.
//! Beside them it makes a table of the catalogue that they cover.
//!
//! The modules are listed in `families.rs`, which is checked in because rustfmt and rust-analyzer
//! find files by reading `mod`. As Cargo does with its lock file, this script brings it up to date.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "build/catalogue.rs"]
mod catalogue;

/// Folders that hold the crate, not cases.
const OWN: [&str; 7] = ["src", "tests", "benches", "examples", "target", "build", "catalogue"];

const HEAD: &str =
    "//! The case files. The build script writes this list: edit nothing here, and commit it.\n";

fn main() -> Result<(), Box<dyn Error>> {
    // At a fixed address, so that the loader has nothing to move: each case is a process of this
    // program, and would copy a hundred pages for that.
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu") {
        println!("cargo::rustc-link-arg=-no-pie");
    }
    let home = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    // Cargo looks through the whole folder: a file or a family added, renamed or removed.
    println!("cargo::rerun-if-changed=.");
    let mut modules = HEAD.to_owned();
    let mut table = String::new();
    for family in entries(&home, Path::is_dir)? {
        let name = name(&family)?;
        if OWN.contains(&name) || name.starts_with('.') {
            continue;
        }
        identifier(name, name);
        writeln!(modules, "\npub mod {name} {{")?;
        for file in entries(&family, |path| path.extension().is_some_and(|end| end == "rs"))? {
            let case = file.file_stem().and_then(|stem| stem.to_str()).ok_or("not UTF-8")?;
            let relative = format!("{name}/{case}.rs");
            identifier(case, &relative);
            opening(&file, &relative)?;
            writeln!(modules, "    pub mod {case};")?;
            writeln!(
                table,
                "    FamilySource {{ family: {name:?}, file: {relative:?}, \
                 cases: families::{name}::{case}::cases }},"
            )?;
        }
        writeln!(modules, "}}")?;
    }
    list(&home.join("families.rs"), &modules);
    let text = format!("static FAMILIES: &[FamilySource] = &[\n{table}];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("table.rs"), text)?;
    std::fs::write(out.join("catalogue.rs"), catalogue::table(&home.join("catalogue"))?)?;
    // The tests run this program over folders in which something is wrong.
    println!("cargo::rustc-env=LASTACK_BUILD_SCRIPT={}", std::env::current_exe()?.display());
    fixture(&home.join("../fixtures/panics.rs"), &out.join("panics"), &["-Cpanic=abort"])
}

/// Writes the list if it is not this one already.
fn list(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return;
    }
    let written = File::create(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // Were it newer than this run, Cargo would take it for a reason to run this again.
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
    });
    if let Err(error) = written {
        println!("cargo::error=failed to bring {} up to date: {error}", path.display());
    }
}

/// Compiles a program that a case runs and that Cargo cannot build beside it, because it wants
/// other code generation than the rest. Cases carry it in themselves, so it is made small.
fn fixture(source: &Path, program: &Path, own: &[&str]) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", source.display());
    let mut rustc = Command::new(std::env::var("RUSTC")?);
    rustc.args(["--edition=2024", "-Copt-level=s", "-Cstrip=symbols"]).args(own);
    rustc.args(["--target", &std::env::var("TARGET")?]);
    // As Cargo compiles everything else for this target: with its linker and the user's flags.
    if let Ok(linker) = std::env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    let status = rustc.arg(source).arg("-o").arg(program).status()?;
    if !status.success() {
        println!("cargo::error=failed to compile {}: {status}", source.display());
    }
    Ok(())
}

fn entries(folder: &Path, wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        found.push(entry?.path());
    }
    found.retain(|path| wanted(path));
    found.sort();
    Ok(found)
}

fn name(path: &Path) -> Result<&str, Box<dyn Error>> {
    Ok(path.file_name().and_then(|name| name.to_str()).ok_or("a folder's name is not UTF-8")?)
}

/// Names become modules and parts of test names.
fn identifier(name: &str, path: &str) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.chars().all(plain) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        println!("cargo::error={path}: the name of a family or a case file is in snake_case");
    }
}

/// A case file opens with the rule it tests.
fn opening(file: &Path, relative: &str) -> Result<(), Box<dyn Error>> {
    if !std::fs::read_to_string(file)?.starts_with("//! ") {
        println!("cargo::error={relative}: a case file opens with the rule it tests (//! …)");
    }
    Ok(())
}
