//! The runner against cases that must not pass: does it say so, in the right words, and leave
//! nothing behind?
//!
//! One program, three lives: with `LASTACK_LIFE=test` in its environment it is a test target
//! over the control cases, with `LASTACK_LIFE=program` the program over them, without it
//! the test of both.

mod behaviour;
#[path = "../common/mod.rs"]
mod common;
mod controls;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    match common::this_life().as_deref() {
        Some("test") => lastack::test_main(controls::registry),
        Some(_) => lastack::program(controls::registry, Path::new(env!("CARGO_MANIFEST_DIR"))),
        None => libtest_mimic::run(&Arguments::from_args(), behaviour::tests()).exit_code(),
    }
}
