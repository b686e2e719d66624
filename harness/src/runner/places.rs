//! Where evidence is kept: `target/lastack/`, one directory a failed attempt, and the record of runs.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use tempfile::Builder;

use crate::error::{Context, Result};
use crate::sys::lock;

/// The build's own directory, where nothing is written but what cases leave and how they came out.
#[derive(Debug, Clone)]
pub struct Places {
    target: PathBuf,
}

impl Places {
    /// The target directory that this program was built into; else `CARGO_TARGET_DIR`; else
    /// `target` here. The program's own place comes first: cargo runs tests in their package's
    /// directory, where a relative `CARGO_TARGET_DIR` means something else.
    #[must_use]
    pub fn find() -> Self {
        let own = std::env::current_exe().ok().and_then(|program| built_into(&program));
        let named = || std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        Self { target: own.or_else(named).unwrap_or_else(|| PathBuf::from("target")) }
    }

    /// The same policy under another directory.
    #[must_use]
    pub fn under(target: impl Into<PathBuf>) -> Self {
        Self { target: target.into() }
    }

    /// The target directory itself.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the directories of evidence are.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.target.join("lastack")
    }

    /// Where it is recorded how every case came out when it last ran.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.evidence().join("last-run.json")
    }

    /// A new directory for one attempt at the case `name`, never used before.
    ///
    /// # Errors
    /// It cannot be made; the message says where.
    pub fn directory(&self, name: &str) -> Result<PathBuf> {
        let parent = self.evidence();
        let what = || format!("make a directory for evidence in {}", parent.display());
        let fresh = !parent.exists();
        std::fs::create_dir_all(&parent).context(what)?;
        let directory = Builder::new()
            .prefix(&format!("{}-", sanitized(name)))
            .tempdir_in(&parent)
            .context(what)?
            .keep();
        if fresh {
            self.hand_over(&parent);
        }
        self.hand_over(&directory);
        // Private by default; evidence is there to be looked at, also by another user.
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&directory, open).context(what)?;
        Ok(directory)
    }

    /// Where the modules of virtual kernels are kept for the next run.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.target.join("lastack-guests")
    }

    /// Waits until a virtual kernel may run: each wants a core for itself, and where every case has
    /// a runner of its own (nextest) many would want one at once. Held until dropped. None if there
    /// is no room for the files that are locked; then nobody waits.
    #[must_use]
    pub fn seat(&self) -> Option<Gate> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let images = self.images();
        std::fs::create_dir_all(&images).ok()?;
        let open = |seat: usize| {
            let file = images.join(format!("seat-{seat}"));
            let fresh = !file.exists();
            let opened = File::options().create(true).append(true).open(&file);
            if fresh {
                self.hand_over(&file);
            }
            opened
        };
        for seat in 0..cores {
            if let Ok(lock) = Flock::lock(open(seat).ok()?, FlockArg::LockExclusiveNonblock) {
                return Some(Gate { _lock: lock });
            }
        }
        // Whoever comes too late waits for one of them, each for another.
        let file = open(std::process::id() as usize % cores).ok()?;
        lock::held(file, FlockArg::LockExclusive).ok().map(|lock| Gate { _lock: lock })
    }

    /// Gives what is kept for the next run to whoever owns the build.
    pub fn hand_over_images(&self) {
        let images = self.images();
        let kept = std::fs::read_dir(&images).into_iter().flatten().flatten();
        kept.for_each(|entry| self.hand_over(&entry.path()));
        self.hand_over(&images);
    }

    /// Gives what root made to whoever owns the build, so that `sudo cargo test` leaves nothing
    /// in `target/` that its owner cannot delete.
    pub fn hand_over(&self, path: &Path) {
        if nix::unistd::geteuid().is_root()
            && let Ok(owner) = std::fs::metadata(&self.target)
        {
            // Failing that, the evidence is root's, and still evidence.
            let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
        }
    }

    /// Waits until the case may run: beside others, or `alone`. Held until dropped, across all
    /// programs built into the same directory, so that it also holds under nextest, which runs
    /// each case by a program of its own. None if the directory cannot be locked.
    ///
    /// The lock is on the directory itself: it needs no file, so a full disk changes nothing.
    #[must_use]
    pub fn gate(&self, alone: bool) -> Option<Gate> {
        let how = if alone { FlockArg::LockExclusive } else { FlockArg::LockShared };
        let directory = File::open(&self.target).ok()?;
        lock::held(directory, how).ok().map(|lock| Gate { _lock: lock })
    }
}

/// Leave to run, given back when dropped.
#[derive(Debug)]
pub struct Gate {
    _lock: Flock<File>,
}

/// The target directory above a program: the one that cargo has tagged, or by its usual name.
fn built_into(program: &Path) -> Option<PathBuf> {
    let above = || program.ancestors().skip(1);
    above()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file())
        .or_else(|| above().find(|directory| directory.ends_with("target")))
        .map(Path::to_owned)
}

/// A test name as a directory's name: readable, and nothing a shell or an uploader minds.
fn sanitized(name: &str) -> String {
    let plain: String = name
        .replace("::", ".")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(120)
        .collect();
    plain.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_a_plain_directory_name() {
        assert_eq!(sanitized("linger::rst_at_once::ipv4"), "linger.rst_at_once.ipv4");
        assert_eq!(sanitized("../../etc/pass wd\n"), "_.._etc_pass_wd_");
        assert_eq!(sanitized(&"x".repeat(500)).len(), 120);
    }

    #[test]
    fn two_attempts_at_one_case_never_share_a_directory() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        let (one, two) = (places.directory("a::b").unwrap(), places.directory("a::b").unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with(home.path().join("lastack")));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Places::under(&file).directory("a::b").unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }

    #[test]
    fn one_that_runs_alone_waits_for_the_others() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        let (one, two) = (places.gate(false).unwrap(), places.gate(false).unwrap());
        let alone = {
            let places = places.clone();
            std::thread::spawn(move || places.gate(true).is_some())
        };
        drop(one);
        assert!(!alone.is_finished());
        drop(two);
        assert!(alone.join().unwrap());
    }
}
