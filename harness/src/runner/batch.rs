//! Many cases on one virtual kernel, from its boot to the last of them, whatever becomes of it.
//!
//! One that dies fails the cases it was running, for they may have killed it. Those that it had not
//! begun go to another. That ends: one that dies without having come further than the one before
//! takes the rest along.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::case::Case;
use super::elsewhere;
use super::events::{CaseOutcome, Evidence, Finished, Place};
use super::evidence;
use super::needs::Unmet;
use super::places::Places;
use super::words::{FromVirtual, Manifest};
use crate::error::{Context, Error, Result};
use crate::virt::{MachineEnd, MachineEvent};

/// Of a longer capture nothing is kept.
const CAPTURE_LIMIT: u64 = 256 << 20;

/// Who can start a virtual kernel.
pub(super) trait Boot: Sync {
    /// Starts one that does what the manifest says.
    fn boot(&self, manifest: &[u8]) -> Result<Box<dyn Running>>;
}

/// A virtual kernel that runs, and is ended when this is dropped.
pub(super) trait Running {
    /// What it says next.
    fn next(&mut self) -> Result<MachineEvent>;
}

/// What becomes of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It begins.
    Started,
    /// The kernel it was to run on lacks what it needs, or what it has used.
    Unmet(Unmet),
    /// It has come to its end.
    Finished(Finished),
}

/// The capture of a case, as it comes: in the directory of its evidence, and not in memory.
#[derive(Default)]
struct Capture {
    directory: Option<PathBuf>,
    file: Option<File>,
    length: u64,
    trouble: Option<Error>,
}

impl Capture {
    /// Takes the next piece. What goes wrong is told in the end.
    fn add(&mut self, places: &Places, case: &Case, piece: &[u8]) {
        self.length += piece.len() as u64;
        if self.trouble.is_some() {
            return;
        }
        if self.length > CAPTURE_LIMIT {
            let answer = format!("it is longer than {} MiB", CAPTURE_LIMIT >> 20);
            self.trouble = Some(Error::system("keep the capture", answer));
        } else if let Err(error) = self.write(places, case, piece) {
            self.trouble = Some(error);
        }
    }

    fn write(&mut self, places: &Places, case: &Case, piece: &[u8]) -> Result {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let directory = self.directory.insert(places.directory(&case.name)?);
                let path = directory.join(evidence::CAPTURE);
                let what = || format!("write {}", path.display());
                none.insert(File::create(&path).context(what)?)
            }
        };
        file.write_all(piece).context(|| "write a capture".to_owned())
    }
}

/// How cases are run on one virtual kernel.
pub(super) struct Batch<'b> {
    pub boot: &'b dyn Boot,
    pub release: &'b str,
    pub places: &'b Places,
    /// How many run side by side on it.
    pub jobs: usize,
    pub keep: bool,
}

/// A virtual kernel's end.
struct Death {
    /// What it means for a case that it was running.
    why: String,
    /// What it printed last.
    console: String,
    /// Whether it came as far as being able to run cases.
    lived: bool,
}

impl Death {
    /// Of one that never lived.
    fn early(why: impl ToString) -> Self {
        Self { why: why.to_string(), console: String::new(), lived: false }
    }
}

/// How far a case has come on the virtual kernel it was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Waiting,
    Running,
    Done,
}

