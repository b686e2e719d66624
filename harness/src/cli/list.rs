//! `lastack list`: what there is, and what of the catalogue there is not.

use std::fmt::Write;

use serde::Serialize;

use super::{Exit, KernelArgument, json, print};
use crate::error::{Error, Result};
use crate::runner::case::Case;
use crate::runner::catalogue::Row;
use crate::runner::kernels::{Choice, Target};
use crate::runner::registry::Registry;

#[derive(Serialize)]
struct Listed<'c> {
    id: &'c [&'static str],
    name: &'c str,
    family: &'c str,
    title: &'c str,
    claims: &'c [&'static str],
    needs: Vec<String>,
    /// Where it would run: "host", "virtual 6.1.0-…" or, ignored, "none".
    kernel: String,
    ignored: Option<String>,
    source: &'c str,
    file: &'c str,
}

impl<'c> Listed<'c> {
    fn of(case: &'c Case, choice: &Choice) -> Self {
        let seat = choice.target(case);
        Self {
            id: &case.covers,
            name: &case.name,
            family: case.family,
            title: &case.title,
            claims: &case.claims,
            needs: case.needs.iter().map(ToString::to_string).collect(),
            kernel: match &seat {
                Ok(Target::Host) => "host".to_owned(),
                Ok(Target::Virtual(kernel)) => format!("virtual {}", kernel.release),
                Err(_) => "none".to_owned(),
            },
            ignored: seat.err().map(|unmet| unmet.to_string()),
            source: case.source,
            file: case.file,
        }
    }
}

pub(super) fn list(registry: &Registry, as_json: bool, kernel: KernelArgument) -> Result<Exit> {
    let choice = Choice::among(kernel.allowed()?);
    let listed: Vec<_> = registry.cases().iter().map(|case| Listed::of(case, &choice)).collect();
    if as_json {
        json(&listed);
        return Ok(Exit::AllWell);
    }
    let possible = choice.possible();
    if let Err(unmet) = &possible {
        super::nothing_can_run(unmet);
    }
    let width = listed.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for case in &listed {
        let ids = case.id.join(" ");
        let remark = match &case.ignored {
            Some(why) if possible.is_ok() => format!("  ignored: {why}"),
            None if case.kernel != "host" => format!("  {}", case.kernel),
            _ => String::new(),
        };
        let line = format!("{:width$}  {ids}{remark}", case.name);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    print(&text);
    Ok(Exit::AllWell)
}

#[derive(Serialize)]
struct Missing<'r> {
    id: &'r str,
    rule: &'r str,
    source: &'r str,
    reason: Option<&'r str>,
}

/// The rows of the catalogue that no case covers, and why.
pub(super) fn missing(registry: &Registry, as_json: bool) -> Result<Exit> {
    if registry.rows().is_empty() {
        let why = "this program's cases have no catalogue, of which rows could be missing";
        return Err(Error::usage(why.to_owned()));
    }
    let missing: Vec<_> = registry
        .missing()
        .map(|&Row { id, rule, source, absent }| Missing { id, rule, source, reason: absent })
        .collect();
    if as_json {
        json(&missing);
        return Ok(Exit::AllWell);
    }
    let mut text = String::new();
    for Missing { id, rule, reason, .. } in &missing {
        let why = reason.unwrap_or("no reason is given");
        let _ = writeln!(text, "{id:6}  {rule}\n        no case: {why}");
    }
    print(&text);
    Ok(Exit::AllWell)
}
