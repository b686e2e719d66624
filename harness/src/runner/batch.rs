//! Many cases in one guest, from its boot to the last of them, whatever becomes of the guest.
//!
//! A guest that dies fails the cases it was running, for they may have killed it. Those that it
//! had not begun go to another. That ends: a guest that dies without having come further than the
//! one before takes the rest along.

use std::collections::BTreeMap;
use std::time::Duration;

use super::case::Case;
use super::events::{CaseOutcome, Evidence, Finished, Place};
use super::evidence;
use super::needs::Unmet;
use super::places::Places;
use super::words::{FromVirtual, Manifest};
use crate::error::{Context, Error, Result};
use crate::virt::{MachineEnd, Told};

/// Of a longer capture nothing is brought out: it is held in memory here until its case has ended.
const CAPTURE_LIMIT: usize = 256 << 20;

/// Who can start a guest.
pub(super) trait Boot: Sync {
    /// Starts one that does what the manifest says.
    fn boot(&self, manifest: &[u8]) -> Result<Box<dyn Voice>>;
}

/// A guest that runs, and is ended when this is dropped.
pub(super) trait Voice {
    /// What it says next.
    fn next(&mut self) -> Result<Told>;
}

/// What becomes of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It begins.
    Started,
    /// The kernel it was to run on cannot run it.
    Ignored(Unmet),
    /// It has come to its end.
    Finished(Finished),
}

/// How cases are run on one virtual kernel.
pub(super) struct Batch<'b> {
    pub boot: &'b dyn Boot,
    pub release: &'b str,
    pub places: &'b Places,
    /// How many run side by side in a guest.
    pub jobs: usize,
    pub keep: bool,
}

/// A guest's end.
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

/// How far a case has come in the guest it was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Waiting,
    Running,
    Done,
}

impl Batch<'_> {
    /// Runs them all; each is told of, and comes to one end.
    pub fn run<'c>(&self, cases: &[&'c Case], tell: &dyn Fn(&'c Case, News)) {
        let mut left = cases.to_vec();
        while !left.is_empty() {
            let mut steps = vec![Step::Waiting; left.len()];
            let death = self.guest(&left, &mut steps, tell).unwrap_or_else(Death::early);
            let come = steps.iter().any(|step| *step != Step::Waiting);
            let running = steps.iter().filter(|step| **step == Step::Running).count();
            let mut unbegun = Vec::new();
            for (case, step) in left.into_iter().zip(steps) {
                match step {
                    Step::Done => {}
                    Step::Waiting if come => unbegun.push(case),
                    Step::Waiting if !death.lived => tell(case, News::Ignored(useless(&death))),
                    Step::Waiting => tell(case, News::Finished(self.lost(case, &death, 0))),
                    Step::Running => {
                        tell(case, News::Finished(self.lost(case, &death, running - 1)));
                    }
                }
            }
            left = unbegun;
        }
    }

    /// One guest, to its end.
    fn guest<'c>(
        &self,
        cases: &[&'c Case],
        steps: &mut [Step],
        tell: &dyn Fn(&'c Case, News),
    ) -> Result<Death> {
        let manifest = Manifest {
            cases: cases.iter().map(|case| case.name.clone()).collect(),
            jobs: self.jobs,
            keep: self.keep,
        };
        let _seat = self.places.seat();
        // A guest works as long as it lives: a case that wants quiet waits for its end.
        let _gate = self.places.gate(false);
        let mut voice = self.boot.boot(&manifest.encode()?)?;
        let mut captures: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        loop {
            let bytes = match voice.next()? {
                Told::Frame(bytes) => bytes,
                Told::Ended(ending) => return Ok(death(ending)),
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
                let error = Error::system("understand a guest", answer);
                return Ok(Death { lived: true, ..Death::early(error) });
            };
            *at = step;
            match word {
                FromVirtual::Useless(_) => {}
                FromVirtual::Started(_) => tell(case, News::Started),
                FromVirtual::Ignored(_, unmet) => tell(case, News::Ignored(unmet)),
                FromVirtual::Capture(_, piece) => {
                    let capture = captures.entry(index).or_default();
                    if capture.len() <= CAPTURE_LIMIT {
                        capture.extend(piece);
                    }
                }
                FromVirtual::Finished(_, finished) => {
                    let capture = captures.remove(&index).unwrap_or_default();
                    tell(case, News::Finished(self.brought_out(case, finished, capture)));
                }
            }
        }
    }

    fn place(&self) -> Place {
        Place::Virtual { release: self.release.to_owned() }
    }

    /// What a case left in its guest, in the places where cases of this machine leave it.
    fn brought_out(&self, case: &Case, mut finished: Finished, capture: Vec<u8>) -> Finished {
        finished.place = self.place();
        if finished.evidence.is_some() {
            evidence::keep(self.places, case, &mut finished, |path| {
                if capture.len() > CAPTURE_LIMIT {
                    let answer = format!("it is longer than {} MiB", CAPTURE_LIMIT >> 20);
                    return Err(Error::system("keep the capture", answer));
                }
                std::fs::write(path, capture).context(|| format!("write {}", path.display()))
            });
        }
        finished
    }

    /// A case that came to no end of its own. How long it ran, only its guest knew.
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
        need: "virtual".to_owned(),
        reason: format!("{}{last}", death.why),
        remedy: "`lastack doctor --boot` tries the kernels there are, scripts/setup fetches them"
            .to_owned(),
    }
}

/// Whether a guest comes as far as being able to run cases: it is given none.
///
/// # Errors
/// It does not: why.
pub(super) fn try_out(boot: &dyn Boot) -> Result<(), Unmet> {
    let hear = || -> Result<Option<Death>> {
        let nothing = Manifest { cases: Vec::new(), jobs: 1, keep: false };
        let mut voice = boot.boot(&nothing.encode()?)?;
        Ok(match voice.next()? {
            Told::Ended(MachineEnd::PoweredOff) => None,
            Told::Ended(ending) => Some(death(ending)),
            Told::Frame(bytes) => Some(Death::early(match FromVirtual::decode(&bytes)? {
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
            ("its guest powered off before it came to an end".to_owned(), String::new())
        }
        MachineEnd::Panicked { console } => {
            let panic = console.lines().find_map(|line| line.split_once("Kernel panic - "));
            let said = panic.map(|(_, said)| format!(": {said}")).unwrap_or_default();
            (format!("the kernel of its guest panicked{said}"), console)
        }
        MachineEnd::Hung { console, silent_for } => {
            let seconds = silent_for.as_secs();
            (format!("its guest said nothing for {seconds} s and was ended"), console)
        }
        MachineEnd::Died { how, console } => (format!("its guest died: {how}"), console),
        MachineEnd::NeverBooted { why, console } => {
            (format!("the guest did not come up: {why}"), console)
        }
    };
    Death { why, console, lived }
}

#[cfg(test)]
mod tests;
