//! The case's side of a trial: the process in which one case runs and judges.

use std::{
    any::Any,
    collections::BTreeSet,
    fs,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use futures::FutureExt;

use super::{
    case::Case,
    needs::Need,
    protocol::{FromCase, Link, Received, Report, ToCase, Verdict},
    registry::Registry,
    span::span,
};
use crate::{
    error::{self, Context, Error, ErrorKind, Result},
    lab::teardown,
    process::fork_server,
    scene::Scene,
    sys::{
        calls, inside, pending,
        probe::{self, Trial},
        spawn,
    },
    verdict::judged,
    wire::Journal,
};

/// Runs the case called `name` and reports to the runner that started this process, which knows
/// already that this kernel can do what `known` names, and wants the states of the sockets at the
/// end of a case that passes only if `all_states`.
#[must_use]
pub fn case_main(registry: &Registry, name: &str, known: &str, all_states: bool) -> ExitCode {
    known.split(',').filter_map(Trial::named).for_each(probe::learn);
    let (Ok(control), Ok(journal)) = (Link::inherited(), spawn::inherited(spawn::JOURNAL)) else {
        eprintln!("a case is started by lastack itself, with its control socket and journal");
        return ExitCode::from(2);
    };
    let control = Arc::new(control);
    let scene = Scene::new(Journal::new(journal.into()), control.clone());
    let seen = Arc::new(Mutex::new(String::new()));
    let (moment, witness) = (seen.clone(), scene.clone());
    error::on_mismatch(move || {
        let states = witness.states();
        *moment.lock().expect("no holder of this lock panics") = states;
    });
    let fallen = Mutex::new(false);
    let finish = Arc::new(Finish { scene: scene.clone(), control, seen, all_states, fallen });
    let watch = finish.clone();
    let watcher = thread::Builder::new().name("control".to_owned()).spawn(move || watch.watch());
    if let Err(error) = watcher {
        finish.fall(&Err(Error::system("start the control thread", error)));
    }
    // From here on the watcher notices the runner's end and puts everything to rest first; the
    // kernel must not be quicker.
    let _ = nix::sys::prctl::set_pdeathsig(None);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => finish.fall(&Err(error)),
    };
    let result = match registry.find(name) {
        Some(case) => runtime.block_on(perform(case, &scene)),
        None => Err(Error::usage(format!("unknown case {name}"))),
    };
    // The runtime is not dropped before: with it would go the channels to the agents, who would
    // end and close their sockets, and nobody would see any more how the case left them.
    finish.fall(&result)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(|| "start the case's runtime".to_owned())
}

/// Runs the body and then asks the faults, the wires and the books whether it ended cleanly.
async fn perform(case: &Case, scene: &Scene) -> Result {
    let judged = AssertUnwindSafe((case.body())(scene.clone())).catch_unwind().await;
    judged.unwrap_or_else(|panic| Err(panicked(&*panic)))?;
    scene.inspect().await?;
    needed(&case.needs, &probe::used())?;
    leaks(scene)
}

/// Expects every declared need of those that say themselves when they are used to have been used: a
/// case that declares more is ignored where it could have run.
fn needed(declared: &[Need], used: &[Trial]) -> Result {
    let superfluous = |need: &&Need| match need {
        Need::Trial(trial) => !used.iter().any(|used| used.includes(*trial)),
        _ => false,
    };
    let names: Vec<_> = declared.iter().filter(superfluous).map(ToString::to_string).collect();
    if names.is_empty() {
        return Ok(());
    }
    let declared = format!("declares no need that it does not use ({})", names.join(", "));
    let used: Vec<_> = used.iter().map(|trial| trial.name()).collect();
    let seen = match used.is_empty() {
        true => "it used none".to_owned(),
        false => format!("it used only {}", used.join(", ")),
    };
    Err(Error::mismatch("the case's needs", declared, seen))
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let words = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned());
    Error::mismatch("the case's own code", "runs to its end", format!("panicked: {words}"))
}

/// What the case has left that the harness does not answer for: processes it started behind the
/// harness's back, Internet sockets it opened in its own process.
fn leaks(scene: &Scene) -> Result {
    let started = scene.hosts().iter().flat_map(crate::lab::Host::pids).collect::<Vec<_>>();
    let known: BTreeSet<i32> = started.into_iter().chain(fork_server::pid()).collect();
    let mut left: Vec<String> = strangers(&known);
    left.extend(calls::own_inet_sockets().into_iter().map(|name| format!("socket {name}")));
    if left.is_empty() {
        return Ok(());
    }
    Err(Error::mismatch("what the case leaves behind", "nothing", left.join(", ")))
}

/// Processes of this PID namespace that do not descend from a known one.
fn strangers(known: &BTreeSet<i32>) -> Vec<String> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != 1 && !descends(*pid, known))
        .filter_map(|pid| {
            let (name, state, _) = stat(pid)?;
            (state != 'Z').then(|| format!("process {pid} ({name})"))
        })
        .collect()
}

