//! Every case there is, found complete and consistent or not used at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use super::case::Case;
use super::catalogue::{self, Row, well_formed};
use super::registration::Family;

/// One case file, as the case crate's build script found it.
#[derive(Debug, Clone, Copy)]
pub struct FamilySource {
    /// The folder it is in.
    pub family: &'static str,
    /// Where it is, relative to the case crate.
    pub file: &'static str,
    /// What it registers.
    pub cases: fn(&mut Family),
}

/// The case that this process runs, if that is all it was started for.
static SOUGHT: OnceLock<String> = OnceLock::new();

/// Lets [`Registry::build`] leave out whatever cannot hold this case. To ask a thousand cases for
/// their names takes a process milliseconds, and each case is one.
pub(super) fn seek(case: &str) {
    let _ = SOUGHT.set(case.to_owned());
}

/// Every case of a program, in the order of their names.
#[derive(Debug)]
pub struct Registry {
    cases: Vec<Case>,
    rows: &'static [Row],
}

/// Why a registry could not be built: everything that is wrong with it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "failed to gather the cases:")?;
        self.0.iter().try_for_each(|problem| writeln!(f, "  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Registry {
    /// Gathers the cases of all files; in the process of one case, those of its family, which have
    /// been found sound before by who started it.
    ///
    /// # Errors
    /// A name used twice or not in snake case, a malformed catalogue id, a case without a body, a
    /// file without a case.
    pub fn build(sources: &[FamilySource]) -> Result<Self, Problems> {
        Self::gather(
            sources
                .iter()
                .filter(|source| SOUGHT.get().is_none_or(|case| may_hold(source.family, case))),
        )
    }

    fn gather<'a>(sources: impl Iterator<Item = &'a FamilySource>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut cases = Vec::new();
        for source in sources {
            let mut family = Family::new(source.family, source.file);
            (source.cases)(&mut family);
            let (found, wrong) = family.into_parts();
            if found.is_empty() && wrong.is_empty() {
                problems.push(format!("{}: registers no case", source.file));
            }
            problems.extend(wrong.into_iter().map(|problem| format!("{}: {problem}", source.file)));
            cases.extend(found);
        }
        cases.iter().for_each(|case| check(case, &mut problems));
        check_names(&cases, &mut problems);
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        // A mistake in one registration shows once, not once a variant.
        let mut seen = BTreeSet::new();
        problems.retain(|problem| seen.insert(problem.clone()));
        if problems.is_empty() { Ok(Self { cases, rows: &[] }) } else { Err(Problems(problems)) }
    }

    /// With the catalogue whose rows the cases cover, in the order of their ids. Without one an
    /// id means nothing but itself.
    ///
    /// # Errors
    /// A case covers what is no row, a row's id is malformed, there twice or out of order, or a
    /// row has no rule.
    pub fn catalogue(self, rows: &'static [Row]) -> Result<Self, Problems> {
        let problems = match SOUGHT.get() {
            Some(_) => Vec::new(),
            None => catalogue::check(rows, &self.cases),
        };
        if problems.is_empty() { Ok(Self { rows, ..self }) } else { Err(Problems(problems)) }
    }

    /// The rows of its catalogue, in the order of their ids; none, if it was given none.
    #[must_use]
    pub fn rows(&self) -> &'static [Row] {
        self.rows
    }

    /// The row of this id, in capitals or not.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<&'static Row> {
        catalogue::find(self.rows, id)
    }

    /// The rows that no case covers, in the order of their ids.
    pub fn missing(&self) -> impl Iterator<Item = &Row> {
        catalogue::missing(self.rows, &self.cases)
    }

    /// Every case, in the order of their names.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The case with exactly this test name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }
}

/// Whether a case of this name can be one of this family.
fn may_hold(family: &str, case: &str) -> bool {
    case.strip_prefix(family).is_some_and(|rest| rest.starts_with("::"))
}

fn check(case: &Case, problems: &mut Vec<String>) {
    let Case { file, name, .. } = case;
    if let Some(part) = name.split("::").find(|part| !snake_case(part)) {
        problems.push(format!("{file}: {part:?} in {name} is not in snake_case"));
    }
    // The variant is no part of what follows: one registration, one complaint.
    let name = name.splitn(3, "::").take(2).collect::<Vec<_>>().join("::");
    for id in case.covers.iter().filter(|id| !well_formed(id)) {
        problems.push(format!("{file}: {name} covers {id:?}, which is no id such as \"GC-02\""));
    }
}

