//! How every case came out when it last ran, and how long it took: for `--failed`, for the time
//! that is left, and to deal out shards by.
//!
//! It is a file of JSON beside the evidence, a line a case. A run replaces the lines of those cases
//! that it has run to an end and judged; the others stay. It is replaced as a whole, so that a
//! reader finds the old or the new one, whatever happens to the writer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::FlockArg;
use serde::{Deserialize, Serialize};

use super::places::Places;
use crate::error::{Context, Error, Result};
use crate::sys::lock;

/// A file of another version is not understood.
const VERSION: u32 = 1;

/// Where a case ran on this machine's own kernel.
const HOST: &str = "host";

/// How a case came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It failed, or counted as failed.
    Failed,
}

/// A case when it last ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// How it came out.
    pub verdict: Verdict,
    /// How long it took, in real time, beside what else ran.
    #[serde(rename = "ms")]
    pub millis: u64,
    /// On which kernel: `host`, or the release of a virtual one.
    pub kernel: String,
}

impl Last {
    /// A case that has just come out so.
    #[must_use]
    pub fn new(verdict: Verdict, took: Duration, release: Option<&str>) -> Self {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self { verdict, millis, kernel: release.unwrap_or(HOST).to_owned() }
    }

    /// The virtual kernel it ran on, if it was one.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        (self.kernel != HOST).then_some(&self.kernel)
    }
}

/// Cases by their names, each as it last ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    cases: BTreeMap<String, Last>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    cases: BTreeMap<String, Last>,
}

impl Record {
    /// What the file says; nothing if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is no record.
    pub fn read(file: &Path) -> Result<Option<Self>> {
        let what = || format!("read the record of runs {}", file.display());
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(what),
        };
        let wrong = |why: String| {
            let file = file.display();
            Error::usage(format!("{file} is no record of runs, or a damaged one: {why}"))
        };
        let written: Written =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        match written.version {
            VERSION => Ok(Some(Self { cases: written.cases })),
            other => Err(wrong(format!("it is of version {other}, and not {VERSION}"))),
        }
    }

    /// The case of this name, when it last ran.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Last> {
        self.cases.get(name)
    }

    /// Whether the case of this name failed when it last ran.
    #[must_use]
    pub fn failed(&self, name: &str) -> bool {
        self.get(name).is_some_and(|last| last.verdict == Verdict::Failed)
    }

    /// Notes how a case came out.
    pub fn note(&mut self, name: &str, last: Last) {
        self.cases.insert(name.to_owned(), last);
    }

    /// What the other says is later.
    pub fn merge(&mut self, later: Self) {
        self.cases.extend(later.cases);
    }

    fn text(&self) -> String {
        let line = |(name, last): (&String, &Last)| {
            let name = serde_json::to_string(name).expect("a string is always JSON");
            let last = serde_json::to_string(last).expect("strings and numbers are always JSON");
            format!("{name}:{last}")
        };
        let lines = self.cases.iter().map(line).collect::<Vec<_>>().join(",\n");
        format!("{{\"version\":{VERSION},\"cases\":{{\n{lines}\n}}}}\n")
    }

    /// The record of the runs of this build; nothing if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn of(places: &Places) -> Result<Option<Self>> {
        Self::read(&places.record())
    }

    /// Adds `later` to the record of the runs of this build, and keeps those lines that are
    /// `wanted`. Programs that do so at a time wait for each other.
    ///
    /// # Errors
    /// It cannot be written; what was there before still is.
    pub fn add_to(places: &Places, later: Self, wanted: impl Fn(&str) -> bool) -> Result {
        let (file, directory) = (places.record(), places.evidence());
        let what = || format!("record this run in {}", file.display());
        if !directory.exists() {
            std::fs::create_dir_all(&directory).context(what)?;
            places.hand_over(&directory);
        }
        let directory = File::open(&directory).context(what)?;
        let _alone = lock::held(directory, FlockArg::LockExclusive).context(what)?;
        // A damaged one is of no use to anybody.
        let mut record = Self::read(&file).ok().flatten().unwrap_or_default();
        record.merge(later);
        record.cases.retain(|name, _| wanted(name));
        let new = new_name(&file);
        std::fs::write(&new, record.text())
            .and_then(|()| {
                places.hand_over(&new);
                std::fs::rename(&new, &file)
            })
            .inspect_err(|_| drop(std::fs::remove_file(&new)))
            .context(what)
    }
}

