//! Virtual kernels that have booted, kept for the next time: where a clone comes from.
//!
//! A template is for one kernel, one image, one QEMU and one set of its arguments: each other one
//! is another template, so none is ever stale. It is made by whoever wants it first, in a folder of
//! another name that is locked meanwhile and gets its name when all is in it; whoever wants it at
//! the same time waits. The kernel gives the lock back however its holder ends, so what one that
//! was killed has left is told by being unlocked, and removed by the next.
//!
//! Where there can be none, a virtual kernel boots. Nothing fails for want of a template.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::statvfs::statvfs,
    unistd::geteuid,
};

use super::{
    cache::named,
    image::Image,
    machine::Machine,
    mailbox,
    qemu::Call,
    saved::{self, Saved},
};
use lastack_sys::error::{Context, Error, Result};

/// What the folders of templates begin with, and of those being made.
const WHOLE: &str = "template-";
const BEGUN: &str = "making-";

/// In the folder of one that could not be made, or not gone on from: why. Nobody tries again for a
/// while.
const WHY: &str = "useless";
const FOR_A_WHILE: Duration = Duration::from_secs(600);

/// How long to wait for another who makes it: ten times what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// What a template takes of a disk beside twice its image, in bytes: what a kernel has written to
/// when it has booted.
const ROOM: u64 = 224 << 20;

/// How many are kept, of those last used, and how much they may take together, in bytes. A matrix
/// of kernels wants as many as it has, for each program that runs it.
const MOST: usize = 16;
const MOST_BYTES: u64 = 4 << 30;

/// Starts virtual kernels, as clones where that can be. Any number of threads may.
#[derive(Debug)]
pub struct Templates {
    cache: PathBuf,
    /// Those that this program wants no more of, for one reason or another.
    refused: Mutex<BTreeSet<String>>,
    notes: Mutex<Vec<String>>,
}

/// A virtual kernel that was started, and how.
#[derive(Debug)]
pub struct Started {
    /// It runs.
    pub machine: Machine,
    /// Whether it goes on from a template; else it boots.
    pub cloned: bool,
}

impl Templates {
    /// Those in the folder `cache`, which is made when it is first wanted.
    #[must_use]
    pub fn within(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), refused: Mutex::default(), notes: Mutex::default() }
    }

    /// Starts one that does what `manifest` says: a clone, or where there can be none one that
    /// boots.
    ///
    /// # Errors
    /// It cannot boot either.
    pub fn start(&self, image: &Image, manifest: &[u8]) -> Result<Started> {
        let cloned = Call::new(image).ok().and_then(|call| {
            Template { of: self, name: name(&call, image), call, image }.clone(manifest)
        });
        match cloned {
            Some(machine) => Ok(Started { machine, cloned: true }),
            None => Ok(Started { machine: Machine::boot(image, manifest)?, cloned: false }),
        }
    }

    /// What a person may want to know of why virtual kernels boot, each thing once.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().expect("nobody panics with it"))
    }

    fn refuse(&self, name: &str, why: impl ToString) {
        if self.refused.lock().expect("nobody panics with it").insert(name.to_owned()) {
            self.notes.lock().expect("nobody panics with it").push(why.to_string());
        }
    }

    fn refuses(&self, name: &str) -> bool {
        self.refused.lock().expect("nobody panics with it").contains(name)
    }

    /// Removes what is left of those that were being made by one that is no more, and of whole ones
    /// those that were not used for longest, until the rest are few enough. What is removed stays
    /// readable for whoever has it open.
    fn clean(&self) {
        for folder in named(&self.cache, BEGUN) {
            if let Some(lock) = try_lock(&folder) {
                let _ = fs::remove_dir_all(&folder);
                drop(lock);
            }
        }
        let mut whole: Vec<_> = named(&self.cache, WHOLE)
            .into_iter()
            .filter_map(|folder| Some((fs::metadata(&folder).ok()?.modified().ok()?, folder)))
            .collect();
        whole.sort();
        let mut bytes = 0;
        for (place, (_, folder)) in whole.iter().rev().enumerate() {
            bytes += room_taken(folder);
            if place >= MOST || bytes > MOST_BYTES {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }
}

/// One template, there or not.
struct Template<'t> {
    of: &'t Templates,
    name: String,
    call: Call,
    image: &'t Image,
}

