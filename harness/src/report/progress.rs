//! How far a run is, in one line: done, failed, time left, and who has run for longest.

use std::time::{Duration, Instant};

use crate::runner::case::Case;
use crate::runner::record::Record;
use crate::runner::span::span;

/// So many cases share a virtual kernel's processor, until it is seen how many do.
const ON_VIRTUAL: usize = 24;

/// A run on its way.
#[derive(Debug, Default)]
pub(super) struct Progress {
    cases: usize,
    done: usize,
    failed: usize,
    /// In the order in which they started.
    running: Vec<(String, Instant)>,
    /// Those that are not done and of which it is recorded how long they took.
    expected: Vec<Expected>,
    /// On this machine's kernel and on virtual ones.
    lanes: [Lane; 2],
}

#[derive(Debug)]
struct Expected {
    name: String,
    time: Duration,
    lane: usize,
    began: Option<Instant>,
}

#[derive(Debug, Default)]
struct Lane {
    /// How many cases of it were seen side by side at most.
    most: usize,
    /// How many there can be, as far as is known.
    jobs: usize,
}

impl Progress {
    /// Of a run of these cases, each of which takes as long as recorded.
    pub(super) fn expecting(cases: &[&Case], record: &Record) -> Self {
        let expected = |case: &&Case| {
            let last = record.get(&case.name)?;
            Some(Expected {
                name: case.name.clone(),
                time: Duration::from_millis(last.millis),
                lane: usize::from(last.release().is_some()),
                began: None,
            })
        };
        Self { expected: cases.iter().filter_map(expected).collect(), ..Self::default() }
    }

    pub(super) fn run_started(&mut self, cases: usize, jobs: usize) {
        self.cases = cases;
        let [host, other] = &mut self.lanes;
        (host.jobs, other.jobs) = (jobs, jobs.min(ON_VIRTUAL));
    }

    pub(super) fn started(&mut self, name: &str, now: Instant) {
        self.running.push((name.to_owned(), now));
        let Some(case) = self.expected.iter_mut().find(|case| case.name == name) else { return };
        case.began = Some(now);
        let lane = case.lane;
        let beside = self.expected.iter().filter(|case| case.lane == lane && case.began.is_some());
        let beside = beside.count();
        self.lanes[lane].most = self.lanes[lane].most.max(beside);
    }

    /// It stopped, and will run again.
    pub(super) fn stopped(&mut self, name: &str) {
        self.running.retain(|(running, _)| running != name);
        for case in self.expected.iter_mut().filter(|case| case.name == name) {
            case.began = None;
        }
    }

    pub(super) fn done(&mut self, name: &str, failed: bool) {
        self.stopped(name);
        self.expected.retain(|case| case.name != name);
        self.done += 1;
        self.failed += usize::from(failed);
    }

    /// The line, of at most so many columns.
    pub(super) fn line(&self, now: Instant, columns: usize) -> String {
        let mut line = format!("{}/{} done", self.done, self.cases);
        if self.failed > 0 {
            line.push_str(&format!(", {} failed", self.failed));
        }
        if let Some(left) = self.left(now) {
            line.push_str(&format!(", {} left", coarse(left)));
        }
        if let Some((name, began)) = self.running.first() {
            let (count, time) = (self.running.len(), coarse(now.duration_since(*began)));
            line.push_str(&format!("; {count} running, {time}: {name}"));
        }
        if line.chars().count() <= columns {
            return line;
        }
        let cut: String = line.chars().take(columns.saturating_sub(1)).collect();
        format!("{cut}…")
    }

