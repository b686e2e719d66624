//! Programs with all that belongs to them, for virtual kernels: a read-only file system in a file,
//! which QEMU gives to the virtual kernel as memory (virtio-pmem).
//!
//! `rules` say what belongs to a program, `needed` what it names itself, `record` what it
//! opened; `contents` is all of that as a list of paths, `ext4` makes a file system of them.
//! `mount` is the virtual kernel's side.
//!
//! An image is kept beside the list of what is in it, and is current as long as every path on the
//! list is what it was. Both names come from what they stand for, so that nobody ever writes to one
//! that somebody else may be using.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
    time::{Duration, SystemTime},
};

use lastack_sys::{
    error::{Context, Error, Result},
    lock,
};
use nix::fcntl::FlockArg;

use super::{cache::named, lack::Lack, store::Kernel};

mod contents;
mod ext4;
mod gather;
pub(super) mod mount;
mod needed;
mod record;
mod rules;
#[cfg(test)]
mod tests;

use contents::Contents;

/// Names further files and folders that programs need, with a colon between them.
pub const VARIABLE: &str = "LASTACK_VIRTUAL_FILES";

/// How what is kept is called: `programs-<hash>.list` and `programs-<hash>.ext4`.
const KEPT: &str = "programs-";

/// How what is being made is called.
const MAKING: &str = ".programs-";

/// An image that nobody has used for so long is removed.
const OLD: Duration = Duration::from_secs(30 * 24 * 3600);

/// More images than these are not kept.
const MOST: usize = 12;

/// Files that change while they are copied change again, but not for ever.
const ATTEMPTS: u32 = 3;

/// What a kernel mounts an image with, by the names of modules.
const MODULES: [&str; 3] = ["virtio_pmem", "nd_pmem", "overlay"];

/// Programs in a file system that virtual kernels can mount.
#[derive(Debug)]
pub struct ProgramImage {
    /// Open for as long as it is used: it may be removed from its folder meanwhile.
    file: File,
    uuid: ext4::Uuid,
    size: u64,
}

impl ProgramImage {
    /// How large it is, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What the virtual kernel's init knows it by.
    pub(super) fn name(&self) -> String {
        ext4::words(&self.uuid)
    }

    /// The file it is in.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    fn open(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let (uuid, size) = ext4::found(&file)?;
        // One that a full disk or a dying machine cut off is as good as none.
        (file.metadata().ok()?.len() == size).then_some(Self { file, uuid, size })
    }
}

/// Whether this program can be given to a virtual kernel: to this one, or to any.
///
/// # Errors
/// It cannot: why, and what to do.
pub fn check(program: &Path, kernel: Option<&Kernel>) -> Result<(), Lack> {
    if let Some(kernel) = kernel
        && let Some(missing) = MODULES.iter().find(|module| !kernel.has_module(module))
    {
        return Err(Lack {
            reason: format!("kernel {} has no module {missing}", kernel.release),
            remedy: "take a kernel that has it".to_owned(),
        });
    }
    ext4::tools()?;
    record::strace()?;
    static ANSWERS: LazyLock<Mutex<BTreeMap<PathBuf, Result<(), String>>>> =
        LazyLock::new(Mutex::default);
    let mut answers = ANSWERS.lock().expect("no look at a program panics");
    let answer = answers.entry(program.to_owned()).or_insert_with(|| gather::check(program));
    answer.clone().map_err(|why| Lack {
        reason: format!("{} cannot be put on a virtual kernel: {why}", program.display()),
        remedy: "install one for this machine, with its libraries, in a system folder".to_owned(),
    })
}

/// The image with these programs and all that belongs to them. It is taken from the folder `cache`,
/// where it is current, or else made there; who comes while somebody makes it waits.
///
/// # Errors
/// A program cannot be run to be asked, a file goes on changing, there is no room: which, and what
/// to do.
pub fn image(programs: &BTreeSet<PathBuf>, cache: &Path) -> Result<ProgramImage> {
    let context = || format!("keep images of programs in {}", cache.display());
    fs::create_dir_all(cache).context(context)?;
    let list = cache.join(format!("{KEPT}{:016x}.list", key(programs)));
    if let Some(image) = current(&list, cache) {
        return Ok(image);
    }
    let lock = File::options().create(true).append(true).open(cache.join("programs.lock"));
    let _lock = lock::held(lock.context(context)?, FlockArg::LockExclusive).context(context)?;
    // Whoever was at it has ended, or has been ended.
    named(cache, MAKING).into_iter().for_each(|left| drop(fs::remove_dir_all(left)));
    if let Some(image) = current(&list, cache) {
        return Ok(image);
    }
    let image = make(programs, cache, &list)?;
    remove_old(cache);
    Ok(image)
}

