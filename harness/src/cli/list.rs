//! `lastack list`: what there is.

use std::fmt::Write;

use serde::Serialize;

use super::{Exit, json, print};
use crate::error::Result;
use crate::runner::case::Case;
use crate::runner::needs;
use crate::runner::registry::Registry;

#[derive(Serialize)]
struct Listed<'c> {
    id: &'c [&'static str],
    name: &'c str,
    family: &'c str,
    title: &'c str,
    claims: &'c [&'static str],
    needs: Vec<String>,
    kernel: &'static str,
    ignored: Option<String>,
    source: &'c str,
    file: &'c str,
}

impl<'c> From<&'c Case> for Listed<'c> {
    fn from(case: &'c Case) -> Self {
        Self {
            id: &case.covers,
            name: &case.name,
            family: case.family,
            title: &case.title,
            claims: &case.claims,
            needs: case.needs.iter().map(ToString::to_string).collect(),
            // Guest kernels are a later issue; until then every case runs on this machine's.
            kernel: "host",
            ignored: needs::machine().err().or_else(|| case.obstacle()).map(|u| u.to_string()),
            source: case.source,
            file: case.file,
        }
    }
}

pub(super) fn list(registry: &Registry, as_json: bool) -> Result<Exit> {
    let listed: Vec<_> = registry.cases().iter().map(Listed::from).collect();
    if as_json {
        json(&listed);
        return Ok(Exit::AllWell);
    }
    let machine = needs::machine();
    if let Err(unmet) = &machine {
        super::nothing_can_run(unmet);
    }
    let width = listed.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for case in &listed {
        let ids = case.id.join(" ");
        let ignored = match &case.ignored {
            Some(why) if machine.is_ok() => format!("  ignored: {why}"),
            _ => String::new(),
        };
        let _ = writeln!(text, "{:width$}  {ids}{ignored}", case.name);
    }
    print(&text);
    Ok(Exit::AllWell)
}
