//! `lastack list`: what there is.

use std::fmt::Write;

use serde::Serialize;

use super::{Exit, KernelArgument, json, print};
use crate::error::Result;
use crate::runner::case::Case;
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
        let _ = writeln!(text, "{:width$}  {ids}{remark}", case.name);
    }
    print(&text);
    Ok(Exit::AllWell)
}
