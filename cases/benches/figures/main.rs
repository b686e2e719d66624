//! The figures of one run, each beside its floor: printed, and written to `target/bench.json`.
//!
//! Not a test: machines differ and so do their moods. Ratios are what to compare.

mod floor;
mod loops;

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use lastack::{
    FamilySource, Problems, Registry, Result,
    error::Attempt,
    runner::{case::Case, jobs, launch::Launcher, places::Places, pool, roles},
};
use nix::sys::resource::{Usage, UsageWho, getrusage};

const GRACEFUL: &str = "graceful_close::end_of_file_answered_at_once_takes_three_segments::ipv4";

fn main() -> ExitCode {
    if let Some(code) = roles::dispatch(registry) {
        return code;
    }
    match figures() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The catalogue and, beside it, the loops that are measured.
fn registry() -> std::result::Result<Registry, Problems> {
    let mut families = lastack_cases::families().to_vec();
    families.push(FamilySource { family: "loops", file: "benches/loops.rs", cases: loops::cases });
    Registry::build(&families)
}

fn figures() -> Result {
    let registry = registry().attempt(|| "gather the cases".to_owned())?;
    let places = Places::find();
    let launcher = |keep| {
        Launcher::new(places.clone(), keep).attempt(|| "run cases on this machine".to_owned())
    };
    let case = |name: &str| registry.find(name).expect("the case is in this file or the catalogue");
    let mut figures = Figures::default();

    let (quiet, telling) = (launcher(false)?, launcher(true)?);
    let labs = loops::told(&telling.run(case(loops::LABS[0]), || ()))?;
    let floors = loops::told(&telling.run(case(loops::FLOORS[0]), || ()))?;
    figures.set("lab_setup_ms", labs.median_ms);
    figures.set("lab_floor_ms", floors.median_ms);
    figures.set("lab_setup_ratio", labs.median_ms / floors.median_ms);

    // A machine without guest kernels has no figure for them.
    if case(loops::GUESTS).obstacle().is_none() {
        let guests = loops::told(&telling.run(case(loops::GUESTS), || ()))?;
        figures.set("uml_boot_ms", guests.median_ms);
    }

    if std::env::var_os("STOP").is_some() {
        return Ok(());
    }
    let rate = side_by_side(&telling, loops::LABS.map(case))?;
    let floor_rate = side_by_side(&telling, loops::FLOORS.map(case))?;
    figures.set("labs_per_s", rate);
    figures.set("labs_per_s_ratio", rate / floor_rate);

    let graceful = case(GRACEFUL);
    let mut elapsed: Vec<_> = (0..50).map(|_| quiet.run(graceful, || ()).elapsed).collect();
    figures.set("graceful_close_ms", loops::median_ms(&mut elapsed));

    suite(&registry, &quiet, &mut figures);
    figures.set("list_ms", list_ms()?);
    figures.write(&places.target().join("bench.json"))
}

/// Runs each case on its own thread; the sum of the rates they tell.
fn side_by_side(launcher: &Launcher, cases: [&Case; 2]) -> Result<f64> {
    let run = |case| launcher.run(case, || ());
    let told: Vec<_> = thread::scope(|scope| {
        let runs = cases.map(|case| scope.spawn(move || loops::told(&run(case))));
        runs.into_iter().map(|run| run.join().expect("a run returns its errors")).collect()
    });
    told.into_iter().map(|told| told.map(|told| told.per_second)).sum()
}

/// The whole catalogue once, against what it must take at least: its longest case, or its CPU
/// time over the cores.
fn suite(registry: &Registry, launcher: &Launcher, figures: &mut Figures) {
    let cases: Vec<&Case> = registry.cases().iter().filter(|case| case.family != "loops").collect();
    let mut longest = Longest::default();
    let before = cpu();
    let began = Instant::now();
    let summary = pool::run(&cases, launcher, jobs::usual(), &mut [&mut longest]);
    let wall = began.elapsed().as_secs_f64();
    let cores = thread::available_parallelism().map_or(1, usize::from) as f64;
    let bound = longest.elapsed.as_secs_f64().max((cpu() - before).as_secs_f64() / cores);
    figures.set("suite_wall_s", wall);
    figures.set("suite_wall_ratio", wall / bound);
    figures.set("suite_failed", summary.failed as f64);
    figures.set("runner_rss_mib", peak_mib());
    figures.set("case_rss_mib", longest.rss_kib as f64 / 1024.0);
}

/// What the longest case took, and the most memory any held.
#[derive(Default)]
struct Longest {
    elapsed: Duration,
    rss_kib: u64,
}

impl lastack::runner::events::Reporter for Longest {
    fn event(&mut self, event: &lastack::runner::events::Event<'_>) -> Result {
        if let lastack::runner::events::Event::CaseFinished { finished, .. } = event {
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
        list.arg("list").stdout(Stdio::null()).status().attempt(|| "list the cases".to_owned())?;
        elapsed.push(began.elapsed());
    }
    Ok(loops::median_ms(&mut elapsed))
}

/// CPU time of this process and of every case it has waited for.
fn cpu() -> Duration {
    let of = |who| getrusage(who).map_or(Duration::ZERO, |usage| spent(&usage));
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}

fn spent(usage: &Usage) -> Duration {
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64)
    };
    micros(usage.user_time()) + micros(usage.system_time())
}

/// The most memory this process has held (`VmHWM`). What getrusage(2) tells includes the
/// program that executed this one.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

#[derive(Default)]
struct Figures(BTreeMap<&'static str, f64>);

impl Figures {
    fn set(&mut self, key: &'static str, value: f64) {
        println!("{key:>20} {value:10.3}");
        self.0.insert(key, value);
    }

    fn write(&self, path: &Path) -> Result {
        let json = serde_json::to_string_pretty(&self.0).expect("numbers and names");
        std::fs::write(path, json + "\n").attempt(|| format!("write {}", path.display()))?;
        println!("written to {}", path.display());
        Ok(())
    }
}
