//! `lastack doctor`: what this machine can run, what is missing, and how to get it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::{Exit, json, print};
use crate::error::Result;
use crate::runner::elsewhere;
use crate::runner::kernels::{Allowed, Choice};
use crate::runner::needs::{self, Need, Unmet};
use crate::runner::registry::Registry;
use crate::sys::probe;
use crate::sys::spawn::Owner;
use crate::virt::{Kernel, Lack};

#[derive(Serialize)]
struct Finding {
    need: String,
    /// By this machine's kernel, or by a virtual one.
    met: bool,
    /// How or where it is met, or why it is not.
    detail: Option<String>,
    remedy: Option<String>,
    /// How many cases cannot run without it.
    cases: usize,
}

/// A virtual kernel, and how many of all cases might run on it.
#[derive(Serialize)]
struct Found {
    release: String,
    file: PathBuf,
    runnable: usize,
}

#[derive(Serialize)]
struct Examination {
    kernel: String,
    kernels: Vec<Found>,
    /// Why there is no virtual kernel, and what to do.
    no_kernels: Option<String>,
    /// Those that are there and of no use: why, and what to do.
    useless: Vec<String>,
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
    let choice = Choice::among(Allowed::Any);
    let examination = examine(registry, &choice);
    if as_json {
        json(&examination)
    } else {
        print(&in_words(&examination))
    }
    Ok(if choice.possible().is_ok() { Exit::AllWell } else { Exit::NothingCanRun })
}

fn examine(registry: &Registry, choice: &Choice) -> Examination {
    let cases = registry.cases();
    let owner = match probe::namespaces() {
        Ok(Owner::Root) => "as the machine's root",
        _ => "in a user namespace",
    };
    let answer = needs::machine().map(|()| Some(owner.to_owned()));
    let (kernels, no_kernels) = match Kernel::find(None) {
        Ok(_) => (Kernel::all(), None),
        Err(lack) => (Vec::new(), Some(lack.to_string())),
    };
    let mut findings = vec![Finding::new("namespaces".to_owned(), answer, cases.len())];
    // What cases ask for, and what is worth knowing even before one does.
    let usual = [
        Need::Redirect,
        Need::Netem,
        Need::Nft,
        Need::Reject,
        Need::Hold,
        Need::Conntrack,
        Need::SockDestroy,
        Need::Guest,
    ];
    let asked: BTreeSet<Need> =
        usual.into_iter().chain(cases.iter().flat_map(|case| case.needs.clone())).collect();
    for need in asked {
        let wanting = cases.iter().filter(|case| case.needs.contains(&need)).count();
        findings.push(Finding::new(need.to_string(), met(need, &kernels), wanting));
    }
    let ignored = cases.iter().filter(|case| choice.seat(case).is_err()).count();
    let found = |kernel: Kernel| {
        let might = cases.iter().filter(|case| case.obstacle_on(Some(&kernel)).is_none()).count();
        let file = kernel.vmlinuz().to_owned();
        Found { release: kernel.release, file, runnable: might }
    };
    Examination {
        kernel: probe::kernel_version().1,
        kernels: kernels.into_iter().map(found).collect(),
        no_kernels,
        useless: Kernel::useless().iter().map(Lack::to_string).collect(),
        runnable: cases.len() - ignored,
        ignored,
        findings,
    }
}

/// By this machine's kernel, or else by the first virtual one that meets it: which.
fn met(need: Need, kernels: &[Kernel]) -> std::result::Result<Option<String>, Unmet> {
    need.check().map(|()| None).or_else(|unmet| {
        let other = kernels.iter().find(|kernel| elsewhere::check(need, Some(kernel)).is_ok());
        other.map(|kernel| Some(format!("on virtual {}", kernel.release))).ok_or(unmet)
    })
}

fn in_words(examination: &Examination) -> String {
    let Examination { kernel, kernels, no_kernels, useless, runnable, ignored, findings } =
        examination;
    let mut text = format!("kernel {kernel}: {runnable} cases can run, {ignored} cannot\n");
    for Found { release, file, runnable } in kernels {
        let _ = writeln!(text, "virtual kernel {release}, for {runnable}: {}", file.display());
    }
    if let Some(why) = no_kernels {
        let _ = writeln!(text, "no virtual kernel: {why}");
    }
    for why in useless.iter().filter(|why| no_kernels.as_ref() != Some(why)) {
        let _ = writeln!(text, "no use as one: {why}");
    }
    text.push('\n');
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
