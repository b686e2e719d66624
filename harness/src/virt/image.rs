//! The file system a guest starts from.

use std::path::{Path, PathBuf};

use super::store::Kernel;
use crate::error::{Error, Result};

/// What a guest is booted from: a kernel, and a file system with this program as its init.
#[derive(Debug)]
pub struct Image {
    kernel: Kernel,
}

impl Image {
    /// The kernel it is for.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }
}

/// Builds it, with these programs and all that they need. What takes long is kept in the folder
/// `cache` for the next time.
///
/// # Errors
/// A file cannot be read, or is not what it should be: which, and why.
pub fn build(kernel: &Kernel, _programs: &[PathBuf], _cache: &Path) -> Result<Image> {
    Err(Error::system(format!("build an image for kernel {}", kernel.release), "not yet"))
}
