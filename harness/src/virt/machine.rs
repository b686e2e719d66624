//! A guest, from its boot to its end.

use std::time::Duration;

use super::image::Image;
use crate::error::{Error, Result};

/// A running guest. Dropped, it is ended.
#[derive(Debug)]
pub struct Guest(());

/// What a guest says, and that it says no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// One message, as the function in it said it.
    Frame(Vec<u8>),
    /// It has ended; nothing follows.
    Ended(Ending),
}

/// How a guest ended. `console` is the last it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The function in it came back.
    PoweredOff,
    /// Its kernel panicked.
    Panicked {
        /// Its last words.
        console: String,
    },
    /// It said nothing for so long that it was ended.
    Hung {
        /// Its last words.
        console: String,
        /// For how long, of real time.
        silent_for: Duration,
    },
    /// It ended of something else: it was killed, or QEMU gave up.
    Died {
        /// How.
        how: String,
        /// Its last words.
        console: String,
    },
    /// It ended, or was ended, before its init spoke.
    NeverBooted {
        /// Why.
        why: String,
        /// Its last words.
        console: String,
    },
}

impl Guest {
    /// Boots it; what it is to do is in `manifest`. Comes back at once: whether it came up, the
    /// first [`Guest::hear`] says.
    ///
    /// # Errors
    /// QEMU does not start: why, and what to do.
    pub fn boot(_image: &Image, _manifest: &[u8]) -> Result<Self> {
        Err(Error::system("boot a guest", "not yet"))
    }

    /// What it says next, when it says it. After [`Told::Ended`] that again.
    ///
    /// # Errors
    /// The system refuses to listen.
    pub fn hear(&mut self) -> Result<Told> {
        Ok(Told::Ended(Ending::PoweredOff))
    }
}
