//! The first process of a guest, which is this program again.

use std::process::ExitCode;

/// What is done in a guest: given the manifest, it says frames, from any thread. When it comes
/// back, the guest powers off.
pub type Inside = fn(manifest: &[u8], say: &(dyn Fn(&[u8]) + Sync));

/// Where the manifest is, in a guest.
pub const MANIFEST: &str = "/batch";

/// Whether this process is the first of a guest of this kind.
#[must_use]
pub fn is_here() -> bool {
    std::process::id() == 1 && std::path::Path::new(MANIFEST).exists()
}

/// Makes the guest a machine, calls `inside`, and powers it off.
#[must_use]
pub fn main(_inside: Inside) -> ExitCode {
    ExitCode::FAILURE
}
