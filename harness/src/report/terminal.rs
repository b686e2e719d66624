//! A run as a person watches it: progress, failures in full as they happen, a table at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::progress::Progress;
use super::wants::Wants;
use crate::error::Result;
use crate::runner::case::Case;
use crate::runner::events::{CaseOutcome, Counts, Event, Finished, Place, Repeat, Reporter};
use crate::runner::evidence::account;
use crate::runner::needs::Unmet;
use crate::runner::record::Record;
use crate::runner::span::span;

/// One column less than the narrowest terminal in use: a line that wraps cannot be redrawn.
const LINE: usize = 79;

/// Tells a run on standard output: a line that is redrawn on a terminal, a line a case where
/// the output goes elsewhere.
pub struct Terminal<W> {
    out: W,
    live: bool,
    colour: bool,
    verbose: bool,
    progress: Progress,
    families: BTreeMap<&'static str, Tally>,
    failures: Vec<String>,
    inconclusive: Vec<String>,
    wants: Wants,
    /// On each virtual kernel: how many cases, and the longest.
    virtually: BTreeMap<String, (usize, Duration)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    time: Duration,
}

impl Terminal<std::io::Stdout> {
    /// On this program's standard output, in colour where a terminal wants it (`NO_COLOR`).
    #[must_use]
    pub fn stdout() -> Self {
        let live = std::io::stdout().is_terminal()
            && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::new(std::io::stdout(), live, live && !plain)
    }
}

impl<W: Write> Terminal<W> {
    /// On `out`; `live` redraws a line of progress.
    pub fn new(out: W, live: bool, colour: bool) -> Self {
        Self {
            out,
            live,
            colour,
            verbose: false,
            progress: Progress::default(),
            families: BTreeMap::new(),
            failures: Vec::new(),
            inconclusive: Vec::new(),
            wants: Wants::default(),
            virtually: BTreeMap::new(),
        }
    }

