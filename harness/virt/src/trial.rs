//! A virtual kernel with nothing to do: whether a kernel boots here, and what that takes.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    image,
    machine::{Machine, MachineEnd, MachineEvent},
    store::Kernel,
};
use lastack_sys::error::{Error, Result};

/// What it took to boot a virtual kernel that had nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// How large the image was, in bytes.
    pub image: usize,
    /// How long it took to build.
    pub build: Duration,
    /// How long it was from the start of QEMU until the virtual kernel would have begun its work.
    pub boot: Duration,
}

/// Boots a virtual kernel of this kernel, with these programs in its image (see [`image::build`]).
///
/// # Errors
/// It does not boot, or does not come to a good end: why, with the last words of its console.
pub fn boot(kernel: &Kernel, programs: &[PathBuf], cache: &Path) -> Result<Boot> {
    let began = Instant::now();
    let image = image::build(kernel, programs, cache)?;
    let build = began.elapsed();
    let began = Instant::now();
    let mut machine = Machine::boot(&image, &[])?;
    let mut boot = None;
    loop {
        match (machine.next_event()?, boot) {
            (MachineEvent::Frame(_), _) => boot = Some(began.elapsed()),
            (MachineEvent::Ended(MachineEnd::PoweredOff), Some(boot)) => {
                return Ok(Boot { image: image.size(), build, boot });
            }
            (MachineEvent::Ended(ending), _) => {
                let context = format!("boot virtual kernel {}", kernel.release);
                return Err(Error::system(context, ending.to_string()));
            }
        }
    }
}