impl Batch<'_> {
    /// Runs them all; each is told of, and comes to one end.
    pub fn run<'c>(&self, cases: &[&'c Case], tell: &dyn Fn(&'c Case, Progress)) {
        let mut left = cases.to_vec();
        while !left.is_empty() {
            let mut steps = vec![Step::Waiting; left.len()];
            let death = self.one(&left, &mut steps, tell).unwrap_or_else(Death::early);
            let come = steps.iter().any(|step| *step != Step::Waiting);
            let running = steps.iter().filter(|step| **step == Step::Running).count();
            let mut unbegun = Vec::new();
            for (case, step) in left.into_iter().zip(steps) {
                match step {
                    Step::Done => {}
                    Step::Waiting if come => unbegun.push(case),
                    Step::Waiting if !death.lived => tell(case, Progress::Unmet(useless(&death))),
                    Step::Waiting => tell(case, Progress::Finished(self.lost(case, &death, 0))),
                    Step::Running => {
                        tell(case, Progress::Finished(self.lost(case, &death, running - 1)));
                    }
                }
            }
            left = unbegun;
        }
    }

    /// One virtual kernel, to its end.
    fn one<'c>(
        &self,
        cases: &[&'c Case],
        steps: &mut [Step],
        tell: &dyn Fn(&'c Case, Progress),
    ) -> Result<Death> {
        let manifest = Manifest {
            cases: cases.iter().map(|case| case.name.clone()).collect(),
            jobs: self.jobs,
            keep: self.keep,
        };
        let _seat = self.places.seat();
        // It works as long as it lives: a case that wants quiet waits for its end.
        let _gate = self.places.gate(false);
        let mut running = self.boot.boot(&manifest.encode()?)?;
        let mut captures: BTreeMap<usize, Capture> = BTreeMap::new();
        loop {
            let bytes = match running.next()? {
                MachineEvent::Frame(bytes) => bytes,
                MachineEvent::Ended(ending) => return Ok(death(ending)),
            };
            let word = match FromVirtual::decode(&bytes) {
                Ok(word) => word,
                Err(error) => return Ok(Death { lived: true, ..Death::early(error) }),
            };
            let (index, step) = match &word {
                FromVirtual::Useless(why) => return Ok(Death::early(why)),
                FromVirtual::Capture(index, _) | FromVirtual::Started(index) => {
                    (*index, Step::Running)
                }
                FromVirtual::Ignored(index, _) | FromVirtual::Finished(index, _) => {
                    (*index, Step::Done)
                }
            };
            let known = cases.get(index).zip(steps.get_mut(index));
            let Some((case, at)) = known.filter(|(_, at)| **at != Step::Done) else {
                let answer = format!("it spoke of case {index} of {}", cases.len());
                let error = Error::system("understand a virtual kernel", answer);
                return Ok(Death { lived: true, ..Death::early(error) });
            };
            *at = step;
            match word {
                FromVirtual::Useless(_) => {}
                FromVirtual::Started(_) => tell(case, Progress::Started),
                FromVirtual::Ignored(_, unmet) => tell(case, Progress::Unmet(unmet)),
                FromVirtual::Capture(_, piece) => {
                    captures.entry(index).or_default().add(self.places, case, &piece);
                }
                FromVirtual::Finished(_, finished) => {
                    let capture = captures.remove(&index).unwrap_or_default();
                    tell(case, Progress::Finished(self.brought_out(case, finished, capture)));
                }
            }
        }
    }

    fn place(&self) -> Place {
        Place::Virtual { release: self.release.to_owned() }
    }

    /// What a case left there, in the places where cases of this machine leave it.
    fn brought_out(&self, case: &Case, mut finished: Finished, capture: Capture) -> Finished {
        finished.place = self.place();
        if let Some(evidence) = &mut finished.evidence {
            evidence.directory = capture.directory;
            evidence::keep(self.places, case, &mut finished, |path| {
                match (capture.trouble, capture.file) {
                    (Some(error), _) => Err(error),
                    (None, Some(_)) => Ok(()),
                    (None, None) => {
                        File::create(path).map(drop).context(|| format!("write {}", path.display()))
                    }
                }
            });
        }
        finished
    }

    /// A case that came to no end of its own. How long it ran, only that kernel knew.
    fn lost(&self, case: &Case, death: &Death, beside: usize) -> Finished {
        let mut why = death.why.clone();
        if beside > 0 {
            why.push_str(&format!("\n(so did {beside} more that ran beside it)"));
        }
        let mut finished = Finished::bare(CaseOutcome::Failed(why), self.place(), Duration::ZERO);
        let console = death.console.clone();
        finished.evidence = Some(Evidence { console, ..Evidence::default() });
        evidence::keep(self.places, case, &mut finished, |_| Ok(()));
        finished
    }
}

/// The want of a kernel that can run anything, as a need.
fn useless(death: &Death) -> Unmet {
    let last = death.console.lines().map(str::trim).rfind(|line| !line.is_empty());
    let last = last.map(|line| format!(" (its last words: {line})")).unwrap_or_default();
    Unmet {
        need: elsewhere::VIRTUAL.to_owned(),
        reason: format!("{}{last}", death.why),
        remedy: "`lastack doctor --boot` tries the kernels there are, scripts/setup fetches them"
            .to_owned(),
    }
}

/// Whether a virtual kernel comes as far as being able to run cases: it is given none.
///
/// # Errors
/// It does not: why.
pub(super) fn try_out(boot: &dyn Boot) -> Result<(), Unmet> {
    let hear = || -> Result<Option<Death>> {
        let nothing = Manifest { cases: Vec::new(), jobs: 1, keep: false };
        let mut running = boot.boot(&nothing.encode()?)?;
        Ok(match running.next()? {
            MachineEvent::Ended(MachineEnd::PoweredOff) => None,
            MachineEvent::Ended(ending) => Some(death(ending)),
            MachineEvent::Frame(bytes) => Some(Death::early(match FromVirtual::decode(&bytes)? {
                FromVirtual::Useless(why) => why,
                _ => "it spoke of a case, and was given none".to_owned(),
            })),
        })
    };
    match hear().unwrap_or_else(|error| Some(Death::early(error))) {
        None => Ok(()),
        Some(death) => Err(useless(&death)),
    }
}

fn death(ending: MachineEnd) -> Death {
    let lived = !matches!(ending, MachineEnd::NeverBooted { .. });
    let (why, console) = match ending {
        MachineEnd::PoweredOff => {
            ("its virtual kernel powered off before it came to an end".to_owned(), String::new())
        }
        MachineEnd::Panicked { console } => {
            let panic = console.lines().find_map(|line| line.split_once("Kernel panic - "));
            let said = panic.map(|(_, said)| format!(": {said}")).unwrap_or_default();
            (format!("its virtual kernel panicked{said}"), console)
        }
        MachineEnd::Hung { console, silent_for, answered } => {
            let seconds = silent_for.as_secs();
            let though = if answered { ", though it answered," } else { "" };
            (
                format!("its virtual kernel said nothing for {seconds} s{though} and was ended"),
                console,
            )
        }
        MachineEnd::Died { how, console } => (format!("its virtual kernel died: {how}"), console),
        MachineEnd::NeverBooted { why, console } => {
            (format!("the virtual kernel did not come up: {why}"), console)
        }
    };
    Death { why, console, lived }
}

#[cfg(test)]
mod tests;