fn descends(mut pid: i32, known: &BTreeSet<i32>) -> bool {
    while pid > 1 {
        if known.contains(&pid) {
            return true;
        }
        match stat(pid) {
            Some((_, _, parent)) => pid = parent,
            None => return true, // it ended while we looked
        }
    }
    false
}

/// Name, state and parent of a process (`proc_pid_stat(5)`).
fn stat(pid: i32) -> Option<(String, char, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = text.rsplit_once(") ")?;
    let mut fields = tail.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((head.split_once('(')?.1.to_owned(), state, parent))
}

/// The end of the case, which falls once: on the verdict, on the time limit, or on the death of
/// the runner.
struct Finish {
    scene: Scene,
    control: Arc<Link>,
    /// The sockets as they were when the last expectation was found not met.
    seen: Arc<Mutex<String>>,
    /// Whether somebody wants to know the sockets of a case that passes, too. The kernel walks
    /// through the listeners of the whole machine to list those of a host.
    all_states: bool,
    fallen: Mutex<bool>,
}

impl Finish {
    /// Waits for the runner to call time, or to be gone.
    fn watch(&self) {
        let late = match self.control.receive(true) {
            Ok(Received::Message(ToCase::TimeUp, _)) => Err(Error::mismatch(
                "the case's time limit",
                "a verdict before it",
                pending_waits(),
            )),
            _ => Err(Error::system("hear from the runner", "it is gone")),
        };
        self.fall(&late);
    }

    /// Reports, puts everything to rest and ends this process. Whoever comes second waits for
    /// ever, which is not long.
    fn fall(&self, result: &Result) -> ! {
        let mut fallen = self.fallen.lock().expect("no holder of this lock panics");
        assert!(!*fallen, "the finish falls once");
        *fallen = true;
        let report = Report {
            verdict: verdict(result),
            message: result.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            states: match result {
                Err(error) if error.kind() == ErrorKind::Mismatch => {
                    self.seen.lock().expect("no holder of this lock panics").clone()
                }
                Ok(()) if !self.all_states => String::new(),
                _ => self.scene.states(),
            },
            rss_kib: peak_memory(),
            judged: judged::book(),
            used: probe::used(),
            starved: if result.is_err() { starved() } else { Duration::ZERO },
        };
        // Reported first: whatever teardown meets, the verdict and its reasons are safe.
        let _ = self.control.send(&FromCase::Verdict(report.cut()), &[]);
        self.scene.close_book();
        teardown::tear_down(&self.scene.hosts());
        inside::exit_now()
    }
}

fn verdict(result: &Result) -> Verdict {
    let Err(error) = result else { return Verdict::Passed };
    match error.as_unmet() {
        Some(unmet) => Verdict::Unmet(unmet.clone()),
        None if error.kind() == ErrorKind::TooSlow => Verdict::TooSlow,
        None => Verdict::Failed,
    }
}

/// What the case was waiting for, a line each. Of many, the ones that have waited longest.
fn pending_waits() -> String {
    const SHOWN: usize = 5;
    let waits = pending::all();
    if waits.is_empty() {
        return "none: the case was still running, and waited for no call and no segment"
            .to_owned();
    }
    let line =
        |(what, time): &(String, Duration)| format!("\n              {what}, for {}", span(*time));
    let mut text = "none: the case was still waiting for".to_owned();
    text.extend(waits.iter().take(SHOWN).map(line));
    if let Some(more) = waits.len().checked_sub(SHOWN + 1) {
        text.push_str(&format!("\n              and {} more", more + 1));
    }
    text
}

/// For how long the processes of this case were ready to run and had no processor, together, beyond
/// what they ran: a case that spins makes its own threads wait, and those of other cases for it. The
/// first two numbers of `/proc/PID/task/TID/schedstat` (`proc_pid_schedstat`), where the kernel
/// counts.
fn starved() -> Duration {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let tasks = entries("/proc".as_ref())
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .flat_map(|process| entries(&process.path().join("task")).map(|task| task.path()));
    let times = |task: PathBuf| -> Option<(u64, u64)> {
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    let sum = |(ran, waited), (more, longer)| (ran + more, waited + longer);
    let (ran, waited) = tasks.filter_map(times).fold((0, 0), sum);
    Duration::from_nanos(waited.saturating_sub(ran))
}

/// The most memory this process has used, in KiB (`VmHWM`, `proc_pid_status(5)`).
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_need_that_was_not_used_fails_its_case() {
        let used = [Trial::Redirect, Trial::Hold];
        for fine in [&[][..], &[Need::Redirect], &[Need::Nft], &[Need::VirtualTime, Need::Hold]] {
            assert!(needed(fine, &used).is_ok(), "{fine:?}");
        }
        let error = needed(&[Need::Hold, Need::Netem, Need::Reject], &used).unwrap_err();
        let mismatch = error.as_mismatch().unwrap();
        assert!(mismatch.expected.ends_with("(netem, reject)"), "{error}");
        assert_eq!(mismatch.seen, "it used only redirect, hold");
    }
}
