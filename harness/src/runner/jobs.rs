//! How many cases run side by side.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::needs::Unmet;
use crate::error::{Error, Result};

/// Cases mostly wait for the kernel's timers, so many more of them than cores can run at once; how
/// many build their labs at once is another matter, and the launcher's.
const PER_CORE: usize = 64;

/// Descriptors the runner holds for one case, with room to spare: two files in memory, a
/// socket, a pidfd and its networks.
const DESCRIPTORS: u64 = 32;

/// As many as this machine carries.
#[must_use]
pub fn usual() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from) * PER_CORE
}

/// What `RUST_TEST_THREADS` asks for, if it asks.
///
/// # Errors
/// It asks for something that is no number of threads.
pub fn asked() -> Result<Option<usize>> {
    match std::env::var_os("RUST_TEST_THREADS") {
        None => Ok(None),
        Some(value) => count(&value.to_string_lossy()).map(Some),
    }
}

fn count(value: &str) -> Result<usize> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Error::usage(format!(
            "RUST_TEST_THREADS is {value:?}; it should be a positive number"
        ))),
    }
}

/// Makes room for the descriptors of so many cases. The usual limit of 1024 is a matter of
/// `select`, which the runner does not use.
pub fn make_room(jobs: usize) {
    let wanted = 256 + jobs as u64 * DESCRIPTORS;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
    {
        // Refused: a case too many is then told that there are too many open files.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    }
}

/// Whether a case that cannot run here counts as failed (`LASTACK_DENY_SKIPS=1`): for a CI that
/// must not go green by running less.
#[must_use]
pub fn skips_denied() -> bool {
    std::env::var_os("LASTACK_DENY_SKIPS").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Whether a case without this need counts as failed: under `LASTACK_DENY_SKIPS=1` all do, but for
/// needs that `LASTACK_ALLOW_SKIPS` names (`netem,guest`), which a CI knows its machines cannot meet.
#[must_use]
pub fn skip_denied(unmet: &Unmet) -> bool {
    let allowed = std::env::var("LASTACK_ALLOW_SKIPS").unwrap_or_default();
    skips_denied() && !names(&allowed).any(|name| name == unmet.need)
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_skips_are_named_one_by_one() {
        assert_eq!(names(" netem, guest,").collect::<Vec<_>>(), ["netem", "guest"]);
        assert_eq!(names("").count(), 0);
    }

    #[test]
    fn a_number_of_threads_is_positive() {
        assert_eq!(count("8").unwrap(), 8);
        for wrong in ["0", "-1", "many", ""] {
            let error = count(wrong).unwrap_err().to_string();
            assert!(error.contains("RUST_TEST_THREADS"), "{error}");
        }
    }
}