impl Template<'_> {
    /// A clone; none, with a note, if there is none to be had.
    fn clone(&self, manifest: &[u8]) -> Option<Machine> {
        let kernel = self.image.kernel();
        let mailbox = mailbox::MODULES.iter().all(|name| kernel.has_module(name));
        if !mailbox || self.of.refuses(&self.name) {
            return None;
        }
        let cloned = match self.there() {
            Ok(Some(saved)) => saved.clone(&self.call, manifest).inspect_err(|_| self.discard()),
            Ok(None) => self.made().and_then(|saved| {
                let cloned = saved.clone(&self.call, manifest);
                // One just made is not damaged: the next would be no better.
                cloned.inspect_err(|error| self.give_up(error))
            }),
            Err(why) => Err(why),
        };
        cloned.map_err(|why| self.of.refuse(&self.name, self.note(&why))).ok()
    }

    fn note(&self, why: &Error) -> String {
        format!("virtual kernel {} boots each time, as {why}", self.image.kernel().release)
    }

    fn folder(&self) -> PathBuf {
        self.of.cache.join(format!("{WHOLE}{}", self.name))
    }

    /// The one that is there; one that is damaged is removed.
    ///
    /// # Errors
    /// It was found useless a moment ago.
    fn there(&self) -> Result<Option<Saved>> {
        let folder = self.folder();
        let useless = fs::read_to_string(folder.join(WHY)).ok();
        if let Some(why) = useless.filter(|_| age(&folder) < FOR_A_WHILE) {
            return Err(Error::system("clone it a moment ago", why));
        }
        match Saved::open(&folder) {
            Ok(saved) => {
                // Those not used for longest go first.
                let _ = File::open(&folder).and_then(|file| file.set_modified(SystemTime::now()));
                Ok(Some(saved))
            }
            Err(_) => {
                let _ = fs::remove_dir_all(&folder);
                Ok(None)
            }
        }
    }

    /// The one that is made now, by this or by another.
    fn made(&self) -> Result<Saved> {
        let context = || format!("make a template in {}", self.of.cache.display());
        fs::create_dir_all(&self.of.cache).context(context)?;
        let begun = self.of.cache.join(format!("{BEGUN}{}", self.name));
        let give_up = Instant::now() + PATIENCE;
        let lock = loop {
            if let Some(saved) = self.there()? {
                return Ok(saved);
            }
            match fs::create_dir(&begun) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(error).context(context);
                }
                _ => {}
            }
            if let Some(lock) = try_lock(&begun) {
                break lock;
            }
            if Instant::now() > give_up {
                let answer = format!("another has made it for {} s", PATIENCE.as_secs());
                return Err(Error::system(context(), answer));
            }
            thread::sleep(LOOK);
        };
        // It may have been made while this one waited for the lock.
        if let Some(saved) = self.there()? {
            let _ = fs::remove_dir_all(&begun);
            return Ok(saved);
        }
        let made = self.make(&begun);
        if let Err(error) = &made {
            let _ = fs::remove_dir_all(&begun);
            if self.room().is_ok() {
                self.give_up(error);
            }
        }
        drop(lock);
        made.context(context)
    }

    /// Makes it in the folder `begun`, which nobody else looks at.
    fn make(&self, begun: &Path) -> Result<Saved> {
        // What one that was killed has left in it.
        for entry in fs::read_dir(begun).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
        self.of.clean();
        self.room()?;
        saved::make(&self.call, self.image, begun)?;
        hand_over(begun, &self.of.cache);
        fs::rename(begun, self.folder()).context(|| "give it its name".to_owned())?;
        self.replace_older();
        Saved::open(&self.folder())
    }

    /// Removes those of the same program before it was built anew.
    fn replace_older(&self) {
        let (kind, _) = self.name.rsplit_once('-').expect("it has two numbers");
        for folder in named(&self.of.cache, &format!("{WHOLE}{kind}-")) {
            if folder != self.folder() && age(&folder) > FOR_A_WHILE {
                let _ = fs::remove_dir_all(folder);
            }
        }
    }

    /// Whether there is room for it.
    fn room(&self) -> Result {
        let context = || format!("find room in {}", self.of.cache.display());
        let wanted = self.image.size() as u64 * 2 + ROOM;
        let free = statvfs(&self.of.cache).context(context)?;
        let free = free.blocks_available() * free.fragment_size();
        if free < wanted {
            let (free, wanted) = (free >> 20, wanted >> 20);
            let answer = format!("{free} MiB are free, {wanted} are wanted");
            return Err(Error::system(context(), answer).advise(
                "make room there for virtual kernels that start in a fraction of the time",
            ));
        }
        Ok(())
    }

    /// Throws it away, as a clone of it did not come up.
    fn discard(&self) {
        let _ = fs::remove_dir_all(self.folder());
    }

    /// Has nobody try it for a while.
    fn give_up(&self, why: &Error) {
        self.discard();
        let folder = self.folder();
        let _ = fs::create_dir(&folder).and_then(|()| fs::write(folder.join(WHY), why.to_string()));
        hand_over(&folder, &self.of.cache);
    }
}

