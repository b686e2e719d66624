//! What a case decides, from the application, the kernel and the wire.

pub(crate) mod judged;
mod outcome;
mod sighting;
pub mod timers;
mod wheel;
mod window;

pub use judged::Judged;
pub use outcome::{Drained, Outcome};
pub use sighting::Sighting;
pub use wheel::Wheel;
pub use window::Window;

use nix::errno::Errno;

use crate::error::{Error, Result};

/// Expects two values to be the same, such as a counter and what was counted; `what` names them.
///
/// # Errors
/// They differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, seen: T) -> Result {
    if expected == seen {
        return Ok(());
    }
    Err(Error::mismatch(what, format!("{expected:?}"), format!("{seen:?}")))
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
