//! The kernels there are: unpacked packages, never installed.

use std::{
    fmt,
    path::{Path, PathBuf},
};

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

/// A kernel with its modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What it calls itself: "6.1.0-56-cloud-amd64".
    pub release: String,
    vmlinuz: PathBuf,
    modules: PathBuf,
}

impl Kernel {
    /// The kernel asked for: by the beginning of its release ("6.12"), or by the path of its
    /// file or of a folder with it; unasked, the first of [`Kernel::all`].
    ///
    /// # Errors
    /// There is none, or it cannot be used: why, and what to do.
    pub fn find(asked: Option<&str>) -> Result<Self, Lack> {
        let reason = format!("there is no kernel {}", asked.unwrap_or("at all"));
        Err(Lack { reason, remedy: "unpack one (scripts/setup)".to_owned() })
    }

    /// Every kernel that can be used, the oldest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Vec::new()
    }

    /// Its version's first two numbers.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        (0, 0)
    }

    /// Whether it has what this module holds, as a module or built in.
    #[must_use]
    pub fn has_module(&self, _name: &str) -> bool {
        false
    }

    /// The kernel's own file.
    #[must_use]
    pub fn vmlinuz(&self) -> &Path {
        &self.vmlinuz
    }

    /// The folder of its modules.
    #[must_use]
    pub fn modules(&self) -> &Path {
        &self.modules
    }
}
