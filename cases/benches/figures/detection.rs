//! How late the kernel is to give a peer up: what the keepalive and the user-timeout cases of the
//! catalogue have derived, and what they have seen, over many runs of each.

use lastack::{
    Registry, Result,
    runner::{
        case::Case,
        events::{Event, Reporter},
        pool::{self, Means},
    },
    verdict::Judged,
};

const FAMILIES: [&str; 2] = ["keepalive", "user_timeout"];

/// These cases mostly wait. So few run side by side that the machine's slowness has no part in
/// what they see.
const PER_CORE: usize = 40;

/// What all the runs have judged.
#[derive(Default)]
pub struct Detections {
    /// Runs whose verdict was no pass.
    pub failed: usize,
    /// How much later than derived each time was, as a fraction.
    pub late: Vec<f64>,
    /// How many of them neither the timer wheel explains nor a machine that stalled.
    pub out_of_bound: usize,
    /// How many the wheel does not explain, and the machine does.
    pub too_slow: usize,
}

/// Runs each case so many times.
pub fn measure(registry: &Registry, means: &Means, runs: usize) -> Detections {
    let chosen = registry.cases().iter().filter(|case| FAMILIES.contains(&case.family));
    let cases: Vec<&Case> = chosen.flat_map(|case| std::iter::repeat_n(case, runs)).collect();
    let jobs = PER_CORE * std::thread::available_parallelism().map_or(1, usize::from);
    let mut detections = Detections::default();
    pool::run(&cases, means, jobs, &mut [&mut detections]);
    detections.late.sort_by(f64::total_cmp);
    detections
}

impl Reporter for Detections {
    fn event(&mut self, event: &Event<'_>) -> Result {
        let Event::CaseFinished { case, finished } = event else { return Ok(()) };
        if !finished.outcome.passed() {
            self.failed += 1;
            eprintln!("{}: {}", case.name, finished.outcome.message());
        }
        for judged in &finished.judged {
            self.late.extend(judged.late());
            if !judged.on_the_wheel() {
                let count = match judged.is_the_machines() {
                    true => &mut self.too_slow,
                    false => &mut self.out_of_bound,
                };
                *count += 1;
                let Judged { what, derived, seen, stall } = judged;
                eprintln!(
                    "{}: {what} {seen:.3?} where {derived:.3?} was derived, on a machine that \
                     stalled for {stall:.3?}",
                    case.name
                );
            }
        }
        Ok(())
    }
}
