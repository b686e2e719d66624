//! The catalogue of TCP endings as test cases.
//!
//! The cases are in the folders beside this one, a family a folder, a scenario a file; the
//! build script finds them.

use lastack::{FamilySource, Problems, Registry};

include!(concat!(env!("OUT_DIR"), "/families.rs"));

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
