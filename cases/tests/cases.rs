//! The catalogue's cases as ordinary tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastack::test_main(lastack_cases::registry)
}
