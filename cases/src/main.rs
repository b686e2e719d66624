//! The program `lastack`, over the catalogue's cases.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    lastack::program(lastack_cases::registry, Path::new(env!("CARGO_MANIFEST_DIR")))
}
