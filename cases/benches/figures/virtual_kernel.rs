//! What a virtual kernel costs before the first case can run on it, and what it saves: hours.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, Instant},
};

use lastack::{
    Registry, Result,
    error::{Context, Error},
    runner::{
        case::Case,
        events::{Event, Finished, Reporter},
        jobs,
        kernels::{Allowed, Choice},
        needs::Need,
        places::Places,
        policy::Policy,
        pool::{self, Means},
    },
    sys::program,
    virt::{Kernel, programs, trial},
};

use crate::{
    GRACEFUL, faults,
    figures::Figures,
    loops::{self, median_ms},
};

/// Boots are slow, and the same every time.
const BOOTS: usize = 3;

/// How often what takes less than a second is done.
const CLONES: usize = 9;
/// A program that is one large file.
const LARGE: &str = "node";

/// Two hours, eleven minutes and a quarter.
const STOCK_KEEPALIVE: &str =
    "keepalive::stock_keepalive_gives_a_silent_peer_up_after_two_hours_and_eleven_minutes::ipv4";

/// All figures of virtual kernels, on a machine that has one: `registry` is this program's.
///
/// # Errors
/// A virtual kernel does not boot, or a case that is measured does not pass.
pub fn measure(registry: &Registry, places: &Places, figures: &mut Figures) -> Result {
    let kernel = match Kernel::find(None) {
        Ok(kernel) => kernel,
        Err(lack) => {
            for key in ["guest_boot_ms", "guest_start_ms", "one_virtual_case_ms"] {
                figures.lacks(key, format!("{}; {}", lack.reason, lack.remedy));
            }
            return Ok(());
        }
    };
    boots(&kernel, places, figures)?;
    figures.set("one_virtual_case_ms", one_case_ms()?);
    programs(places, figures)?;

    let catalogue = Registry::build(lastack_cases::families());
    let catalogue = catalogue.context(|| "gather the cases".to_owned())?;
    let choice = || Choice::among(Allowed::Virtual(None));
    let means = |of: &Registry, keep| {
        let means = Means::new(of, choice(), Policy::default(), places.clone(), keep);
        means.context(|| "run cases on a virtual kernel".to_owned())
    };
    let here = means(&catalogue, false)?;
    let stock = catalogue.find(STOCK_KEEPALIVE).expect("the case is in the catalogue");
    // Has the template made, as it is for all but the first run of a build.
    timed(&here, &[stock])?;
    let (wall, inside) = timed(&here, &[stock])?;
    figures.set("virtual_speedup", inside.as_secs_f64() / wall.as_secs_f64());

    let patient = catalogue.cases().iter().filter(|case| case.needs.contains(&Need::VirtualTime));
    let patient: Vec<_> = patient.filter(|case| here.target(case).is_ok()).collect();
    let (wall, inside) = timed(&here, &patient)?;
    figures.set("stock_timers", patient.len() as f64);
    figures.set("stock_timers_s", wall.as_secs_f64());
    figures.set("stock_timers_virtual_h", inside.as_secs_f64() / 3600.0);

    // Where this machine's kernel has netem, that is the one to ask.
    let netem = registry.find(faults::NETEM).expect("it is in this program");
    if netem.obstacle().is_some() {
        let finished = all(&means(registry, true)?, &[netem])?;
        let switched: faults::Switched = loops::told(&finished[0])?;
        figures.set("fault_netem_virtual_ms", switched.on_ms.max(switched.off_ms));
    }
    Ok(())
}

/// The kernel that cases get by themselves, with the programs that their rules need. The image is
/// built once before, as it is for all but the first run after a kernel was fetched.
fn boots(kernel: &Kernel, places: &Places, figures: &mut Figures) -> Result {
    let programs: Vec<_> = program::find("nft").into_iter().collect();
    let once = || trial::boot(kernel, &programs, &places.images());
    let image = once()?.image;
    let boots = (0..BOOTS).map(|_| once()).collect::<Result<Vec<_>>>()?;
    let median =
        |of: fn(&trial::Boot) -> Duration| median_ms(&boots.iter().map(of).collect::<Vec<_>>());
    figures.set("guest_boot_ms", median(|boot| boot.boot));
    figures.set("image_build_ms", median(|boot| boot.build));
    figures.set("image_mb", image as f64 / 1e6);
    let clones = trial::clones(kernel, &programs, &places.images(), CLONES)?;
    figures.set("template_save_ms", clones.save.as_secs_f64() * 1e3);
    figures.set("guest_start_ms", median_ms(&clones.starts));
    Ok(())
}

