//! A virtual kernel with nothing to do: whether a kernel boots here, and what that takes; and what
//! it takes to save it and to go on from there.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    image,
    machine::{Machine, MachineEnd, MachineEvent},
    qemu::Call,
    saved::{self, Saved},
    store::Kernel,
};
use lastack_sys::error::{Context, Error, Result};

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

/// What it took to save a virtual kernel, and to go on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clones {
    /// How long it was from when it could be saved until it was.
    pub save: Duration,
    /// Of each clone, how long it was from the start of QEMU until it would have begun its work.
    pub starts: Vec<Duration>,
}

/// Saves a virtual kernel of this kernel, with these programs in its image, in a folder of its own,
/// and goes on from it so often.
///
/// # Errors
/// It does not boot, cannot be saved, or a clone does not come to a good end.
pub fn clones(kernel: &Kernel, programs: &[PathBuf], cache: &Path, count: usize) -> Result<Clones> {
    let image = image::build(kernel, programs, cache)?;
    let call = Call::new(&image)?;
    let folder = tempfile::tempdir_in(cache).context(|| "make a folder".to_owned())?;
    let save = saved::make(&call, &image, folder.path())?;
    let saved = Saved::open(folder.path())?;
    let start = |_| {
        let began = Instant::now();
        work(saved.clone(&call, &[])?, began, kernel)
    };
    Ok(Clones { save, starts: (0..count).map(start).collect::<Result<_>>()? })
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
    let boot = work(Machine::boot(&image, &[])?, began, kernel)?;
    Ok(Boot { image: image.size(), build, boot })
}

/// When one that has nothing to do would have begun its work; it must come to a good end, too.
fn work(mut machine: Machine, began: Instant, kernel: &Kernel) -> Result<Duration> {
    let mut start = None;
    loop {
        match (machine.next_event()?, start) {
            (MachineEvent::Frame(_), _) => start = Some(began.elapsed()),
            (MachineEvent::Ended(MachineEnd::PoweredOff), Some(start)) => return Ok(start),
            (MachineEvent::Ended(ending), _) => {
                let context = format!("boot virtual kernel {}", kernel.release);
                return Err(Error::system(context, ending.to_string()));
            }
        }
    }
}