/// The name of the template for this call and image: of another kernel, image, QEMU or other
/// arguments it is another. The first number is the same as long as all these have the same paths.
fn name(call: &Call, image: &Image) -> String {
    let files = (&call.program, &call.vmlinuz, std::env::current_exe().ok());
    let kind = hash(&(files, call.memory, call.programs.is_some()));
    let found = fs::metadata(&call.program).ok();
    let qemu = found.map(|found| (found.len(), found.ino(), found.mtime(), found.mtime_nsec()));
    let all = hash(&(env!("CARGO_PKG_VERSION"), kind, qemu, call.arguments(), image.stamp()));
    format!("{}-{kind:016x}-{all:016x}", image.kernel().release)
}

fn hash(of: &impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    of.hash(&mut hash);
    hash.finish()
}

/// The lock on this folder, if nobody has it, and if it still is what has this name.
fn try_lock(folder: &Path) -> Option<Flock<File>> {
    let lock = Flock::lock(File::open(folder).ok()?, FlockArg::LockExclusiveNonblock).ok()?;
    let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    same(lock.metadata().ok()?, fs::metadata(folder).ok()?).then_some(lock)
}

/// What the files of a folder take of the disk, in bytes: less than their lengths, for they have
/// holes.
fn room_taken(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| found.blocks() * 512).sum()
}

fn age(path: &Path) -> Duration {
    let modified = fs::metadata(path).and_then(|found| found.modified());
    modified.ok().and_then(|then| then.elapsed().ok()).unwrap_or_default()
}

/// Gives what root made to whoever owns the cache, who otherwise could neither use nor remove it.
fn hand_over(folder: &Path, cache: &Path) {
    let Ok(owner) = fs::metadata(cache) else { return };
    if !geteuid().is_root() {
        return;
    }
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in files.chain([folder.to_owned()]) {
        let _ = chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fakes::{self, RELEASE},
        image,
        store::Kernel,
    };

    #[test]
    fn a_template_is_of_one_kernel_image_qemu_and_memory() {
        let (root, cache) = (fakes::kernel(RELEASE, RELEASE), tempfile::tempdir().unwrap());
        let kernel = Kernel::at(root.path()).unwrap();
        let qemu = cache.path().join("qemu");
        fs::write(&qemu, "one").unwrap();
        let image = image::build(&kernel, &[], cache.path()).unwrap();
        let vmlinuz = kernel.vmlinuz().to_owned();
        let call = Call { program: qemu.clone(), vmlinuz, memory: 512, programs: None };
        let first = name(&call, &image);
        assert_eq!(name(&call, &image::build(&kernel, &[], cache.path()).unwrap()), first);

        let mut others = vec![name(&Call { memory: 513, ..call.clone() }, &image)];
        let program = cache.path().join("program");
        fs::write(&program, "one").unwrap();
        let build = || image::build(&kernel, std::slice::from_ref(&program), cache.path()).unwrap();
        others.push(name(&call, &build()));
        fs::write(&program, "another").unwrap();
        others.push(name(&call, &build()));
        fs::write(kernel.vmlinuz(), fs::read(kernel.vmlinuz()).unwrap()).unwrap();
        others.push(name(&call, &image::build(&kernel, &[], cache.path()).unwrap()));
        fs::write(&qemu, "another").unwrap();
        others.push(name(&call, &image));
        others.push(first);
        let count = others.len();
        assert_eq!(others.into_iter().collect::<BTreeSet<_>>().len(), count);
    }

    #[test]
    fn what_was_left_is_removed_and_of_many_templates_the_last_used_are_kept() {
        let cache = tempfile::tempdir().unwrap();
        let templates = Templates::within(cache.path());
        let folder = |name: String| {
            let folder = cache.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("memory"), "x").unwrap();
            folder
        };
        let left = folder(format!("{BEGUN}left"));
        let locked = folder(format!("{BEGUN}locked"));
        let lock = try_lock(&locked).unwrap();
        let whole: Vec<_> = (0..MOST + 3).map(|n| folder(format!("{WHOLE}{n}"))).collect();
        for (n, folder) in whole.iter().enumerate() {
            let hours = Duration::from_secs(3600) * u32::try_from(n).unwrap();
            File::open(folder).unwrap().set_modified(SystemTime::now() - hours).unwrap();
        }
        templates.clean();
        assert!(!left.exists() && locked.exists());
        let kept: Vec<_> = whole.iter().map(|folder| folder.exists()).collect();
        assert_eq!(kept, [[true; MOST].as_slice(), &[false; 3]].concat());
        drop(lock);
        templates.clean();
        assert!(!locked.exists());
    }
}