/// One case on a virtual kernel, as a person runs it: from the command to its end. The template is
/// there but for the first.
fn one_case_ms() -> Result<f64> {
    let context = || format!("run {GRACEFUL} on a virtual kernel");
    let mut runs = Vec::new();
    for run in 0..=CLONES {
        let mut lastack = Command::new(env!("CARGO_BIN_EXE_lastack"));
        lastack.args(["run", "--kernel", "virtual", "--exact", GRACEFUL]);
        let began = Instant::now();
        let seen = lastack.output().context(context)?;
        let elapsed = began.elapsed();
        if !seen.status.success() {
            let said = [seen.stdout, seen.stderr].concat();
            return Err(Error::system(context(), String::from_utf8_lossy(&said).into_owned()));
        }
        if run > 0 {
            runs.push(elapsed);
        }
    }
    Ok(median_ms(&runs))
}

/// What it takes to make an image of a program of a hundred megabytes, and how long until one that
/// is there is known to be current.
fn programs(places: &Places, figures: &mut Figures) -> Result {
    const KEYS: [&str; 2] = ["program_image_s", "program_image_again_ms"];
    let found = program::find(LARGE).ok_or_else(|| format!("there is no program {LARGE}"));
    let usable = found.and_then(|file| {
        let answer = programs::check(&file, None).map_err(|lack| lack.to_string());
        answer.map(|()| BTreeSet::from([file]))
    });
    let files = match usable {
        Ok(files) => files,
        Err(reason) => {
            KEYS.into_iter().for_each(|key| figures.lacks(key, reason.clone()));
            return Ok(());
        }
    };
    let what = || "make an image of programs".to_owned();
    let once = || -> Result<[Duration; 2]> {
        let cache = tempfile::tempdir_in(places.images()).context(what)?;
        let timed = || {
            let began = Instant::now();
            programs::image(&files, cache.path()).map(|_| began.elapsed())
        };
        Ok([timed()?, timed()?])
    };
    let runs = (0..BOOTS).map(|_| once()).collect::<Result<Vec<_>>>()?;
    let median = |at: usize| median_ms(&runs.iter().map(|run| run[at]).collect::<Vec<_>>());
    figures.set(KEYS[0], median(0) / 1000.0);
    figures.set(KEYS[1], median(1));
    Ok(())
}

/// How long some cases took together, with all it takes to boot, and by their own clocks in sum.
fn timed(means: &Means, cases: &[&Case]) -> Result<(Duration, Duration)> {
    let began = Instant::now();
    let finished = all(means, cases)?;
    Ok((began.elapsed(), finished.iter().map(|finished| finished.elapsed).sum()))
}

/// How long each case takes by the clock of a virtual kernel that it has to itself.
///
/// # Errors
/// One does not pass.
pub fn one_by_one(means: &Means, cases: &[&Case]) -> Result<Vec<Duration>> {
    let finished = beside_each_other(1, means, cases)?;
    let of = |case: &&Case| {
        let own = finished.iter().find(|(name, _)| *name == case.name);
        own.map_or(Duration::ZERO, |(_, finished)| finished.elapsed)
    };
    Ok(cases.iter().map(of).collect())
}

/// Runs cases on their virtual kernels, all at once; each must pass.
fn all(means: &Means, cases: &[&Case]) -> Result<Vec<Finished>> {
    let passed = beside_each_other(jobs::usual(), means, cases)?;
    Ok(passed.into_iter().map(|(_, finished)| finished).collect())
}

fn beside_each_other(
    jobs: usize,
    means: &Means,
    cases: &[&Case],
) -> Result<Vec<(String, Finished)>> {
    let mut runs = Runs::default();
    pool::run(cases, means, jobs, &mut [&mut runs]);
    if let Some(why) = runs.failed {
        return Err(Error::system("run cases on a virtual kernel", why));
    }
    Ok(runs.passed)
}

#[derive(Default)]
struct Runs {
    passed: Vec<(String, Finished)>,
    failed: Option<String>,
}

impl Reporter for Runs {
    fn event(&mut self, event: &Event<'_>) -> Result {
        match event {
            Event::CaseFinished { case, finished } if finished.outcome.passed() => {
                self.passed.push((case.name.clone(), (*finished).clone()));
            }
            Event::CaseFinished { case, finished } => {
                self.failed = Some(format!("{}: {}", case.name, finished.outcome.message()));
            }
            Event::CaseIgnored { case, unmet } => {
                self.failed = Some(format!("{} was ignored: {unmet}", case.name));
            }
            _ => {}
        }
        Ok(())
    }
}
