//! Plain values against what is expected of them, for instance a counter. A failure says what the
//! value is, what was expected, and what was seen.

use std::fmt::Debug;

use nix::errno::Errno;

use crate::error::{Error, Result};

/// Expects two values to be the same, such as a counter and what was counted; `what` names them.
///
/// # Errors
/// They differ.
pub fn same<T: PartialEq + Debug>(what: &str, expected: T, seen: T) -> Result {
    if expected == seen {
        return Ok(());
    }
    Err(Error::mismatch(what, format!("{expected:?}"), format!("{seen:?}")))
}

/// A limit that a value is expected to keep: [`at_least`], [`at_most`], [`more_than`] or
/// [`less_than`].
#[derive(Debug, Clone, Copy)]
pub struct Limit<T> {
    words: &'static str,
    limit: T,
    keeps: fn(&T, &T) -> bool,
}

/// This or more.
pub fn at_least<T: PartialOrd>(limit: T) -> Limit<T> {
    Limit { words: "at least", limit, keeps: T::ge }
}

/// This or less.
pub fn at_most<T: PartialOrd>(limit: T) -> Limit<T> {
    Limit { words: "at most", limit, keeps: T::le }
}

/// More than this.
pub fn more_than<T: PartialOrd>(limit: T) -> Limit<T> {
    Limit { words: "more than", limit, keeps: T::gt }
}

/// Less than this.
pub fn less_than<T: PartialOrd>(limit: T) -> Limit<T> {
    Limit { words: "less than", limit, keeps: T::lt }
}

/// Expects a value to keep a limit; `what` names the value.
///
/// ```
/// # use lastack::verdict::{at_least, check};
/// check("answers", 3, at_least(2))?;
/// # Ok::<(), lastack::Error>(())
/// ```
///
/// # Errors
/// It does not. The error shows both.
pub fn check<T: Debug>(what: &str, seen: T, Limit { words, limit, keeps }: Limit<T>) -> Result {
    check_that(what, seen, &format!("{words} {limit:?}"), |seen| keeps(seen, &limit))
}

/// Expects anything of a value, said in words and in code; `what` names the value.
///
/// ```
/// # use lastack::verdict::check_that;
/// check_that("the answer", "yes, here", "begins with yes", |it| it.starts_with("yes"))?;
/// # Ok::<(), lastack::Error>(())
/// ```
///
/// # Errors
/// It is not so. The error shows the value.
pub fn check_that<T: Debug>(
    what: &str,
    seen: T,
    expected: &str,
    holds: impl FnOnce(&T) -> bool,
) -> Result {
    if holds(&seen) {
        return Ok(());
    }
    Err(Error::mismatch(what, expected, format!("{seen:?}")))
}

/// Expects that something was refused with this errno; `what` names it: "the sysctl".
///
/// # Errors
/// It was not refused, or for another reason.
pub fn refused<T>(what: &str, answer: Result<T>, errno: Errno) -> Result {
    match answer {
        Err(error) if error.errno() == Some(errno) => Ok(()),
        Err(error) => Err(Error::mismatch(what, format!("{errno:?}"), error.to_string())),
        Ok(_) => Err(Error::mismatch(what, format!("{errno:?}"), "it was not refused")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_on_their_own_side_of_the_number() {
        let holds = |limit: fn(i32) -> Limit<i32>| {
            [1, 2, 3].map(|seen| check("it", seen, limit(2)).is_ok())
        };
        assert_eq!(holds(at_least), [false, true, true]);
        assert_eq!(holds(at_most), [true, true, false]);
        assert_eq!(holds(more_than), [false, false, true]);
        assert_eq!(holds(less_than), [true, false, false]);
    }

    #[test]
    fn a_failure_shows_what_was_seen() {
        let told = |checked: Result| checked.unwrap_err().to_string();
        let error = told(check("bytes read", 7, less_than(5)));
        assert!(error.contains("bytes read") && error.contains("less than 5"), "{error}");
        assert!(error.contains("seen: 7"), "{error}");
        let error = told(check_that("the name", "b", "one of a host", |it| it.len() > 1));
        assert!(error.contains("one of a host") && error.contains("\"b\""), "{error}");
        let error = told(same("probes", 9, 10));
        assert!(error.contains("expected: 9") && error.contains("seen: 10"), "{error}");
    }
}
