//! Virtual kernels: do they boot, say what they are told to say, jump over idle time, and when
//! they end otherwise than they should, is that said and nothing left behind?
//!
//! One program, three lives: as the init of a virtual kernel it does what the manifest says, with
//! `LASTACK_LIFE=holder` in its environment it holds a virtual kernel until it is killed, with
//! `starter` it starts one from a template if that can be, else it is the test of all.

#[path = "../common/mod.rs"]
mod common;
mod deaths;
mod images;
mod inside;
mod machines;
mod programs;
mod templates;

use std::process::ExitCode;

use common::or_ignored;
use lastack::virt::{Kernel, init};
use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    if init::is_here() {
        return init::main(|| inside::inside);
    }
    match common::this_life().as_deref() {
        Some("maker") => common::told(images::make_one()),
        Some("cramped") => common::told(programs::cramped()),
        Some("starter") => common::told(templates::start_one()),
        Some(_) => common::told(deaths::hold_one()),
        None => libtest_mimic::run(&arguments(), tests()).exit_code(),
    }
}

/// A virtual kernel keeps a core busy; more at a time than cores would only wait for each other.
fn arguments() -> Arguments {
    let mut arguments = Arguments::from_args();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads = arguments.test_threads.or(Some(cores));
    arguments
}

fn tests() -> Vec<Trial> {
    let obstacle = Kernel::find(None).err().map(|lack| lack.to_string());
    let tests = machines::TESTS.into_iter().chain(deaths::TESTS).chain(templates::TESTS);
    let tests = tests.map(|(name, test)| or_ignored(name.to_owned(), obstacle.as_deref(), test));
    let without = obstacle.clone().or_else(programs::usual_obstacle);
    let making = programs::obstacle(&["sh"]);
    let made = images::TESTS.into_iter();
    let made = made.map(|(name, test)| or_ignored(name.to_owned(), making.as_deref(), test));
    let with = programs::TESTS.into_iter();
    let with = with.map(|(name, test)| or_ignored(name.to_owned(), without.as_deref(), test));
    // Nobody is told to install these, so that nobody is refused who has not.
    let others = programs::OTHERS.into_iter().map(|(wanted, (name, test))| {
        match without.clone().or_else(|| programs::obstacle(&[wanted])) {
            Some(why) => Trial::ignorable_test(name, || Ok(Completion::ignored_with(why))),
            None => Trial::test(name, test),
        }
    });
    tests.chain(made).chain(with).chain(others).collect()
}
