//! Why there is no virtual kernel here.

use std::fmt;

use lastack_sys::error::Unmet;

/// What a virtual kernel cannot be had without, and is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is missing, in one line.
    pub reason: String,
    /// What to do about it, in one line.
    pub remedy: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

impl From<&Lack> for Unmet {
    fn from(lack: &Lack) -> Self {
        let Lack { reason, remedy } = lack.clone();
        Self { need: "virtual".to_owned(), reason, remedy }
    }
}
