//! The catalogue: `catalogue/<family>.toml` hold its rows, which become one table in the program.
//!
//! A row is written as
//!
//! ```toml
//! [[row]]
//! id = "GC-02"
//! rule = "What happens, and when, in one sentence."
//! source = "where the kernel or a specification says so"
//! absent = "why no case covers it, if none does"
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    rule: Spanned<String>,
    source: Spanned<String>,
    absent: Option<Spanned<String>>,
}

/// A table of all rows in the order of their ids; what is wrong is told to Cargo.
pub fn table(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut lines = BTreeMap::new();
    for file in super::entries(folder, |path| path.extension().is_some_and(|end| end == "toml"))? {
        let family = file.file_stem().and_then(|stem| stem.to_str()).ok_or("not UTF-8")?;
        let text = std::fs::read_to_string(&file)?;
        let complain = |at: usize, what: &str| {
            let line = 1 + text[..at].matches('\n').count();
            println!("cargo::error=catalogue/{family}.toml:{line}: {what}");
        };
        let rows = match toml::from_str::<File>(&text) {
            Ok(File { row }) => row,
            Err(error) => {
                complain(error.span().map_or(0, |span| span.start), error.message());
                continue;
            }
        };
        for Row { id, rule, source, absent } in rows {
            let at = id.span().start;
            let id = id.into_inner();
            if !of_family(&id, family) {
                complain(at, &format!("{id:?} is no id of this file's, such as {family}-01"));
            }
            for (what, said) in
                [("rule", Some(&rule)), ("source", Some(&source)), ("absent", absent.as_ref())]
            {
                let Some(said) = said else { continue };
                let text = said.get_ref();
                if text.trim().is_empty() || text.contains('\n') {
                    complain(said.span().start, &format!("{id}: {what} wants one line of words"));
                }
            }
            if !rule.get_ref().ends_with('.') {
                complain(
                    rule.span().start,
                    &format!("{id}: a rule is a sentence, with its full stop"),
                );
            }
            let (rule, source) = (rule.into_inner(), source.into_inner());
            let absent = absent.map(Spanned::into_inner);
            let line = format!(
                "    Row {{ id: {id:?}, rule: {rule:?}, source: {source:?}, absent: {absent:?} }},"
            );
            if lines.insert(id.clone(), line).is_some() {
                complain(at, &format!("{id} is there twice"));
            }
        }
    }
    let mut text = String::from("static CATALOGUE: &[Row] = &[\n");
    for line in lines.values() {
        writeln!(text, "{line}")?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// The family's two capitals, a dash, two digits and perhaps a small letter.
fn of_family(id: &str, family: &str) -> bool {
    let number = id.strip_prefix(family).and_then(|rest| rest.strip_prefix('-'));
    let capitals = family.len() == 2 && family.bytes().all(|byte| byte.is_ascii_uppercase());
    let numbered = match number.map(str::as_bytes) {
        Some([tens, ones, rest @ ..]) => {
            tens.is_ascii_digit() && ones.is_ascii_digit() && matches!(rest, [] | [b'a'..=b'z'])
        }
        _ => false,
    };
    capitals && numbered
}
