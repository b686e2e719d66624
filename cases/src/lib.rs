//! The catalogue of TCP endings as test cases.
//!
//! The cases are in the folders beside this one, a family a folder, a scenario a file; the
//! build script finds them, and lists them in `families.rs`. The rows that they cover are in
//! `catalogue`, a family a file.

#![forbid(unsafe_code)]

use lastack::{FamilySource, Problems, Registry, Row};

#[path = "../families.rs"]
mod families;

include!(concat!(env!("OUT_DIR"), "/table.rs"));
include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// Every case there is.
///
/// # Errors
/// The case files contradict each other or the catalogue: everything that is wrong with them.
pub fn registry() -> Result<Registry, Problems> {
    Registry::build(FAMILIES)?.catalogue(CATALOGUE)
}

/// The case files, for who builds a registry of more than these.
#[must_use]
pub fn families() -> &'static [FamilySource] {
    FAMILIES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lastack::Row;

    #[test]
    fn the_readme_shows_a_case_and_a_project_that_are_run() {
        let readme = include_str!("../../README.md");
        let case = include_str!("../graceful_close/unread_fin.rs");
        let project = include_str!("../../harness/tests/own_project.rs");
        for shown in [case, project] {
            assert!(readme.contains(shown), "the README no longer shows:\n{shown}");
        }
    }

    #[test]
    fn the_case_files_agree_with_each_other_and_with_the_catalogue() {
        let problems = super::registry().err().map(|problems| problems.to_string());
        assert_eq!(problems, None);
    }

    #[test]
    fn a_row_has_cases_or_a_reason_for_having_none() {
        let registry = super::registry().unwrap();
        let missing: BTreeSet<_> = registry.missing().map(|row| row.id).collect();
        let wrong = |row: &&Row| missing.contains(row.id) != row.absent.is_some();
        let wrong: Vec<_> = registry.rows().iter().filter(wrong).map(|row| row.id).collect();
        assert!(wrong.is_empty(), "a case and `absent`, or neither of them: {wrong:?}");
    }
}