    /// How long the rest may take: none if too little is known. Cases on one kernel pass through it
    /// as many at a time as they did so far; the last is done when the longest is.
    fn left(&self, now: Instant) -> Option<Duration> {
        let todo = self.cases.saturating_sub(self.done);
        if todo == 0 || 2 * self.expected.len() < todo {
            return None;
        }
        let unknown = todo as f64 / self.expected.len() as f64;
        let of_lane = |(index, lane): (usize, &Lane)| {
            let rest = |case: &Expected| {
                case.time.saturating_sub(case.began.map_or(Duration::ZERO, |at| now - at))
            };
            let cases = || self.expected.iter().filter(|case| case.lane == index);
            let beside = if lane.most > 0 { lane.most } else { lane.jobs.min(cases().count()) };
            let shared = cases().map(rest).sum::<Duration>().as_secs_f64();
            let shared = Duration::from_secs_f64(shared * unknown / beside.max(1) as f64);
            shared.max(cases().map(rest).max().unwrap_or_default())
        };
        self.lanes.iter().enumerate().map(of_lane).max()
    }
}

/// In whole seconds, and minutes where there are some.
fn coarse(time: Duration) -> String {
    let time = Duration::from_secs_f64(time.as_secs_f64().round());
    if time.as_secs() < 60 { format!("{} s", time.as_secs()) } else { span(time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::registry;
    use crate::runner::record::{Last, Verdict};

    const FIN: &str = "close::fin";
    const ZERO: &str = "linger::zero";

    fn record(times: &[(&str, u64, Option<&str>)]) -> Record {
        let mut record = Record::default();
        for &(name, seconds, release) in times {
            record.note(name, Last::new(Verdict::Passed, Duration::from_secs(seconds), release));
        }
        record
    }

    fn begun(record: &Record) -> Progress {
        let registry = registry();
        let mut progress =
            Progress::expecting(&registry.cases().iter().collect::<Vec<_>>(), record);
        progress.run_started(2, 128);
        progress
    }

    #[test]
    fn it_says_what_is_done_failed_left_and_running_longest() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut progress = begun(&record(&[(FIN, 90, None), (ZERO, 20, Some("6.1.0-56"))]));
        assert_eq!(progress.line(began, 79), "0/2 done, 1m30s left");
        progress.started(ZERO, at(0));
        progress.started(FIN, at(2));
        assert_eq!(
            progress.line(at(12), 79),
            "0/2 done, 1m20s left; 2 running, 12 s: linger::zero"
        );
        progress.done(FIN, true);
        let line = progress.line(at(12), 79);
        assert_eq!(line, "1/2 done, 1 failed, 8 s left; 1 running, 12 s: linger::zero");
        // It takes longer than ever before: nobody knows how long.
        let line = progress.line(at(3700), 79);
        assert_eq!(line, "1/2 done, 1 failed, 0 s left; 1 running, 1h01m40s: linger::zero");
        progress.stopped(ZERO);
        progress.done(ZERO, false);
        assert_eq!(progress.line(at(3700), 79), "2/2 done, 1 failed");
    }

    #[test]
    fn nobody_guesses_what_is_not_recorded() {
        let now = Instant::now();
        let mut progress = begun(&Record::default());
        progress.started(FIN, now);
        assert_eq!(progress.line(now, 79), "0/2 done; 1 running, 0 s: close::fin");
        // What is known of half of them is said of all.
        let progress = begun(&record(&[(FIN, 10, None)]));
        assert_eq!(progress.line(now, 79), "0/2 done, 20 s left");
    }

    #[test]
    fn cases_side_by_side_share_the_time_that_is_left() {
        let now = Instant::now();
        let times: Vec<_> = (0..40).map(|number| format!("close::case{number}")).collect();
        let expected = times.iter().map(|name| Expected {
            name: name.clone(),
            time: Duration::from_secs(4),
            lane: 0,
            began: None,
        });
        let mut progress = Progress { expected: expected.collect(), ..Progress::default() };
        progress.run_started(40, 128);
        for name in &times[..4] {
            progress.started(name, now);
        }
        // Four at a time: forty of four seconds each are done after forty.
        assert_eq!(progress.left(now), Some(Duration::from_secs(40)));
    }

    #[test]
    fn a_long_name_is_cut_to_one_line_of_a_terminal() {
        let mut progress = begun(&Record::default());
        progress.started(&"ü".repeat(200), Instant::now());
        let line = progress.line(Instant::now(), 79);
        assert_eq!(line.chars().count(), 79);
        assert!(line.ends_with("ü…"), "{line}");
    }
}