    /// With every reason for which cases are ignored at the end, and not only what would help most.
    #[must_use]
    pub fn verbose(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// With the time that is left of a run of these cases, by the times they took last.
    #[must_use]
    pub fn expecting(self, cases: &[&Case], record: &Record) -> Self {
        Self { progress: Progress::expecting(cases, record), ..self }
    }

    fn total(&self) -> Tally {
        self.families.values().fold(Tally::default(), |sum, tally| Tally {
            passed: sum.passed + tally.passed,
            failed: sum.failed + tally.failed,
            ignored: sum.ignored + tally.ignored,
            time: sum.time + tally.time,
        })
    }

    fn finished(&mut self, case: &Case, finished: &Finished) -> std::io::Result<()> {
        self.progress.done(&case.name, finished.counts == Counts::Failed);
        let tally = self.families.entry(case.family).or_default();
        tally.time += finished.elapsed;
        if let Place::Virtual { release } = &finished.place {
            let (cases, longest) = self.virtually.entry(release.clone()).or_default();
            *cases += 1;
            *longest = finished.elapsed.max(*longest);
        }
        let (mark, in_full) = match finished.counts {
            Counts::Passed => {
                tally.passed += 1;
                (Mark::Passed, false)
            }
            Counts::Ignored => {
                tally.ignored += 1;
                (Mark::TooSlow, false)
            }
            Counts::Failed => {
                tally.failed += 1;
                self.failures.push(case.name.clone());
                (Mark::Failed, true)
            }
        };
        if matches!(finished.outcome, CaseOutcome::TooSlow(_)) {
            self.inconclusive.push(case.name.clone());
        }
        if !self.live || !finished.outcome.passed() {
            self.clear()?;
            let line = mark.of(finished, self.colour);
            writeln!(self.out, "{line}  {}", case.name)?;
            if in_full {
                let account = account(case, finished);
                let indented =
                    account.lines().map(|line| format!("    {line}").trim_end().to_owned());
                writeln!(self.out, "\n{}\n", indented.collect::<Vec<_>>().join("\n"))?;
            } else if !finished.outcome.passed() {
                writeln!(self.out, "    {}", finished.outcome.message())?;
            }
        }
        self.draw()
    }

    fn ignored(&mut self, case: &Case, unmet: &Unmet) -> std::io::Result<()> {
        self.progress.done(&case.name, false);
        self.families.entry(case.family).or_default().ignored += 1;
        self.wants.add(unmet);
        if !self.live {
            let mark = Mark::Ignored.padded(self.colour);
            writeln!(self.out, "{mark} {:>9}  {}", "", case.name)?;
        }
        Ok(())
    }

    fn repeated(&mut self, case: &Case, why: &Repeat) -> std::io::Result<()> {
        self.progress.stopped(&case.name);
        if let Repeat::TooSlow(why) = why {
            self.clear()?;
            let mark = Mark::Repeated.padded(self.colour);
            writeln!(self.out, "{mark} {:>9}  {}\n    {why}", "", case.name)?;
        }
        self.draw()
    }

    fn clear(&mut self) -> std::io::Result<()> {
        if self.live { write!(self.out, "\r\x1b[K") } else { Ok(()) }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        if !self.live {
            return Ok(());
        }
        self.clear()?;
        let line = self.progress.line(Instant::now(), LINE);
        write!(self.out, "{line}")?;
        self.out.flush()
    }

    fn end(&mut self, elapsed: Duration) -> std::io::Result<()> {
        self.clear()?;
        let width = self.families.keys().map(|name| name.len()).max().unwrap_or(0).max(6);
        let head = format!(
            "{:width$}  {:>6}  {:>6}  {:>7}  {:>9}",
            "family", "passed", "failed", "ignored", "time"
        );
        writeln!(self.out, "\n{head}")?;
        for (family, tally) in &self.families {
            let Tally { passed, failed, ignored, time } = tally;
            let time = span(*time);
            let row = format!("{family:width$}  {passed:>6}  {failed:>6}  {ignored:>7}  {time:>9}");
            let mark = if *failed > 0 { Mark::Failed } else { Mark::Plain };
            writeln!(self.out, "{}", mark.paint(&row, self.colour))?;
        }
        for (release, (cases, longest)) in &self.virtually {
            let longest = span(*longest);
            writeln!(self.out, "\n{cases} on the virtual kernel {release}, the longest {longest}")?;
        }
        let wants = match self.verbose {
            true => self.wants.in_full(),
            false => self.wants.in_few_lines("--verbose has them all"),
        };
        if !wants.is_empty() {
            writeln!(self.out)?;
        }
        for (count, want) in wants {
            writeln!(self.out, "{count} ignored{want}")?;
        }
        if !self.failures.is_empty() {
            writeln!(self.out, "\nfailed:")?;
            for name in &self.failures {
                writeln!(self.out, "    {name}")?;
            }
        }
        let Tally { passed, failed, ignored, .. } = self.total();
        let sum = format!("{passed} passed, {failed} failed, {ignored} ignored");
        let mark = if failed > 0 { Mark::Failed } else { Mark::Passed };
        let sum = mark.paint(&sum, self.colour);
        writeln!(self.out, "\n{sum} in {:.1} s", elapsed.as_secs_f64())?;
        if !self.inconclusive.is_empty() {
            let warning = super::inconclusive(&self.inconclusive);
            writeln!(self.out, "{}", Mark::TooSlow.paint(&warning, self.colour))?;
        }
        self.out.flush()
    }
}

impl<W: Write> Reporter for Terminal<W> {
    fn event(&mut self, event: &Event<'_>) -> Result {
        // Whoever closed the pipe (`| head`) has seen enough; the exit code tells the rest.
        let _ = match event {
            Event::RunStarted { cases, jobs } => {
                self.progress.run_started(*cases, *jobs);
                Ok(())
            }
            Event::CaseIgnored { case, unmet } => self.ignored(case, unmet),
            Event::CaseStarted { case } => {
                self.progress.started(&case.name, Instant::now());
                Ok(())
            }
            Event::CaseRepeated { case, why } => self.repeated(case, why),
            Event::CaseFinished { case, finished } => self.finished(case, finished),
            Event::Tick => self.draw(),
            Event::RunFinished { elapsed } => self.end(*elapsed),
        };
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:>7.3} s", time.as_secs_f64())
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    Plain,
    Passed,
    Failed,
    Ignored,
    TooSlow,
    Repeated,
}

impl Mark {
    fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Passed => "32",
            Self::Failed => "1;31",
            Self::Ignored | Self::TooSlow | Self::Repeated => "33",
        };
        if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn padded(self, colour: bool) -> String {
        self.paint(&format!("{:8}", self.to_string()), colour)
    }

