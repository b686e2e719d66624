//! The virtual kernel's side of an image of programs: found, mounted, and made the root of all.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use lastack_sys::error::{Context, Error, Result};
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};

use super::ext4;

/// In what is given to init by the kernel's command line: the name of the image.
pub(crate) const VARIABLE: &str = "LASTACK_PROGRAMS";

/// Where all is put together.
const PLACE: &str = "/overlay";

/// What is mounted already, and stays where it is.
const MOVED: [&str; 5] = ["/dev", "/proc", "/sys", "/tmp", "/run"];

/// How long the kernel may take to make a device of the image's memory, which it does beside
/// whatever else it does. It takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the image and the file system that this virtual kernel has started from one tree, which
/// may be written to, and that the root. Without an image it does nothing.
///
/// # Errors
/// The image is not there, or the kernel refuses it.
pub(crate) fn all() -> Result {
    let Some(name) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let name = name.to_string_lossy().into_owned();
    let device = device(&name)?;
    let under = |name: &str| Path::new(PLACE).join(name);
    let none = None::<&str>;

    make(Path::new(PLACE))?;
    attach("tmpfs", Path::new("tmpfs"), Path::new(PLACE), MsFlags::empty(), "mode=0755")?;
    for folder in ["image", "upper", "work", "root"] {
        make(&under(folder))?;
    }
    // Read as it lies there: what is read through the page cache would be kept in memory twice.
    attach("ext4", &device, &under("image"), MsFlags::MS_RDONLY, "dax")?;
    let options = format!("lowerdir={PLACE}/image:/,upperdir={PLACE}/upper,workdir={PLACE}/work");
    let root = under("root");
    attach("overlay", Path::new("overlay"), &root, MsFlags::empty(), &options)?;
    for place in MOVED {
        let to = root.join(&place[1..]);
        make(&to)?;
        mount(Some(place), &to, none, MsFlags::MS_MOVE, none)
            .context(|| format!("move {place} to {}", to.display()))?;
    }
    let context = || format!("make {} the root", root.display());
    chdir(&root).context(context)?;
    mount(Some("."), "/", none, MsFlags::MS_MOVE, none).context(context)?;
    chroot(".").context(context)?;
    chdir("/").context(context)
}

fn make(folder: &Path) -> Result {
    fs::create_dir_all(folder).context(|| format!("make {}", folder.display()))
}

fn attach(kind: &str, what: &Path, place: &Path, flags: MsFlags, options: &str) -> Result {
    mount(Some(what), place, Some(kind), flags, Some(options))
        .context(|| format!("mount {} on {} ({kind}, {options})", what.display(), place.display()))
}

/// The device whose file system has this name.
fn device(name: &str) -> Result<PathBuf> {
    let until = Instant::now() + PATIENCE;
    loop {
        let devices = fs::read_dir("/dev").into_iter().flatten().flatten();
        let memory =
            devices.filter(|entry| entry.file_name().to_string_lossy().starts_with("pmem"));
        let named = |device: &PathBuf| {
            let found = File::open(device).ok().and_then(|device| ext4::found(&device));
            found.is_some_and(|(uuid, _)| ext4::words(&uuid) == name)
        };
        if let Some(device) = memory.map(|entry| entry.path()).find(named) {
            return Ok(device);
        }
        if Instant::now() > until {
            let what = "no device of persistent memory (/dev/pmem) holds it";
            return Err(Error::system(format!("find the image of programs {name}"), what));
        }
        thread::sleep(Duration::from_millis(1));
    }
}
