//! `lastack new`: a case file that compiles and runs as it is.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Exit, NewArguments, print};
use crate::error::{Context, Error, Result};
use crate::runner::registry::{Registry, snake_case, well_formed};

/// Folders of the case crate that are no families, and words that Rust keeps for itself.
const RESERVED: &str = "src tests benches examples target \
    abstract as async await become box break const continue crate do dyn else enum extern false \
    final fn for gen if impl in let loop macro match mod move mut override priv pub ref return \
    self static struct super trait true try type typeof unsafe unsized use virtual where while \
    yield";

pub(super) fn new(registry: &Registry, arguments: &NewArguments, home: &Path) -> Result<Exit> {
    let path = write(registry, arguments, home)?;
    let NewArguments { family, name, .. } = arguments;
    print(&format!("{}\nrun it: cargo run --release -- run {family}::{name}\n", path.display()));
    Ok(Exit::AllWell)
}

fn write(registry: &Registry, arguments: &NewArguments, home: &Path) -> Result<PathBuf> {
    let NewArguments { family, name, covers, new_family } = arguments;
    for (what, word) in [("family", family), ("name", name)] {
        if !snake_case(word) || RESERVED.split(' ').any(|reserved| reserved == word) {
            return Err(Error::usage(format!("{word:?} is no {what}: use plain snake_case")));
        }
    }
    if !home.is_dir() {
        return Err(Error::usage(format!(
            "the case crate is not at {}: this program was built elsewhere",
            home.display()
        )));
    }
    let folder = home.join(family);
    if !folder.is_dir() && !new_family {
        let known: BTreeSet<_> = registry.cases().iter().map(|case| case.family).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Error::usage(format!(
            "there is no family {family} (there are {known}); --new-family begins one"
        )));
    }
    let id = match covers {
        Some(id) => free(registry, id)?,
        None => draft(registry),
    };
    let path = folder.join(format!("{name}.rs"));
    let what = || format!("write {}", path.display());
    std::fs::create_dir_all(&folder).context(what)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text(name, &id).as_bytes()))
        .context(what)?;
    Ok(path)
}

/// The id, if it is one and no other file covers it.
fn free(registry: &Registry, id: &str) -> Result<String> {
    if !well_formed(id) {
        return Err(Error::usage(format!("{id:?} is no catalogue id such as GC-02")));
    }
    match registry.cases().iter().find(|case| case.covers.contains(&id)) {
        Some(case) => Err(Error::usage(format!("{id} is already covered, in {}", case.file))),
        None => Ok(id.to_owned()),
    }
}

/// The first free row of the drafts. A row has one file, so two drafts cannot share one.
fn draft(registry: &Registry) -> String {
    let taken: BTreeSet<_> =
        registry.cases().iter().flat_map(|case| case.covers.iter().copied()).collect();
    (1..100)
        .map(|number| format!("ZZ-{number:02}"))
        .find(|id| !taken.contains(id.as_str()))
        .unwrap_or_else(|| "ZZ-99".to_owned())
}

fn text(name: &str, id: &str) -> String {
    let title = name.replace('_', " ");
    format!(
        r#"//! The rule under test, in one sentence: {title}.
//!
//! Source: where the kernel or a specification says so.

use lastack::prelude::*;

/// Registers this file's cases.
pub fn cases(family: &mut Family) {{
    family
        .case("{name}")
        .covers(["{id}"])
        .source("the kernel function, or the section of an RFC")
        .run({name});
}}

async fn {name}(_scene: Scene) -> Result {{
    Ok(())
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(family: &str, name: &str, new_family: bool) -> NewArguments {
        let (family, name) = (family.to_owned(), name.to_owned());
        NewArguments { family, name, covers: None, new_family }
    }

    fn refusal(arguments: &NewArguments, home: &Path) -> String {
        let registry = Registry::build(&[]).unwrap();
        write(&registry, arguments, home).unwrap_err().to_string()
    }

    #[test]
    fn a_case_file_is_written_once_and_never_over_another() {
        let home = tempfile::tempdir().unwrap();
        let registry = Registry::build(&[]).unwrap();
        let wanted = arguments("linger", "zero_sends_rst", true);
        let path = write(&registry, &wanted, home.path()).unwrap();
        assert_eq!(path, home.path().join("linger/zero_sends_rst.rs"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#".covers(["ZZ-01"])"#), "{text}");
        std::fs::write(&path, "precious").unwrap();
        let error = refusal(&wanted, home.path());
        assert!(error.contains("File exists"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn names_that_would_not_compile_or_leave_the_folder_are_refused() {
        let home = tempfile::tempdir().unwrap();
        for (family, name) in
            [("../etc", "x"), ("linger", "a/b"), ("Linger", "x"), ("linger", "2x"), ("src", "x")]
        {
            let error = refusal(&arguments(family, name, true), home.path());
            assert!(error.contains("snake_case"), "{error}");
        }
        let error = refusal(&arguments("lingre", "x", false), home.path());
        assert!(error.starts_with("there is no family lingre"), "{error}");
    }
}
