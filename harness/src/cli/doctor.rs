//! `lastack doctor`: what this machine can run, what is missing, and how to get it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Exit, json, print};
use crate::error::Result;
use crate::runner::case::Case;
use crate::runner::elsewhere;
use crate::runner::guests::Guests;
use crate::runner::kernels::{Allowed, Choice, Target};
use crate::runner::needs::{self, Need, Unmet};
use crate::runner::places::Places;
use crate::runner::registry::Registry;
use crate::sys::probe::{self, Trial};
use crate::sys::spawn::Owner;
use crate::virt::{Kernel, Lack};

mod words;

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
    /// If it was tried.
    boot: Option<Boot>,
}

/// What came of a boot.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Boot {
    /// It could run cases after so long.
    Seconds(f64),
    /// It cannot run any: why, and what to do.
    Trouble(String),
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

pub(super) fn doctor(registry: &Registry, boot: bool, as_json: bool) -> Result<Exit> {
    let choice = Choice::among(Allowed::Any);
    let boots = if boot { Boots::of_all(registry) } else { Boots::default() };
    let examination = examine(registry, &choice, &boots);
    if as_json {
        json(&examination)
    } else {
        print(&words::of(&examination))
    }
    let comes = |found: &Found| !matches!(found.boot, Some(Boot::Trouble(_)));
    let some = choice.host() || examination.kernels.iter().any(comes);
    Ok(if some { Exit::AllWell } else { Exit::NothingCanRun })
}

/// What came of those kernels' boots that were tried, by their files.
#[derive(Default)]
struct Boots(BTreeMap<PathBuf, std::result::Result<Duration, Unmet>>);

impl Boots {
    /// One after the other: two at once would each take as long as both.
    fn of_all(registry: &Registry) -> Self {
        let guests = Guests::new(registry, Places::find(), false);
        let one = |kernel: &Kernel| (kernel.vmlinuz().to_owned(), guests.try_out(kernel));
        Self(Kernel::all().iter().map(one).collect())
    }

    /// Whether this kernel came up, as far as that was tried.
    fn came(&self, kernel: &Kernel) -> std::result::Result<(), Unmet> {
        match self.0.get(kernel.vmlinuz()) {
            Some(Err(unmet)) => {
                let reason = format!("virtual {} does not boot", kernel.release);
                Err(Unmet { reason, ..unmet.clone() })
            }
            _ => Ok(()),
        }
    }

    fn told(&self, kernel: &Kernel) -> Option<Boot> {
        self.0.get(kernel.vmlinuz()).map(|answer| match answer {
            Ok(took) => Boot::Seconds(took.as_secs_f64()),
            Err(unmet) => Boot::Trouble(unmet.to_string()),
        })
    }
}

fn examine(registry: &Registry, choice: &Choice, boots: &Boots) -> Examination {
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
    let usual = Trial::ALL.map(Need::Trial);
    let asked: BTreeSet<Need> =
        usual.into_iter().chain(cases.iter().flat_map(|case| case.needs.clone())).collect();
    for need in asked {
        let wanting = cases.iter().filter(|case| case.needs.contains(&need)).count();
        findings.push(Finding::new(need.to_string(), met(need, &kernels, boots), wanting));
    }
    // A case goes to the first kernel that might do, whether that boots or not.
    let sits = |case: &&Case| match choice.target(case) {
        Ok(Target::Host) => true,
        Ok(Target::Virtual(kernel)) => boots.came(&kernel).is_ok(),
        Err(_) => false,
    };
    let runnable = cases.iter().filter(sits).count();
    let found = |kernel: Kernel| {
        let might = |case: &&Case| case.obstacle_on(Some(&kernel)).is_none();
        let runnable = match boots.came(&kernel) {
            Ok(()) => cases.iter().filter(might).count(),
            Err(_) => 0,
        };
        let (file, boot) = (kernel.vmlinuz().to_owned(), boots.told(&kernel));
        Found { release: kernel.release, file, runnable, boot }
    };
    Examination {
        kernel: probe::kernel_version().1,
        kernels: kernels.into_iter().map(found).collect(),
        no_kernels,
        useless: Kernel::useless().iter().map(Lack::to_string).collect(),
        runnable,
        ignored: cases.len() - runnable,
        findings,
    }
}

/// By this machine's kernel, or else by the first virtual one that meets it: which.
fn met(
    need: Need,
    kernels: &[Kernel],
    boots: &Boots,
) -> std::result::Result<Option<String>, Unmet> {
    need.check().map(|()| None).or_else(|unmet| {
        let other = kernels.iter().find(|kernel| elsewhere::check(need, Some(kernel)).is_ok());
        let Some(kernel) = other else { return Err(unmet) };
        boots.came(kernel).map(|()| Some(format!("on virtual {}", kernel.release)))
    })
}
