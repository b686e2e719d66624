//! Nothing of lastack outlives it, and it touches nothing but its own, whatever is killed.
//!
//! One program, three lives: the test, a world in which a scenario takes place, and the runner
//! over the cases that are killed there.

#[path = "../../../harness/tests/common/mod.rs"]
mod common;
mod machine;
mod scenarios;
mod victims;
mod world;

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};

use common::{Checked, until};
use machine::Fingerprint;
use world::As;

fn main() -> ExitCode {
    let life = common::this_life();
    match life.as_deref().map(|life| life.split_once(' ').unwrap_or((life, ""))) {
        None => libtest_mimic::run(&Arguments::from_args(), tests()).exit_code(),
        Some(("root", name)) => common::told(scenarios::live(As::Root, name)),
        Some(("user", name)) => common::told(scenarios::live(As::User, name)),
        Some(_) => lastack::program(victims::registry, Path::new(env!("CARGO_MANIFEST_DIR"))),
    }
}

fn tests() -> Vec<Trial> {
    let refused = world::refused();
    let scenarios =
        scenarios::ALL.iter().flat_map(|(name, _)| [(As::Root, *name), (As::User, *name)]);
    scenarios
        .map(|(who, name)| {
            let title = format!("nothing_is_left_{name}::as_{}", word(who));
            common::or_ignored(title, refused.as_deref(), move || nothing_is_left(who, name))
        })
        .collect()
}

fn nothing_is_left(who: As, name: &str) -> Checked {
    // Whoever writes where programs usually write, writes here.
    let home = tempfile::tempdir()?;
    let here = home.path();
    let before = Fingerprint::take(&[here])?;
    let mut world = Command::new(std::env::current_exe()?);
    let seen = common::run(
        common::plain(&mut world)
            .env("LASTACK_LIFE", format!("{} {name}", word(who)))
            .env("LASTACK_WORLD", here)
            .envs([("TMPDIR", here), ("HOME", here), ("XDG_RUNTIME_DIR", here)])
            .current_dir(here),
    )?;
    seen.ends(0)?;
    let mark = format!("LASTACK_WORLD={}", here.display());
    // A killed process is gone when its last thread has been scheduled once more.
    let gone = until(|| machine::started_with(&mark).is_empty().then_some(()));
    if gone.is_none() {
        return Err(format!("still there: {:?}", machine::started_with(&mark)).into());
    }
    // The machine's own doings, an address renewed, may need a moment to look the same again.
    let same = until(|| {
        let after = Fingerprint::take(&[here]).ok()?;
        before.compare(&after).is_empty().then_some(())
    });
    match same {
        Some(()) => Ok(()),
        None => Err(before.compare(&Fingerprint::take(&[here])?).join("\n").into()),
    }
}

fn word(who: As) -> &'static str {
    if who == As::Root { "root" } else { "user" }
}
