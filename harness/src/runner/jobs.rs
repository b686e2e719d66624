//! How many cases run side by side.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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

/// Makes room for the descriptors of so many cases. The usual limit of 1024 is there
/// for `select`, which the runner does not use.
pub fn make_room(jobs: usize) {
    let wanted = 256 + jobs as u64 * DESCRIPTORS;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
    {
        // Refused: a case too many is then told that there are too many open files.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_threads_is_positive() {
        assert_eq!(count("8").unwrap(), 8);
        for wrong in ["0", "-1", "many", ""] {
            let error = count(wrong).unwrap_err().to_string();
            assert!(error.contains("RUST_TEST_THREADS"), "{error}");
        }
    }
}
