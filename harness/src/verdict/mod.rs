//! What a case decides, from the application, the kernel and the wire.

mod check;
pub(crate) mod judged;
mod outcome;
mod sighting;
mod stalled;
pub mod timers;
mod wheel;
mod window;

pub use check::{Limit, at_least, at_most, check, check_that, less_than, more_than, refused, same};
pub use judged::Judged;
pub use outcome::{Drained, Outcome};
pub use sighting::Sighting;
pub use stalled::{excuse, stalled};
pub use timers::GiveUp;
pub use wheel::Wheel;
pub use window::Window;
