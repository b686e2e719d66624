//! When the machine is to blame: a verdict may be withheld, as too slow, only for a stall that was
//! measured and that is long enough to explain what was seen.

use std::time::Duration;

use crate::{error::Error, stall, stamp::Stamp};

/// The longest stall measured between these two moments.
#[must_use]
pub fn stalled(from: Stamp, to: Stamp) -> Duration {
    stall::within(from, to)
}

/// What to make of an `error` that a stall of at least `enough` would explain: the error itself, or
/// [`ErrorKind::TooSlow`](crate::ErrorKind) if so long a `stall` was measured while what is judged
/// went on.
#[must_use]
pub fn excuse(error: Error, stall: Duration, enough: Duration) -> Error {
    if stall < enough {
        return error;
    }
    Error::too_slow(format!("{error}\n(the machine stalled for {stall:.3?})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn only_a_stall_that_is_long_enough_excuses() {
        let error = || Error::mismatch("the timeout", "204ms", "244ms");
        for short in [0, 39] {
            assert_eq!(excuse(error(), ms(short), ms(40)).kind(), ErrorKind::Mismatch);
        }
        let excused = excuse(error(), ms(40), ms(40));
        assert_eq!(excused.kind(), ErrorKind::TooSlow);
        let why = excused.to_string();
        assert!(why.contains("244ms") && why.contains("stalled for 40"), "{why}");
    }
}