/// What decides on what is in an image, so that one of an older rule is not taken for current.
const RULES: [&str; 6] = [
    include_str!("contents.rs"),
    include_str!("ext4.rs"),
    include_str!("gather.rs"),
    include_str!("needed.rs"),
    include_str!("record.rs"),
    include_str!("rules.rs"),
];

/// One more for every other choice of programs, and for every other way to choose what is theirs.
fn key(programs: &BTreeSet<PathBuf>) -> u64 {
    let mut hash = DefaultHasher::new();
    (RULES, programs).hash(&mut hash);
    for variable in [VARIABLE, "LD_LIBRARY_PATH"] {
        std::env::var_os(variable).hash(&mut hash);
    }
    // What may be read is in it, and that is not the same for everybody.
    nix::unistd::geteuid().as_raw().hash(&mut hash);
    hash.finish()
}

/// What a list's image is called and named by: another for every other content.
fn identity(list: &[u8]) -> (String, ext4::Uuid) {
    let half = |salt: u8| {
        let mut hash = DefaultHasher::new();
        (salt, list).hash(&mut hash);
        hash.finish()
    };
    let both = (u128::from(half(0)) << 64) | u128::from(half(1));
    (format!("{KEPT}{both:032x}.ext4"), both.to_be_bytes())
}

/// The image of this list, if all on it is as it was.
fn current(list: &Path, cache: &Path) -> Option<ProgramImage> {
    let content = fs::read(list).ok()?;
    if contents::changed(&content).is_some() {
        return None;
    }
    let (name, uuid) = identity(&content);
    let image = cache.join(name);
    let found = ProgramImage::open(&image).filter(|found| found.uuid == uuid)?;
    // Used now, for who removes what is old. Whoever may not write there need not.
    for path in [list, &image] {
        let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }
    Some(found)
}

fn make(programs: &BTreeSet<PathBuf>, cache: &Path, list: &Path) -> Result<ProgramImage> {
    let context = || format!("make an image of programs in {}", cache.display());
    let mut attempt = 1;
    loop {
        let contents = gather::all(programs)?;
        let content = contents.list();
        let (name, uuid) = identity(&content);
        let place = cache.join(name);
        if ProgramImage::open(&place).is_none_or(|found| found.uuid != uuid) {
            let folder = tempfile::Builder::new().prefix(MAKING).tempdir_in(cache);
            let folder = folder.context(context)?;
            match build(&contents, &content, &uuid, folder.path()) {
                Ok(image) => fs::rename(image, &place).context(context)?,
                Err(ext4::Trouble::Changed(_)) if attempt < ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                Err(ext4::Trouble::Changed(path)) => {
                    let what = format!("{} goes on changing, or is gone", path.display());
                    return Err(Error::system(context(), what)
                        .advise("wait until what changes it is done, or install it anew"));
                }
                Err(ext4::Trouble::Other(error)) => return Err(error),
            }
        }
        let before = fs::read(list).ok().map(|content| cache.join(identity(&content).0));
        write(list, &content).context(context)?;
        if let Some(before) = before.filter(|before| *before != place) {
            let _ = fs::remove_file(before);
        }
        let made = ProgramImage::open(&place);
        return made.ok_or_else(|| Error::system(context(), "it is not whole"));
    }
}

/// Makes the file system, and looks whether it shows what is there now.
fn build(
    contents: &Contents,
    list: &[u8],
    uuid: &ext4::Uuid,
    folder: &Path,
) -> Result<PathBuf, ext4::Trouble> {
    let image = ext4::build(contents, uuid, folder)?;
    match contents::changed(list) {
        Some(path) => Err(ext4::Trouble::Changed(path)),
        None => Ok(image),
    }
}

/// Writes a file in one step, for who reads it at the same time.
fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(MAKING).tempfile_in(folder)?;
    file.write_all(content)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Removes images and lists that have not been used for long, and all but the last images used: each
/// may be hundreds of megabytes. Whoever has one open keeps it.
fn remove_old(cache: &Path) {
    let used = |path: PathBuf| Some((fs::metadata(&path).ok()?.modified().ok()?, path));
    let mut kept: Vec<_> = named(cache, KEPT).into_iter().filter_map(used).collect();
    kept.sort();
    let (mut images, now) = (0, SystemTime::now());
    for (used, path) in kept.into_iter().rev() {
        images += usize::from(path.extension().is_some_and(|end| end == "ext4"));
        let age = now.duration_since(used).unwrap_or_default();
        if age > OLD || images > MOST {
            let _ = fs::remove_file(path);
        }
    }
}