    /// The head of a result's line: how long it took and, in virtual time, where that was.
    fn of(self, finished: &Finished, colour: bool) -> String {
        match finished.place {
            Place::Host => format!("{} {}", self.padded(colour), seconds(finished.elapsed)),
            Place::Virtual { .. } => {
                let mark = self.paint(&self.to_string(), colour);
                format!("{mark} (virtual {})", span(finished.elapsed))
            }
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "",
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Ignored => "ignored",
            Self::TooSlow => "too slow",
            Self::Repeated => "again",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{finished, no_nft, registry};
    use crate::runner::record::{Last, Verdict};

    #[test]
    fn a_case_in_virtual_time_says_so_and_for_how_long() {
        let registry = registry();
        let [close, zero] = registry.cases() else { panic!("two cases") };
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, false, false);
        let mut stock = finished(CaseOutcome::Passed, 7_925_400);
        stock.place = Place::Virtual { release: "6.1.0-56".into() };
        let mut failed = finished(CaseOutcome::Failed("no FIN".into()), 1500);
        failed.place = stock.place.clone();
        for event in [
            Event::CaseFinished { case: close, finished: &stock },
            Event::CaseFinished { case: zero, finished: &failed },
            Event::RunFinished { elapsed: Duration::from_secs(7) },
        ] {
            terminal.event(&event).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        for line in [
            "ok (virtual 2h12m05s)  close::fin\n",
            "FAILED (virtual 1.500 s)  linger::zero\n",
            "close        1       0        0   2h12m05s\n",
            "\n2 on the virtual kernel 6.1.0-56, the longest 2h12m05s\n",
            "1 passed, 1 failed, 0 ignored in 7.0 s\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn what_stays_inconclusive_is_in_the_last_line() {
        let registry = registry();
        let [close, zero] = registry.cases() else { panic!("two cases") };
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, false, false);
        let slow = finished(CaseOutcome::TooSlow("it stalled for 2 s".into()), 1500);
        let why = Repeat::TooSlow("it stalled for 1 s".into());
        for event in [
            Event::CaseStarted { case: close },
            Event::CaseRepeated { case: close, why: &why },
            Event::CaseFinished { case: zero, finished: &finished(CaseOutcome::Passed, 10) },
            Event::CaseFinished { case: close, finished: &slow },
            Event::RunFinished { elapsed: Duration::from_secs(2) },
        ] {
            terminal.event(&event).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("again               close::fin\n    it stalled for 1 s\n"),
            "{text}"
        );
        let last = "1 passed, 0 failed, 1 ignored in 2.0 s\n\
                    warning: 1 case stays inconclusive, the machine was twice too slow: close::fin\n";
        assert!(text.ends_with(last), "{text}");
    }

    #[test]
    fn a_piped_run_is_a_line_a_case_and_a_table() {
        let registry = registry();
        let [close, zero] = registry.cases() else { panic!("two cases") };
        let mut text = Vec::new();
        let mut terminal = Terminal::new(&mut text, false, false);
        let failed = finished(CaseOutcome::Failed("expected FIN\nseen: RST".into()), 1500);
        for event in [
            Event::RunStarted { cases: 2, jobs: 1 },
            Event::CaseIgnored { case: zero, unmet: &no_nft() },
            Event::CaseStarted { case: close },
            Event::Tick,
            Event::CaseFinished { case: close, finished: &failed },
            Event::RunFinished { elapsed: Duration::from_millis(1600) },
        ] {
            terminal.event(&event).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        let (cases, table) = text.split_once("\nfamily").unwrap();
        assert!(
            cases.starts_with("ignored             linger::zero\nFAILED     1.500 s  close::fin")
        );
        assert!(cases.contains("    expected FIN\n    seen: RST"), "{cases}");
        assert_eq!(
            table,
            "  passed  failed  ignored       time\n\
             close        0       1        0    1.500 s\n\
             linger       0       0        1    0.000 s\n\
             \n\
             1 ignored: no nft; install it\n\
             \n\
             failed:\n\
             \x20   close::fin\n\
             \n\
             0 passed, 1 failed, 1 ignored in 1.6 s\n"
        );
    }

    #[test]
    fn a_terminal_sees_how_far_the_run_is_in_one_line() {
        let registry = registry();
        let [close, zero] = registry.cases() else { panic!("two cases") };
        let mut record = Record::default();
        for case in [close, zero] {
            let minutes = Duration::from_secs(300);
            record.note(&case.name, Last::new(Verdict::Passed, minutes, None));
        }
        let mut text = Vec::new();
        let terminal = Terminal::new(&mut text, true, false);
        let mut terminal = terminal.expecting(&[close, zero], &record);
        let failed = finished(CaseOutcome::Failed("expected FIN".into()), 1500);
        for event in [
            Event::RunStarted { cases: 2, jobs: 1 },
            Event::CaseStarted { case: zero },
            Event::CaseStarted { case: close },
            Event::Tick,
            Event::CaseFinished { case: close, finished: &failed },
        ] {
            terminal.event(&event).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.split("\r\x1b[K").collect();
        assert_eq!(lines[1], "0/2 done, 5m00s left; 2 running, 0 s: linger::zero");
        let last = "1/2 done, 1 failed, 5m00s left; 1 running, 0 s: linger::zero";
        assert_eq!(lines.last(), Some(&last));
    }

    #[test]
    fn reasons_are_summed_up_by_remedy_unless_all_are_asked_for() {
        let registry = registry();
        let slow = |reason: &str| Unmet {
            need: "virtual-time".into(),
            reason: reason.into(),
            remedy: "scripts/setup".into(),
        };
        let (one, two) = (slow("it takes 1m00s"), slow("it takes 2h00m00s"));
        let told = |verbose| {
            let mut text = Vec::new();
            let mut terminal = Terminal::new(&mut text, false, false).verbose(verbose);
            for (case, unmet) in registry.cases().iter().zip([&one, &two]) {
                terminal.event(&Event::CaseIgnored { case, unmet }).unwrap();
            }
            terminal.event(&Event::RunFinished { elapsed: Duration::from_secs(1) }).unwrap();
            String::from_utf8(text).unwrap()
        };
        let few = told(false);
        assert!(few.contains("\n\n2 ignored for want of virtual-time; scripts/setup\n\n"), "{few}");
        let all = told(true);
        let both = "\n1 ignored: it takes 1m00s; scripts/setup\n\
                    1 ignored: it takes 2h00m00s; scripts/setup\n";
        assert!(all.contains(both), "{all}");
    }
}
