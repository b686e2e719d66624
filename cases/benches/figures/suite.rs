//! The whole catalogue once, against what it must take at least: its longest case, or its CPU
//! time over the cores.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use lastack::{
    Registry, Result,
    error::Context,
    runner::{
        events::{Event, Reporter},
        jobs,
        pool::{self, Means},
    },
};
use nix::sys::resource::{Usage, UsageWho, getrusage};

use crate::{figures::Figures, loops::median_ms};

/// Runs it as `lastack run` would.
///
/// # Errors
/// The catalogue cannot be gathered, or not be listed.
pub fn measure(means: &Means, figures: &mut Figures) -> Result {
    let families = lastack_cases::families();
    let catalogue = Registry::build(families).context(|| "gather the cases".to_owned())?;
    let cases: Vec<_> = catalogue.cases().iter().collect();
    let mut longest = Longest::default();
    let before = cpu();
    let began = Instant::now();
    let summary = pool::run(&cases, means, jobs::usual(), &mut [&mut longest]);
    let wall = began.elapsed().as_secs_f64();
    let cores = thread::available_parallelism().map_or(1, usize::from) as f64;
    let bound = longest.elapsed.as_secs_f64().max((cpu() - before).as_secs_f64() / cores);
    figures.set("suite_wall_s", wall);
    figures.set("suite_wall_ratio", wall / bound);
    figures.set("suite_failed", summary.failed as f64);
    figures.set("runner_rss_mib", runner_mib()?);
    figures.set("case_rss_mib", longest.rss_kib as f64 / 1024.0);
    figures.set("list_ms", list_ms()?);
    Ok(())
}

/// What the longest case took, and the most memory any held.
#[derive(Default)]
struct Longest {
    elapsed: Duration,
    rss_kib: u64,
}

impl Reporter for Longest {
    fn event(&mut self, event: &Event<'_>) -> Result {
        if let Event::CaseFinished { finished, .. } = event {
            self.elapsed = self.elapsed.max(finished.elapsed);
            self.rss_kib = self.rss_kib.max(finished.rss_kib);
        }
        Ok(())
    }
}

fn list_ms() -> Result<f64> {
    let mut elapsed = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let mut list = Command::new(env!("CARGO_BIN_EXE_lastack"));
        list.arg("list").stdout(Stdio::null()).status().context(|| "list the cases".to_owned())?;
        elapsed.push(began.elapsed());
    }
    Ok(median_ms(&elapsed))
}

/// CPU time of this process and of every case it has waited for.
pub fn cpu() -> Duration {
    let of = |who| getrusage(who).map_or(Duration::ZERO, |usage| spent(&usage));
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

fn spent(usage: &Usage) -> Duration {
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64)
    };
    micros(usage.user_time()) + micros(usage.system_time())
}

/// The most memory that a runner holds in a whole run, with virtual kernels where there are any: a
/// process of its own, since this one has measured other things before.
fn runner_mib() -> Result<f64> {
    let context = || "run the whole catalogue".to_owned();
    let mut runner = Command::new(env!("CARGO_BIN_EXE_lastack"));
    let runner = runner.arg("run").stdout(Stdio::null()).stderr(Stdio::null());
    let mut runner = runner.spawn().context(context)?;
    let mut peak = 0.0;
    while runner.try_wait().context(context)?.is_none() {
        peak = peak_mib(runner.id()).unwrap_or(peak);
        thread::sleep(Duration::from_millis(20));
    }
    Ok(peak)
}

/// The most memory a process has held so far (`VmHWM`). What wait4(2) tells includes the processes
/// that it has waited for.
fn peak_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = peak.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}
