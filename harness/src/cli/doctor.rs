//! `lastack doctor`: what this machine can run, what is missing, and how to get it.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::{Exit, json, print};
use crate::error::Result;
use crate::runner::needs::{self, Need, Unmet};
use crate::runner::registry::Registry;
use crate::sys::probe;
use crate::sys::spawn::Owner;

#[derive(Serialize)]
struct Finding {
    need: String,
    met: bool,
    /// How it is met, or why it is not.
    detail: Option<String>,
    remedy: Option<String>,
    /// How many cases cannot run without it.
    cases: usize,
}

#[derive(Serialize)]
struct Examination {
    kernel: String,
    runnable: usize,
    ignored: usize,
    findings: Vec<Finding>,
}

impl Finding {
    fn new(need: String, answer: std::result::Result<Option<String>, Unmet>, cases: usize) -> Self {
        match answer {
            Ok(detail) => Self { need, met: true, detail, remedy: None, cases },
            Err(Unmet { reason, remedy, .. }) => {
                Self { need, met: false, detail: Some(reason), remedy: Some(remedy), cases }
            }
        }
    }
}

pub(super) fn doctor(registry: &Registry, as_json: bool) -> Result<Exit> {
    let machine = needs::machine();
    let examination = examine(registry, &machine);
    if as_json {
        json(&examination)
    } else {
        print(&in_words(&examination))
    }
    Ok(if machine.is_ok() { Exit::AllWell } else { Exit::NothingCanRun })
}

fn examine(registry: &Registry, machine: &std::result::Result<(), Unmet>) -> Examination {
    let cases = registry.cases();
    let owner = match probe::namespaces() {
        Ok(Owner::Root) => "as the machine's root",
        _ => "in a user namespace",
    };
    let answer = machine.clone().map(|()| Some(owner.to_owned()));
    let mut findings = vec![Finding::new("namespaces".to_owned(), answer, cases.len())];
    // What cases ask for, and what is worth knowing even before one does.
    let usual = [
        Need::Redirect,
        Need::Netem,
        Need::Nft,
        Need::Reject,
        Need::Conntrack,
        Need::SockDestroy,
        Need::Guest,
    ];
    let asked: BTreeSet<Need> =
        usual.into_iter().chain(cases.iter().flat_map(|case| case.needs.clone())).collect();
    for need in asked {
        let wanting = cases.iter().filter(|case| case.needs.contains(&need)).count();
        findings.push(Finding::new(need.to_string(), need.check().map(|()| None), wanting));
    }
    let ignored = match machine {
        Ok(()) => cases.iter().filter(|case| case.obstacle().is_some()).count(),
        Err(_) => cases.len(),
    };
    Examination {
        kernel: probe::kernel_version().1,
        runnable: cases.len() - ignored,
        ignored,
        findings,
    }
}

fn in_words(examination: &Examination) -> String {
    let Examination { kernel, runnable, ignored, findings } = examination;
    let mut text = format!("kernel {kernel}: {runnable} cases can run, {ignored} cannot\n\n");
    let width = findings.iter().map(|finding| finding.need.len()).max().unwrap_or(0);
    for Finding { need, met, detail, remedy, cases } in findings {
        let word = if *met { "yes" } else { "NO" };
        let detail = detail.as_deref().map(|detail| format!("  {detail}")).unwrap_or_default();
        let wanted = match (met, cases) {
            (false, 1) => " (one case needs it)".to_owned(),
            (false, 2..) => format!(" ({cases} cases need it)"),
            _ => String::new(),
        };
        let _ = writeln!(text, "{need:width$}  {word:3}{detail}{wanted}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:width$}       → {remedy}", "");
        }
    }
    text
}
