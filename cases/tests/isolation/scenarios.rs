//! What happens in a world: lastack runs, and something of it is killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::{Checked, Seen, children, command_line, life, plain, run, until};
use crate::victims::MARK;
use crate::world::{self, As};

/// Something to do in a world.
pub type Scenario = (&'static str, fn() -> Checked);

pub const ALL: [Scenario; 4] = [
    ("after_a_run_of_the_catalogue", catalogue),
    ("after_sigkill_of_the_runner_in_mid_run", runner_killed),
    ("after_sigkill_of_a_case_with_data_in_flight", case_killed),
    ("after_sigkill_of_an_agent", agent_killed),
];

/// The life in which this program is such a world: goes there, does it, and looks around.
pub fn live(who: As, name: &str) -> Checked {
    let (_, scenario) = ALL.iter().find(|(known, _)| *known == name).ok_or("no such scenario")?;
    world::enter(who)?;
    scenario()?;
    world::empties()
}

/// How many cases a run takes from the catalogue at most, evenly spread over it.
const PART: usize = 80;

/// The longest scenario among them: the whole catalogue would take its time.
const SHORT: Duration = Duration::from_millis(1500);

/// The program over a good part of the catalogue. What the cases find is not the question here.
fn catalogue() -> Checked {
    let registry = lastack_cases::registry()?;
    let short: Vec<_> = registry.cases().iter().filter(|case| case.waits <= SHORT).collect();
    let part = short.iter().step_by(short.len().div_ceil(PART)).map(|case| &case.name);
    let mut program = Command::new(env!("CARGO_BIN_EXE_lastack"));
    let seen = run(plain(&mut program).args(["run", "--exact"]).args(part))?;
    seen.holds(matches!(seen.code, Some(0 | 1)), "a run")?;
    // An evidence directory of a case that failed here is of use to who reads on.
    seen.holds(seen.out.contains(" passed") && !seen.out.contains("\n0 passed"), "passes")?;
    Ok(())
}

/// A runner with so many victims in mid-flight.
struct Running(Child);

impl Running {
    fn with(victims: &[&str]) -> Checked<Self> {
        let mut command = life("victims", &["run", "--exact"]);
        let names = victims.iter().map(|name| format!("victim::{name}"));
        let runner = command.args(names).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let running = Self(runner);
        let ready = until(|| (running.found(MARK).len() == victims.len()).then_some(()));
        ready.ok_or("the victims never got into flight")?;
        Ok(running)
    }

    /// Processes below the runner whose command line holds this.
    fn found(&self, mark: &str) -> Vec<PathBuf> {
        let all = offspring(self.0.id());
        all.into_iter().filter(|process| command_line(process).contains(mark)).collect()
    }

    fn kill(&self, mark: &str) -> Checked {
        let found = self.found(mark);
        let [process] = &found[..] else { return Err(format!("{mark}: {found:?}").into()) };
        Ok(kill(pid(process).ok_or("no pid")?, Signal::SIGKILL)?)
    }

    fn seen(self) -> Checked<Seen> {
        self.0.wait_with_output()?.try_into()
    }
}

fn offspring(parent: u32) -> Vec<PathBuf> {
    let mut found = children(parent);
    let mut next = 0;
    while let Some(parent) = found.get(next).and_then(|process| pid(process)) {
        found.extend(children(parent.as_raw().unsigned_abs()));
        next += 1;
    }
    found
}

fn pid(process: &Path) -> Option<Pid> {
    process.file_name()?.to_str()?.parse().ok().map(Pid::from_raw)
}

fn runner_killed() -> Checked {
    let mut running = Running::with(&["one", "two", "three", "four"])?;
    running.0.kill()?;
    running.0.wait()?;
    Ok(())
}

fn case_killed() -> Checked {
    let running = Running::with(&["one"])?;
    running.kill("lastack:case\0victim::one")?;
    let seen = running.seen()?;
    seen.ends(1)?.says("ended without a verdict: killed by SIGKILL")?;
    seen.says("black hole both ways")?.says("read(")?;
    seen.clear()
}

fn agent_killed() -> Checked {
    let running = Running::with(&["two"])?;
    running.kill("lastack:agent\0b\0server")?;
    let seen = running.seen()?;
    seen.ends(1)?.says("seen: no answer: the process was killed by SIGKILL")?;
    seen.says("FIN_WAIT1")?;
    seen.clear()
}
