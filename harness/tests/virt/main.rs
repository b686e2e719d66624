//! Virtual kernels: do they boot, say what they are told to say, jump over idle time, and when
//! they end otherwise than they should, is that said and nothing left behind?
//!
//! One program, three lives: as the init of a guest it does what the manifest says, with
//! `LASTACK_LIFE=runner` in its environment it holds a guest until it is killed, else it is the
//! test of both.

#[path = "../common/mod.rs"]
mod common;
mod guests;
mod inside;

use std::process::ExitCode;

use lastack::virt::init;
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    if init::is_here() {
        return init::main(inside::inside);
    }
    match common::this_life().as_deref() {
        Some(_) => common::told(guests::hold_one()),
        None => libtest_mimic::run(&Arguments::from_args(), guests::tests()).exit_code(),
    }
}
