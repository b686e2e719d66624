//! Cases on a virtual kernel: dealt out to as many machines as there are cores for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::batch::{self, Batch, Boot, Progress, Running};
use super::case::Case;
use super::elsewhere;
use super::needs::Unmet;
use super::places::Places;
use super::registry::Registry;
use crate::error::{Error, Result};
use crate::sys::program;
use crate::virt::template::Templates;
use crate::virt::{Image, Kernel, Machine, MachineEvent, image, programs};

/// One more for fewer cases costs more than it saves. A clone begins with nothing translated: a case
/// that has one to itself takes three times the processor time of one among many (173 cases: 64 s on
/// two machines, 79 s by sixteens, 110 s by fours, 205 s one by one), so as many as there are share
/// what there are cores for, and only who runs one case alone has it on a machine of its own.
const WORTH_A_CLONE: usize = 8;

/// A virtual kernel has one processor, on which more than these would keep each other from their
/// labs.
const JOBS: usize = 24;

const FETCH: &str = "scripts/setup fetches kernels anew";

const MEND: &str = "mend that; cases that declare no programs run without";

/// Runs cases on virtual kernels. Any number of threads may.
#[derive(Debug)]
pub struct VirtualKernels {
    places: Places,
    keep: bool,
    programs: BTreeSet<PathBuf>,
    images: Mutex<Images>,
    templates: Templates,
}

/// By the kernel's file, and whether programs are to be mounted.
type Images = BTreeMap<(PathBuf, bool), Result<Arc<Image>, Unmet>>;

impl VirtualKernels {
    /// For the cases of this registry. An image of programs holds what all of them need, however few
    /// are run, so that the next run finds it made.
    #[must_use]
    pub fn new(registry: &Registry, places: Places, keep: bool) -> Self {
        let needs = registry.cases().iter().flat_map(|case| case.needs.iter().copied());
        let programs = elsewhere::programs(needs);
        let templates = Templates::within(places.images());
        Self { places, keep, programs, images: Mutex::default(), templates }
    }

    /// Runs them all on this kernel, at most `jobs` at a time, and tells what becomes of each.
    /// They start in the order given, on each machine.
    pub fn run<'c>(
        &self,
        kernel: &Kernel,
        cases: &[&'c Case],
        jobs: usize,
        tell: &(dyn Fn(&'c Case, Progress) + Sync),
    ) {
        // Without an image of programs a kernel is up sooner, and what is wrong with one is no
        // matter to cases that use none.
        let (with, without): (Vec<_>, Vec<_>) =
            cases.iter().copied().partition(|case| elsewhere::wants_programs(case));
        std::thread::scope(|scope| {
            for (share, programs) in [(without, false), (with, true)] {
                if !share.is_empty() {
                    scope.spawn(move || self.run_alike(kernel, &share, programs, jobs, tell));
                }
            }
        });
    }

    /// Runs cases that all want programs, or none.
    fn run_alike<'c>(
        &self,
        kernel: &Kernel,
        cases: &[&'c Case],
        programs: bool,
        jobs: usize,
        tell: &(dyn Fn(&'c Case, Progress) + Sync),
    ) {
        let image = match self.image(kernel, programs) {
            Ok(image) => image,
            Err(unmet) => {
                return cases.iter().for_each(|case| tell(case, Progress::Unmet(unmet.clone())));
            }
        };
        let boot = Qemu { image: &image, templates: Some(&self.templates) };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let machines = cases.len().div_ceil(WORTH_A_CLONE).min(cores).min(jobs).max(1);
        std::thread::scope(|scope| {
            for share in deal(cases, machines) {
                let batch = Batch {
                    boot: &boot,
                    release: &kernel.release,
                    places: &self.places,
                    jobs: jobs.div_ceil(machines).min(JOBS),
                    keep: self.keep,
                };
                scope.spawn(move || batch.run(&share, &tell));
            }
        });
    }

    /// Boots this kernel, gives it no case, as it would be for cases: how long it
    /// took from QEMU's start until it could have run one, and was ended.
    ///
    /// # Errors
    /// It cannot run any: why, and what to do.
    pub fn try_out(&self, kernel: &Kernel) -> Result<Duration, Unmet> {
        let image = self.image(kernel, false)?;
        let _seat = self.places.seat();
        let _gate = self.places.gate(false);
        let began = Instant::now();
        let answer =
            batch::try_out(&Qemu { image: &image, templates: None }).map(|()| began.elapsed());
        // Who asks how this kernel is has asked whom the usual remedy names.
        answer.map_err(|unmet| Unmet { remedy: FETCH.to_owned(), ..unmet })
    }

    /// The image for this kernel, with programs to be mounted or without, made when first wanted.
    fn image(&self, kernel: &Kernel, programs: bool) -> Result<Arc<Image>, Unmet> {
        let mut images = self.images.lock().expect("no builder of an image panics");
        let build = || {
            let unmet = |error: Error, remedy: &str| Unmet {
                need: elsewhere::VIRTUAL.to_owned(),
                reason: error.to_string(),
                remedy: remedy.to_owned(),
            };
            let own: Vec<_> = elsewhere::PROGRAMS.into_iter().filter_map(program::find).collect();
            let built = image::build(kernel, &own, &self.places.images());
            let built = built.map_err(|error| unmet(error, FETCH))?;
            if !programs {
                return Ok(Arc::new(built));
            }
            let mounted = programs::image(&self.programs, &self.places.images());
            self.places.hand_over_images();
            let mounted = mounted.map_err(|error| unmet(error, MEND))?;
            Ok(Arc::new(built.with(Arc::new(mounted))))
        };
        images.entry((kernel.vmlinuz().to_owned(), programs)).or_insert_with(build).clone()
    }
}

/// As many shares as there are machines; the order stays, and with it the mix of long and short.
fn deal<'c>(cases: &[&'c Case], machines: usize) -> Vec<Vec<&'c Case>> {
    let share = |first| cases.iter().skip(first).step_by(machines).copied().collect();
    (0..machines).map(share).collect()
}

/// Starts real machines.
struct Qemu<'i> {
    image: &'i Image,
    /// Where clones come from; without, each machine boots.
    templates: Option<&'i Templates>,
}

impl Boot for Qemu<'_> {
    fn boot(&self, manifest: &[u8]) -> Result<Box<dyn Running>> {
        let Some(templates) = self.templates else {
            return Ok(Box::new(Machine::boot(self.image, manifest)?));
        };
        let started = templates.start(self.image, manifest);
        for note in templates.notes() {
            eprintln!("lastack: {note}");
        }
        Ok(Box::new(started?.machine))
    }
}

impl Running for Machine {
    fn next(&mut self) -> Result<MachineEvent> {
        self.next_event()
    }
}
