//! The runner against cases that must not pass: does it say so, in the right words, and leave
//! nothing behind?
//!
//! One program, three lives: with `LASTACK_LIFE=test` in its environment it is a test target
//! over the control cases, with `LASTACK_LIFE=program` the program over them, without it
//! the test of both. `virtual_…` are the same lives over cases for virtual kernels, where all of
//! them begin without a word about it.

mod behaviour;
#[path = "../common/mod.rs"]
mod common;
mod controls;
mod doctor;
mod elsewhere;

use std::path::Path;
use std::process::ExitCode;

use lastack::runner::roles;
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    match common::this_life().as_deref() {
        Some("test") => lastack::test_main(controls::registry),
        Some("virtual_test") => lastack::test_main(elsewhere::registry),
        Some("virtual_program") => lastack::program(elsewhere::registry, home),
        Some(_) => lastack::program(controls::registry, home),
        None => {
            if let Some(code) = roles::dispatch(elsewhere::registry) {
                return code;
            }
            let tests = behaviour::tests().into_iter().chain(elsewhere::tests());
            let tests = tests.chain(doctor::tests()).collect();
            libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
        }
    }
}
