//! What the harness gives to cases, tested by cases: labs, processes, calls, faults.

mod bulk;
mod calls;
mod closures;
mod deaths;
mod faults;
mod fidelity;
mod guests;
mod held;
mod impairment;
mod inject;
mod layout;
mod links;
mod misuse;
mod netem;
mod options;
mod processes;
mod readiness;
mod redundant;
mod refusals;
mod routed;
mod routes;
mod rules;
mod shower;
mod signals;
mod slots;
mod sysctls;
mod verbs;

use std::process::ExitCode;

use lastack::{FamilySource, Problems, Registry};

fn main() -> ExitCode {
    lastack::test_main(registry)
}

fn registry() -> Result<Registry, Problems> {
    macro_rules! sources {
        ($($room:ident)*) => { [$(FamilySource {
            family: stringify!($room),
            file: concat!("tests/lab/", stringify!($room), ".rs"),
            cases: $room::cases,
        }),*] };
    }
    Registry::build(&sources![
        bulk calls closures deaths faults fidelity guests held impairment inject layout links misuse netem
        options processes readiness redundant refusals routed routes rules signals slots sysctls verbs
    ])
}

/// Self-tests cover no row of the catalogue; each file has a number of its own instead.
macro_rules! told {
    ($family:ident, $id:literal, $($name:ident)*) => {
        $($family.case(stringify!($name)).covers([$id]).source("lastack's own word").run($name);)*
    };
    ($family:ident, $id:literal across $variants:expr, $($name:ident)*) => {
        $($family.case(stringify!($name)).covers([$id]).source("lastack's own word")
            .across($variants, $name);)*
    };
    ($family:ident, $id:literal on both kinds, $($name:ident)*) => {
        $($family.case(stringify!($name)).covers([$id]).source("lastack's own word")
            .on_both_kinds($name);)*
    };
    ($family:ident, $id:literal on both kinds across $variants:expr, $($name:ident)*) => {
        $($family.case(stringify!($name)).covers([$id]).source("lastack's own word")
            .across_on_both_kinds($variants, $name);)*
    };
}
pub(crate) use told;

/// Expects an error whose words hold all of these parts.
fn refused<T>(result: lastack::Result<T>, parts: &[&str]) -> lastack::Result {
    let Err(error) = result else {
        return Err(lastack::Error::mismatch("a wrong use", "is refused", "went through"));
    };
    let text = error.to_string();
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(lastack::Error::mismatch("words of a refusal", *part, text)),
    }
}

/// Expects something to hold.
fn holds(what: &str, truth: bool) -> lastack::Result {
    lastack::verdict::same(what, true, truth)
}
