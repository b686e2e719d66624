//! What a process a case costs: nextest against `cargo test`, on the same cases of the same target.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lastack::{
    Registry, Result,
    error::{Context, Error},
    runner::{
        case::Case,
        kernels::{Allowed, Choice, Target},
        places::Places,
        policy::Policy,
        pool::Means,
    },
    sys::program,
};

use crate::figures::Figures;

const KEY: &str = "nextest_ratio";

/// How many cases of each kind, as evenly from all of them as can be.
const VIRTUAL: usize = 40;
const HOST: usize = 200;

/// The target, as cargo calls it.
const TARGET: [&str; 4] = ["-p", "lastack-cases", "--test", "cases"];

/// How much longer nextest takes.
///
/// # Errors
/// The target cannot be built, or a case of it fails.
pub fn measure(places: &Places, figures: &mut Figures) -> Result {
    if program::find("cargo-nextest").is_none() {
        figures.lacks(KEY, "there is no program cargo-nextest; cargo install it".to_owned());
        return Ok(());
    }
    let registry = Registry::build(lastack_cases::families());
    let registry = registry.context(|| "gather the cases".to_owned())?;
    let choice = Choice::among(Allowed::Any);
    let means = Means::new(&registry, choice, Policy::default(), places.clone(), false);
    let means = means.context(|| "choose kernels for cases".to_owned())?;
    let on = |wanted: fn(&Target) -> bool| -> Vec<&str> {
        let all = registry.cases().iter().filter(|case: &&Case| !case.quiet);
        let there = all.filter(|case| means.target(case).is_ok_and(|target| wanted(&target)));
        there.map(|case| &case.name[..]).collect()
    };
    let host = evenly(&on(|target| matches!(target, Target::Host)), HOST);
    let virtually = evenly(&on(|target| matches!(target, Target::Virtual(_))), VIRTUAL);
    if host.len() < HOST || virtually.len() < VIRTUAL {
        let (host, virtually) = (host.len(), virtually.len());
        figures
            .lacks(KEY, format!("{host} cases run on the host, {virtually} on a virtual kernel"));
        return Ok(());
    }
    let first = virtually[0];
    let chosen = [host, virtually].concat();
    let others = registry.cases().iter().map(|case| &case.name[..]);
    let others = others.filter(|name| !chosen.contains(name));
    let skips = others.flat_map(|name| ["--skip", name]);
    let test = ["test"].into_iter().chain(TARGET).chain(["--", "--exact"]).chain(skips);
    let test: Vec<_> = test.map(str::to_owned).collect();
    let names: Vec<_> = chosen.iter().map(|name| format!("test(={name})")).collect();
    let nextest = ["nextest", "run"].into_iter().chain(TARGET).map(str::to_owned);
    let nextest: Vec<_> = nextest.chain(["-E".to_owned(), names.join(" + ")]).collect();

    // Builds the target, and has its template made, which is the same for both.
    cargo(&[&["test"][..], &TARGET, &["--", "--exact", first]].concat())?;
    let alone = cargo(&test)?;
    let each = cargo(&nextest)?;
    figures.set("cargo_test_s", alone.as_secs_f64());
    figures.set("nextest_s", each.as_secs_f64());
    figures.set(KEY, each.as_secs_f64() / alone.as_secs_f64());
    Ok(())
}

/// So many of all, or all if there are fewer.
fn evenly<'n>(all: &[&'n str], count: usize) -> Vec<&'n str> {
    let count = count.min(all.len());
    (0..count).map(|index| all[index * all.len() / count]).collect()
}

/// How long cargo takes for this.
fn cargo(words: &[impl AsRef<std::ffi::OsStr>]) -> Result<Duration> {
    let context = || format!("run cargo {}", words[0].as_ref().display());
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(words).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let began = Instant::now();
    let seen = command.stdin(Stdio::null()).output().context(context)?;
    let elapsed = began.elapsed();
    if seen.status.success() {
        return Ok(elapsed);
    }
    let said = [seen.stdout, seen.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<_> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(40)..].join("\n");
    Err(Error::system(context(), last))
}
