//! Memory that a virtual kernel is told in what to do, once it runs.
//!
//! A virtual kernel that was saved while it waits knows nothing that came later, and nothing that
//! answers late may tell it: an idle kernel's clock jumps. So it finds its manifest in memory, a
//! virtio-pmem device of its own, and reads that again and again without ever sleeping: what it is
//! to do is there before it goes on, so one reading suffices, and none has it wait.
//!
//! The device is known by its size, whatever number it has.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    sys::memfd::{MFdFlags, memfd_create},
};

use lastack_sys::error::{Context, Error, Result};

/// How large the device is, in bytes: the least that a kernel maps as memory. No other pmem device
/// of a virtual kernel may have this size.
pub(super) const SIZE: u64 = 2 << 20;

/// A page: what is read past the kernel's cache is read by these.
const PAGE: usize = 4096;

/// What a mailbox with a manifest in it begins with; the manifest's length follows, in eight bytes,
/// and the manifest from the second page on.
const FULL: &[u8; 8] = b"lastack1";

/// The modules without which a kernel has no such device.
pub(super) const MODULES: [&str; 2] = ["virtio_pmem", "nd_pmem"];

/// The size of a sector in `/sys/block`.
const SECTOR: u64 = 512;

/// How often to look whether the device has appeared, and for how long: its driver is bound on
/// another thread.
const LOOK: Duration = Duration::from_millis(1);
const LOOKS: usize = 2000;

/// One with nothing in it, for a virtual kernel that is to be saved.
///
/// # Errors
/// The system has no memory for it.
pub(super) fn empty() -> io::Result<File> {
    let file = File::from(memfd_create(c"lastack-mailbox", MFdFlags::MFD_CLOEXEC)?);
    file.set_len(SIZE)?;
    Ok(file)
}

/// One with this manifest in it.
///
/// # Errors
/// The manifest is too long, or the system has no memory for it.
pub(super) fn full(manifest: &[u8]) -> io::Result<File> {
    if manifest.len() as u64 > SIZE - PAGE as u64 {
        let long = format!("a manifest of {} bytes does not fit into it", manifest.len());
        return Err(io::Error::new(ErrorKind::FileTooLarge, long));
    }
    let file = empty()?;
    file.write_all_at(manifest, PAGE as u64)?;
    file.write_all_at(&[*FULL, (manifest.len() as u64).to_le_bytes()].concat(), 0)?;
    Ok(file)
}

/// The device, as the virtual kernel sees it.
pub(super) struct Mailbox(File);

/// Where a page is read to.
#[repr(align(4096))]
struct Page([u8; PAGE]);

impl Mailbox {
    /// Finds it, on the virtual kernel.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn find() -> Result<Self> {
        let context = || "find the mailbox on the virtual kernel".to_owned();
        for _ in 0..LOOKS {
            if let Some(device) = device() {
                let mut options = OpenOptions::new();
                let direct = options.read(true).custom_flags(OFlag::O_DIRECT.bits());
                match direct.open(&device) {
                    Ok(file) => return Ok(Self(file)),
                    // Its node is made on another thread, too.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error).context(context),
                }
            }
            std::thread::sleep(LOOK);
        }
        Err(Error::system(context(), format!("no pmem device has {SIZE} bytes")))
    }

    /// Waits for a manifest without ever sleeping.
    ///
    /// # Errors
    /// The device cannot be read, or what is in it is no manifest.
    pub(super) fn wait(&self) -> io::Result<Vec<u8>> {
        let mut page = Box::new(Page([0; PAGE]));
        loop {
            self.0.read_exact_at(&mut page.0, 0)?;
            if page.0.starts_with(FULL) {
                break;
            }
        }
        let length =
            page.0[FULL.len()..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if length > SIZE - PAGE as u64 {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("it says {length} bytes")));
        }
        let (mut manifest, mut at) = (Vec::new(), PAGE as u64);
        while (manifest.len() as u64) < length {
            self.0.read_exact_at(&mut page.0, at)?;
            manifest.extend_from_slice(&page.0);
            at += PAGE as u64;
        }
        manifest.truncate(length as usize);
        Ok(manifest)
    }
}

/// The pmem device of the mailbox's size.
fn device() -> Option<PathBuf> {
    let blocks = fs::read_dir("/sys/block").ok()?.flatten();
    let pmem = blocks.filter(|block| block.file_name().as_encoded_bytes().starts_with(b"pmem"));
    let sized = |sectors: String| sectors.trim().parse::<u64>().ok().map(|n| n * SECTOR);
    pmem.filter(|block| {
        fs::read_to_string(block.path().join("size")).ok().and_then(sized) == Some(SIZE)
    })
    .map(|block| PathBuf::from("/dev").join(block.file_name()))
    .next()
}
