//! The catalogue of TCP endings as test cases.
//!
//! The cases are in the folders beside this one, a family a folder, a scenario a file; the
//! build script finds them, and lists them in `families.rs`.

use lastack::{FamilySource, Problems, Registry};

#[path = "../families.rs"]
mod families;

include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// Every case there is.
///
/// # Errors
/// The case files contradict each other: everything that is wrong with them.
pub fn registry() -> Result<Registry, Problems> {
    Registry::build(FAMILIES)
}

/// The case files, for who builds a registry of more than these.
#[must_use]
pub fn families() -> &'static [FamilySource] {
    FAMILIES
}

#[cfg(test)]
mod tests {
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
    fn the_case_files_agree_with_each_other() {
        assert!(super::registry().is_ok());
    }
}