/// One name for all: who holds the lock may replace what another left behind that was killed.
fn new_name(file: &Path) -> PathBuf {
    file.with_extension("json.new")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(verdict: Verdict, millis: u64, release: Option<&str>) -> Last {
        Last::new(verdict, Duration::from_millis(millis), release)
    }

    fn record(cases: &[(&str, Last)]) -> Record {
        let mut record = Record::default();
        cases.iter().for_each(|(name, last)| record.note(name, last.clone()));
        record
    }

    #[test]
    fn a_run_replaces_its_own_cases_and_leaves_the_others() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        assert_eq!(Record::of(&places).unwrap(), None);
        let old = last(Verdict::Failed, 20, None);
        let (all, slow) = (|_: &str| true, last(Verdict::Passed, 900, Some("6.1.0-56")));
        Record::add_to(&places, record(&[("a::x", old.clone()), ("b::y", old.clone())]), all)
            .unwrap();
        Record::add_to(&places, record(&[("a::x", slow.clone())]), all).unwrap();
        let read = Record::of(&places).unwrap().unwrap();
        assert_eq!(read, record(&[("a::x", slow.clone()), ("b::y", old)]));
        assert!(read.failed("b::y") && !read.failed("a::x") && !read.failed("c::z"));
        assert_eq!(read.get("a::x").unwrap().release(), Some("6.1.0-56"));

        Record::add_to(&places, Record::default(), |name| name != "b::y").unwrap();
        assert_eq!(Record::of(&places).unwrap().unwrap(), record(&[("a::x", slow)]));
        let text = std::fs::read_to_string(places.record()).unwrap();
        let line = "\"a::x\":{\"verdict\":\"passed\",\"ms\":900,\"kernel\":\"6.1.0-56\"}";
        assert_eq!(text, format!("{{\"version\":1,\"cases\":{{\n{line}\n}}}}\n"));
    }

    #[test]
    fn a_damaged_record_is_told_to_who_reads_it_and_replaced_by_who_writes_it() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        std::fs::create_dir(places.evidence()).unwrap();
        let one = record(&[("a::x", last(Verdict::Passed, 1, None))]);
        for damaged in ["", "{", "[1]", "{\"version\":2,\"cases\":{}}", "\0\0\0"] {
            std::fs::write(places.record(), damaged).unwrap();
            // What a writer left that was killed is in nobody's way.
            std::fs::write(new_name(&places.record()), "half").unwrap();
            let error = Record::of(&places).unwrap_err().to_string();
            assert!(error.contains("is no record of runs, or a damaged one"), "{error}");
            Record::add_to(&places, one.clone(), |_| true).unwrap();
            assert_eq!(Record::of(&places).unwrap(), Some(one.clone()));
            assert!(!new_name(&places.record()).exists());
        }
    }

    #[test]
    fn runs_that_end_at_once_are_all_recorded() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        let names: Vec<_> = (0..16).map(|number| format!("a::x{number}")).collect();
        std::thread::scope(|scope| {
            for name in &names {
                let places = &places;
                let one = record(&[(name.as_str(), last(Verdict::Passed, 1, None))]);
                scope.spawn(move || Record::add_to(places, one, |_| true).unwrap());
            }
        });
        let read = Record::of(&places).unwrap().unwrap();
        assert!(names.iter().all(|name| read.get(name).is_some()), "{read:?}");
    }

    #[test]
    fn a_record_that_cannot_be_written_is_told() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let places = Places::under(&file);
        let error = Record::add_to(&places, Record::default(), |_| true).unwrap_err().to_string();
        assert!(error.starts_with("failed to record this run in "), "{error}");
    }
}