fn check_names(cases: &[Case], problems: &mut Vec<String>) {
    let mut files: BTreeMap<&str, &str> = BTreeMap::new();
    for case in cases {
        if let Some(other) = files.insert(&case.name, case.file) {
            let name = &case.name;
            problems.push(match other == case.file {
                true => format!("{other}: two cases are named {name}"),
                false => format!("{other} and {}: two cases are named {name}", case.file),
            });
        }
    }
}

/// Lower-case letters, digits and single underscores, beginning with a letter.
pub(crate) fn snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.ends_with('_')
        && !name.contains("__")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    async fn nothing(_: Scene) -> crate::Result {
        Ok(())
    }

    type File = (&'static str, fn(&mut Family));

    fn build(files: &[File]) -> Result<Registry, Vec<String>> {
        let sources: Vec<_> = files
            .iter()
            .map(|&(file, cases)| FamilySource { family: "linger", file, cases })
            .collect();
        Registry::build(&sources).map_err(|Problems(problems)| problems)
    }

    #[test]
    fn a_sound_registry_is_sorted_and_searchable() {
        let registry = build(&[("linger/a.rs", |family| {
            family.case("zeta").covers(["LI-02"]).source("here").run(nothing);
            family.case("alpha").covers(["LI-01", "LI-01b"]).source("here").run(nothing);
        })])
        .unwrap();
        let names: Vec<_> = registry.cases().iter().map(|case| &case.name).collect();
        assert_eq!(names, ["linger::alpha", "linger::zeta"]);
        assert!(registry.find("linger::zeta").is_some());
        assert!(registry.find("zeta").is_none());
    }

    #[test]
    fn a_case_is_sought_in_its_own_family_only() {
        assert!(may_hold("linger", "linger::zeta::ipv4"));
        for family in ["linge", "zeta", "linger::zeta::ipv4", "lingers"] {
            assert!(!may_hold(family, "linger::zeta::ipv4"), "{family}");
        }
    }

    #[test]
    fn a_row_may_have_several_homes_and_a_case_none() {
        let one: fn(&mut Family) = |family| {
            family.case("one").covers(["LI-01"]).source("s").run(nothing);
        };
        let two: fn(&mut Family) = |family| {
            family.case("two").covers(["LI-01"]).source("s").run(nothing);
            family.case("of_no_row").run(nothing);
        };
        assert!(build(&[("linger/a.rs", one), ("linger/b.rs", two)]).is_ok());
    }

    #[test]
    fn a_name_used_twice_is_told_with_its_files() {
        let problems = build(&[
            ("linger/a.rs", |family| {
                family.case("x").covers(["LI-01"]).source("s").run(nothing);
            }),
            ("linger/b.rs", |family| {
                family.case("x").covers(["LI-02"]).source("s").run(nothing);
            }),
        ])
        .unwrap_err();
        assert_eq!(problems, ["linger/a.rs and linger/b.rs: two cases are named linger::x"]);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let problems = build(&[
            ("linger/empty.rs", |_| {}),
            ("linger/forgot.rs", |family| {
                drop(family.case("no_body").covers(["LI-03"]));
            }),
            ("linger/wrong.rs", |family| {
                family.case("Shouting").covers(["L-1"]).source("s").run(nothing);
                family
                    .case("none")
                    .covers(["LI-04"])
                    .source("s")
                    .across([], |scene, ()| nothing(scene));
            }),
        ])
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "linger/empty.rs: registers no case",
                "linger/forgot.rs: case no_body was given no body (run or across)",
                "linger/wrong.rs: case none is across no variant",
                "linger/wrong.rs: \"Shouting\" in linger::Shouting is not in snake_case",
                "linger/wrong.rs: linger::Shouting covers \"L-1\", which is no id such as \"GC-02\"",
            ]
        );
    }

    #[test]
    fn ids_are_two_capitals_a_dash_two_digits_and_perhaps_a_letter() {
        for id in ["GC-02", "NF-28b", "ZZ-00A"] {
            assert!(well_formed(id), "{id}");
        }
        for id in ["", "GC", "gc-02", "GC-2", "GC-022", "GC02", "GC-02bb", "Gé-02", "GC-02é"] {
            assert!(!well_formed(id), "{id}");
        }
    }
}
