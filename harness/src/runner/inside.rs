//! The runner's life on a virtual kernel: it runs the cases of its manifest as it would anywhere,
//! and says what becomes of them.
//!
//! Nothing here looks at a clock while nothing happens. Where the clock jumps over idle time, a
//! tick a second is a day's worth of work in a day that should take none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;

use super::case::Case;
use super::evidence::CAPTURE;
use super::launch::Launcher;
use super::needs::Need;
use super::places::Places;
use super::pool;
use super::registry::{Problems, Registry};
use super::words::{FromVirtual, Manifest, PIECE};
use crate::error::{Context, Error, Result};
use crate::virt;

/// Where cases leave their evidence until it is brought out.
const HOME: &str = "/tmp/lastack";

/// Gets ready for any manifest, with what takes long and is the same for all: on a virtual kernel
/// that is saved it is done once. What comes of it does what the manifest says, and says what comes
/// of that, from several threads.
pub fn prepare(
    gather: impl FnOnce() -> std::result::Result<Registry, Problems>,
) -> impl virt::init::Work {
    let ready = ready(gather);
    move |manifest: &[u8], say: &(dyn Fn(&[u8]) + Sync)| {
        let say = |word: &FromVirtual| say(&word.encode());
        if let Err(error) = ready.and_then(|registry| run(&registry, manifest, &say)) {
            say(&FromVirtual::Useless(error.to_string()));
        }
    }
}

/// The cases; and what this kernel has is known.
fn ready(gather: impl FnOnce() -> std::result::Result<Registry, Problems>) -> Result<Registry> {
    let registry = gather().context(|| "know the cases".to_owned())?;
    fs::create_dir_all(HOME).context(|| format!("make {HOME}"))?;
    launcher(false)?;
    let trials: BTreeSet<_> = registry
        .cases()
        .iter()
        .flat_map(|case| &case.needs)
        .filter_map(|need| if let Need::Trial(trial) = need { Some(*trial) } else { None })
        .collect();
    // Each is asked once; a case that wants to know gets the answer from this process.
    trials.into_iter().for_each(|trial| drop(trial.check()));
    Ok(registry)
}

fn launcher(keep: bool) -> Result<Launcher> {
    Launcher::new(Places::under(HOME), keep).context(|| "run cases on this kernel".to_owned())
}

fn run(registry: &Registry, manifest: &[u8], say: &(dyn Fn(&FromVirtual) + Sync)) -> Result {
    let Manifest { cases, jobs, keep } = Manifest::decode(manifest)?;
    let find = |name: &String| {
        registry.find(name).ok_or_else(|| Error::usage(format!("there is no case {name} in here")))
    };
    let cases = cases.iter().map(find).collect::<Result<Vec<_>>>()?;
    let launcher = launcher(keep)?;
    pool::side_by_side(&cases, jobs, |index, case| one(&launcher, index, case, say));
    Ok(())
}

fn one(launcher: &Launcher, index: usize, case: &Case, say: &(dyn Fn(&FromVirtual) + Sync)) {
    if let Some(unmet) = case.obstacle() {
        return say(&FromVirtual::Ignored(index, unmet));
    }
    let mut finished = match launcher.run(case, || say(&FromVirtual::Started(index))) {
        Ok(finished) => finished,
        Err(unmet) => return say(&FromVirtual::Ignored(index, unmet)),
    };
    if let Some(evidence) = &mut finished.evidence
        && let Some(directory) = evidence.directory.take()
    {
        let told = File::open(directory.join(CAPTURE))
            .and_then(|capture| pieces(capture, |piece| say(&FromVirtual::Capture(index, piece))));
        if let Err(error) = told {
            evidence
                .trouble
                .get_or_insert_with(|| format!("failed to bring out a capture: {error}"));
        }
        // All files there are in memory.
        let _ = fs::remove_dir_all(directory);
    }
    say(&FromVirtual::Finished(index, finished));
}

fn pieces(mut file: File, mut take: impl FnMut(Vec<u8>)) -> std::io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if (&mut file).take(PIECE as u64).read_to_end(&mut piece)? == 0 {
            return Ok(());
        }
        take(piece);
    }
}
