//! What a socket shows to whoever asks without waiting, by all the ways there are to ask.

use std::time::Duration;

use super::{Events, Socket};
use crate::error::Result;

impl Events {
    /// Whether any of these is among them.
    #[must_use]
    pub fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// What a poll that asks for no event is told.
    fn unasked(self) -> Self {
        Self(self.0 & (Self::ERR | Self::HUP).0)
    }

    /// What `select(2)` makes of them: readable, writable, exceptional (`fs/select.c`,
    /// `POLLIN_SET`, `POLLOUT_SET`; urgent data is the only exception).
    fn selected(self) -> (bool, bool, bool) {
        let readable = Self::IN | Self::HUP | Self::ERR;
        (self.any_of(readable), self.any_of(Self::OUT | Self::ERR), false)
    }
}

impl Socket {
    /// Expects exactly these events now, from `poll(2)`, `epoll(7)` and `select(2)`. A poll that asks
    /// for no event must still be told of errors and hang-ups; `select` has sets of its own.
    ///
    /// # Errors
    /// One of them says otherwise.
    pub async fn polls_as(&self, events: Events) -> Result {
        let at_once = Some(Duration::ZERO);
        self.poll(Events::ALL, at_once).await?.is(&events)?;
        self.epoll(Events::ALL, at_once).await?.is(&events)?;
        self.poll(Events::NONE, at_once).await?.is(&events.unasked())?;
        self.epoll(Events::NONE, at_once).await?.is(&events.unasked())?;
        self.select(at_once).await?.is(&events.selected())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_hears_less_than_poll() {
        assert_eq!(Events::OUT.selected(), (false, true, false));
        assert_eq!((Events::IN | Events::RDHUP).selected(), (true, false, false));
        assert_eq!(Events::RDHUP.selected(), (false, false, false));
        assert_eq!((Events::OUT | Events::HUP).selected(), (true, true, false));
        assert_eq!(Events::ERR.selected(), (true, true, false));
    }

    #[test]
    fn only_errors_and_hang_ups_come_unasked() {
        assert_eq!((Events::ALL | Events::HUP).unasked(), Events::HUP);
        assert_eq!(Events::ALL.unasked(), Events::NONE);
    }
}
