//! Cases on real labs that must fail: do they, for the right reason, in the right words, and
//! with everything that a reader needs?
//!
//! A check that cannot fail proves nothing, so each kind of expectation is disappointed here.
//! One program, two lives: the test target over the cases, and the test of what it says.

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod judged;
mod looks;

use std::process::ExitCode;

use lastack::{FamilySource, Problems, Registry};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    match common::this_life() {
        Some(_) => lastack::test_main(registry),
        None => libtest_mimic::run(&Arguments::from_args(), looks::tests()).exit_code(),
    }
}

fn registry() -> Result<Registry, Problems> {
    let source = |family, file, cases| FamilySource { family, file, cases };
    Registry::build(&[
        source("judged", "judged.rs", judged::cases),
        source("ends", "ends.rs", ends::cases),
    ])
}
