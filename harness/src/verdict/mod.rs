//! What a case decides, from the application, the kernel and the wire.

pub(crate) mod judged;
mod outcome;
pub mod timers;
mod wheel;
mod window;

pub use judged::Judged;
pub use outcome::{Drained, Outcome};
pub use wheel::Wheel;
pub use window::Window;

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
