//! A run as JUnit XML, for CI systems.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use crate::error::{Context, Result};
use crate::runner::case::Case;
use crate::runner::events::{Counts, Event, Finished, Reporter};
use crate::runner::evidence::account;

/// Writes one file when the run is over: a suite a family, a test a case.
pub struct JUnit {
    file: File,
    path: PathBuf,
    suites: BTreeMap<&'static str, TestSuite>,
}

impl JUnit {
    /// Opens the file at once, so that a path that cannot be written is known before anything
    /// runs; and empties it, so that a run that is killed leaves no older run's results.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(path)
            .context(|| format!("open {} for the JUnit report", path.display()))?;
        Ok(Self { file, path: path.to_owned(), suites: BTreeMap::new() })
    }

    fn add(&mut self, case: &Case, status: TestCaseStatus) -> &mut TestCase {
        let suite = self.suites.entry(case.family).or_insert_with(|| TestSuite::new(case.family));
        let mut test = TestCase::new(case.name.as_str(), status);
        test.set_classname(case.family);
        for (key, values) in [("covers", &case.covers), ("claims", &case.claims)] {
            if !values.is_empty() {
                test.add_property((key, values.join(" ").as_str()));
            }
        }
        test.extra.insert(XmlString::new("file"), XmlString::new(case.file));
        suite.add_test_case(test);
        suite.test_cases.last_mut().expect("one was just added")
    }

    fn finished(&mut self, case: &Case, finished: &Finished) {
        let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let mut status = match finished.counts {
            Counts::Passed => TestCaseStatus::success(),
            Counts::Ignored => TestCaseStatus::skipped(),
            Counts::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        };
        if !finished.outcome.passed() {
            status.set_message(first_line(finished.outcome.message()));
        }
        if matches!(status, TestCaseStatus::NonSuccess { .. }) {
            status.set_description(account(case, finished));
        }
        let test = self.add(case, status);
        test.set_time(finished.elapsed);
        test.add_property(("kernel", finished.place.to_string().as_str()));
        if let Some(evidence) = &finished.evidence
            && !evidence.output.is_empty()
        {
            test.set_system_out(evidence.output.as_str());
        }
    }

    fn write(&mut self, elapsed: std::time::Duration) -> Result {
        let mut report = Report::new("lastack");
        report.set_time(elapsed);
        for (_, mut suite) in std::mem::take(&mut self.suites) {
            let time = suite.test_cases.iter().filter_map(|test| test.time).sum();
            suite.set_time(time);
            report.add_test_suite(suite);
        }
        let what = || format!("write the JUnit report {}", self.path.display());
        let text = report.to_string().context(what)?;
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush()).context(what)
    }
}

impl Reporter for JUnit {
    fn event(&mut self, event: &Event<'_>) -> Result {
        match event {
            Event::CaseIgnored { case, unmet } => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(unmet.to_string());
                self.add(case, status);
            }
            Event::CaseFinished { case, finished } => self.finished(case, finished),
            Event::RunFinished { elapsed } => return self.write(*elapsed),
            Event::RunStarted { .. }
            | Event::CaseStarted { .. }
            | Event::CaseRepeated { .. }
            | Event::Tick => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::tests::{finished, no_nft, registry};
    use crate::runner::events::{CaseOutcome, Place};

    #[test]
    fn a_run_becomes_suites_of_tests() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("junit.xml");
        std::fs::write(&path, "an older run").unwrap();
        let registry = registry();
        let [close, zero] = registry.cases() else { panic!("two cases") };
        let mut junit = JUnit::create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        let mut failed =
            finished(CaseOutcome::Failed("expected <FIN>\u{1b}[0m\nseen: RST".into()), 1500);
        failed.place = Place::Virtual { release: "6.1.0-56".into() };
        for event in [
            Event::CaseIgnored { case: zero, unmet: &no_nft() },
            Event::CaseFinished { case: close, finished: &failed },
            Event::RunFinished { elapsed: Duration::from_secs(2) },
        ] {
            junit.event(&event).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for part in [
            r#"tests="2" skipped="1" failures="1""#,
            r#"<testsuite name="close""#,
            r#"<testcase name="close::fin" classname="close" time="1.500" file="close/fin.rs">"#,
            r#"<property name="covers" value="GC-01"/>"#,
            r#"<failure message="expected &lt;FIN&gt;""#,
            "seen: RST",
            r#"<property name="kernel" value="virtual 6.1.0-56"/>"#,
            r#"<skipped message="no nft; install it"/>"#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_path_that_cannot_be_written_is_known_at_once() {
        for path in ["/no/such/directory/junit.xml", "/"] {
            let error = JUnit::create(Path::new(path)).err().unwrap().to_string();
            assert!(error.starts_with(&format!("failed to open {path}")), "{error}");
        }
    }
}
