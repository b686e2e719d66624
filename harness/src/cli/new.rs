//! `lastack new`: a case file that compiles and runs as it is.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Exit, NewArguments, print};
use crate::error::{Context, Error, Result};
use crate::runner::catalogue::Row;
use crate::runner::catalogue::well_formed;
use crate::runner::registry::{Registry, snake_case};

/// Folders of the case crate that are no families, and words that Rust keeps for itself.
const RESERVED: &str = "src tests benches examples target build catalogue \
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
    let covered = covers.as_deref().map(|id| covered(registry, id)).transpose()?;
    let path = folder.join(format!("{name}.rs"));
    let what = || format!("write {}", path.display());
    std::fs::create_dir_all(&folder).context(what)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text(name, &covered.unwrap_or_default()).as_bytes()))
        .context(what)?;
    Ok(path)
}

/// What says in the file that it covers this row, and that the row's source is its own.
fn covered(registry: &Registry, id: &str) -> Result<String> {
    if !well_formed(id) {
        return Err(Error::usage(format!("{id:?} is no catalogue id such as GC-02")));
    }
    let covers = format!("\n        .covers([{id:?}])");
    match registry.row(id) {
        Some(Row { source, .. }) => Ok(format!("{covers}\n        .source({source:?})")),
        None if registry.rows().is_empty() => Ok(covers),
        None => Err(Error::usage(format!(
            "{id} is no row of the catalogue: write the row first, or leave --covers out"
        ))),
    }
}

fn text(name: &str, covered: &str) -> String {
    let title = name.replace('_', " ");
    let registration = match covered {
        "" => format!("family.case({name:?}).run({name});"),
        _ => format!("family\n        .case({name:?}){covered}\n        .run({name});"),
    };
    format!(
        r#"//! The rule under test, in one sentence: {title}.

use lastack::prelude::*;

/// Registers this file's cases.
pub fn cases(family: &mut Family) {{
    {registration}
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
        assert!(text.contains(r#"family.case("zero_sends_rst").run(zero_sends_rst);"#), "{text}");
        assert!(!text.contains(".covers(") && !text.contains(".source("), "{text}");
        std::fs::write(&path, "precious").unwrap();
        let error = refusal(&wanted, home.path());
        assert!(error.contains("File exists"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_case_of_a_row_names_it_and_its_source_and_the_row_exists() {
        static ROWS: [Row; 1] =
            [Row { id: "LI-07", rule: "A signal ends it.", source: "stream.c", absent: None }];
        let home = tempfile::tempdir().unwrap();
        let registry = Registry::build(&[]).unwrap().catalogue(&ROWS).unwrap();
        let named = |name, id: &str| NewArguments {
            covers: Some(id.to_owned()),
            ..arguments("linger", name, true)
        };
        let path = write(&registry, &named("a_signal", "LI-07"), home.path()).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains("        .covers([\"LI-07\"])\n        .source(\"stream.c\")"),
            "{text}"
        );
        for (id, why) in [("LI-08", "is no row of the catalogue"), ("LI", "is no catalogue id")] {
            let error = write(&registry, &named("b", id), home.path()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(!home.path().join("linger/b.rs").exists());
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
