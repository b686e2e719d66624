//! lastack: an integration-test harness for the way TCP connections end.

pub mod error;
mod stamp;

pub use error::{Error, Mismatch, Result};
pub use stamp::Stamp;
