//! The program `lastack`, over the catalogue's cases.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    lastack::program(lastack_cases::registry, Path::new(env!("CARGO_MANIFEST_DIR")))
}
