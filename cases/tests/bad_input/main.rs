//! Wrong use and hostile surroundings: clear words, the right exit code, nothing left behind.
//!
//! One program, several lives: the test; a place where something is wrong with the machine; the
//! program and the test target over registries that are sound or broken.

mod arguments;
mod build;
mod catalogue;
#[path = "../../../harness/tests/common/mod.rs"]
mod common;
mod registries;
mod shares;
mod surroundings;
#[path = "../isolation/world.rs"]
mod world;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use common::{Named, life, run};

fn main() -> ExitCode {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    match common::this_life().as_deref() {
        None => libtest_mimic::run(&Arguments::from_args(), tests()).exit_code(),
        Some("sound") => lastack::program(registries::sound, home),
        Some("sound_target") => lastack::test_main(registries::sound),
        Some("broken") => lastack::program(registries::broken, home),
        Some("broken_target") => lastack::test_main(registries::broken),
        Some("uncatalogued") => lastack::program(registries::uncatalogued, home),
        Some("target") => lastack::test_main(lastack_cases::registry),
        Some(place) => common::told(surroundings::live(place)),
    }
}

fn tests() -> Vec<Trial> {
    let named: [Named; 14] = [
        ("an_unknown_case_or_family_is_told_with_the_nearest", arguments::unknown_case_or_family),
        ("two_filters_where_one_is_allowed_are_refused", arguments::two_where_one_is_allowed),
        ("unknown_words_are_refused", arguments::unknown_words),
        (
            "a_junit_file_that_cannot_be_written_is_told_first",
            arguments::junit_that_cannot_be_written,
        ),
        ("a_wrong_registry_is_told_whole", arguments::wrong_registry),
        ("a_covered_id_that_is_no_row_is_told", catalogue::covered_id_that_is_no_row),
        ("rows_without_a_case_are_listed_and_shown", catalogue::rows_without_a_case),
        ("a_case_of_no_row_is_listed_as_any_other", catalogue::case_of_no_row),
        ("a_row_that_is_wrong_fails_the_build", catalogue::wrong_rows),
        ("what_is_no_shard_is_refused", shares::wrong_shards),
        ("times_that_cannot_be_read_are_refused", shares::wrong_times),
        ("every_case_is_in_one_shard", shares::every_case_in_one_shard),
        ("shards_run_every_case_once", shares::shards_of_a_run),
        ("what_failed_last_runs_again", shares::failed_again),
    ];
    let compiled: Named =
        ("a_file_that_registers_nothing_does_not_compile", build::file_that_registers_nothing);
    let no_compiler = build::rustc().is_none().then(|| "there is no rustc".to_owned());
    let refused = world::refused();
    let places = surroundings::ALL.iter().map(|&(name, ..)| {
        let test = move || run(&mut life(name, &[]))?.ends(0).map(drop);
        common::or_ignored(format!("told::{name}"), refused.as_deref(), test)
    });
    let mut all = common::trials(named);
    all.push(common::or_ignored(compiled.0.to_owned(), no_compiler.as_deref(), compiled.1));
    all.extend(places);
    all
}
