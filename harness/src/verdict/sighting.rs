//! A state of a socket, and when it began: seen by looking again and again.

use std::time::Duration;

use super::Window;
use crate::{
    error::{Error, Result},
    stamp::Stamp,
    sys::sock_diag::SocketEntry,
};

/// Between two looks no more than this may pass, for them to tell when something happened.
const SHARP_ENOUGH: Duration = Duration::from_millis(200);
/// In a long wait it may be this part of the wait: half a percent.
const PART_OF_A_WAIT: u32 = 200;

/// A state with the first and the last moment it was seen in.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The end of the first look that showed it.
    pub first: Stamp,
    /// The beginning of the last look before it that did not: the state began between the two.
    pub before: Stamp,
    /// The socket as first seen in it; `None` when what was awaited is that it is gone.
    pub entry: Option<SocketEntry>,
}

impl Sighting {
    /// Says whether it happened inside the window, counted from `since`: not seen before the window
    /// opens, and not still awaited once it is closed.
    ///
    /// # Errors
    /// As [`Window::judge`]; [`ErrorKind::TooSlow`](crate::ErrorKind) if it was not looked
    /// often enough to tell.
    pub fn judge(&self, what: &str, window: &Window, since: Stamp) -> Result {
        let (seen, unseen) = (self.first.since(since), self.before.since(since));
        let judged = if seen < window.from { seen } else { unseen.max(window.from) };
        window.judge_during(what, judged, since, self.first)?;
        let blind = self.first.since(self.before);
        if blind > SHARP_ENOUGH.max(seen / PART_OF_A_WAIT) {
            return Err(Error::too_slow(format!(
                "{what} {seen:.3?}, but nobody looked for {blind:?}"
            )));
        }
        Ok(())
    }
}
