//! What `poll(2)` and `epoll(7)` report, in words.

use std::{fmt, ops::BitOr};

use serde::{Deserialize, Serialize};

/// A set of poll events. `epoll` uses the same numbers for those of TCP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Events(pub u32);

impl Events {
    /// Nothing: asks for no event, or reports none before the timeout.
    pub const NONE: Self = Self(0);
    /// `POLLIN`.
    pub const IN: Self = Self(libc::POLLIN as u32);
    /// `POLLOUT`.
    pub const OUT: Self = Self(libc::POLLOUT as u32);
    /// `POLLERR`, reported whether asked for or not.
    pub const ERR: Self = Self(libc::POLLERR as u32);
    /// `POLLHUP`, reported whether asked for or not.
    pub const HUP: Self = Self(libc::POLLHUP as u32);
    /// `POLLRDHUP`.
    pub const RDHUP: Self = Self(libc::POLLRDHUP as u32);
    /// `EPOLLET`, for an epoll that lasts: told once for each change.
    pub const EDGE: Self = Self(libc::EPOLLET as u32);
    /// `EPOLLONESHOT`, for an epoll that lasts: told once, until asked for again.
    pub const ONE_SHOT: Self = Self(libc::EPOLLONESHOT as u32);
    /// All that can be asked for, but for urgent data.
    pub const ALL: Self = Self(Self::IN.0 | Self::OUT.0 | Self::RDHUP.0);
}

impl BitOr for Events {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (Self::IN, "IN"),
            (Self::OUT, "OUT"),
            (Self::ERR, "ERR"),
            (Self::HUP, "HUP"),
            (Self::RDHUP, "RDHUP"),
            (Self::EDGE, "ET"),
            (Self::ONE_SHOT, "ONESHOT"),
        ];
        let set = words.iter().filter(|(bit, _)| self.0 & bit.0 != 0).map(|(_, word)| *word);
        let set = set.collect::<Vec<_>>().join("|");
        f.write_str(if set.is_empty() { "nothing" } else { &set })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_like_the_manual() {
        assert_eq!((Events::IN | Events::HUP).to_string(), "IN|HUP");
        assert_eq!((Events::IN | Events::EDGE).to_string(), "IN|ET");
        assert_eq!(Events::NONE.to_string(), "nothing");
    }
}
