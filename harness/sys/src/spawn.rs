//! Starting this same program again, in namespaces of its own.
//!
//! `std::process::Command` cannot do it: the namespaces must exist before the first
//! instruction of the new program, and the process must be pid 1 of its own. So this is a
//! plain clone and exec; what happens between the two is in `clone.rs`.

#![allow(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use super::child::Child;
use super::clone::{Plan, Step, Task, Wanted, clone, text};
use crate::error::{Context, Error, Result};

pub use super::clone::Owner;
pub use super::inside::CONTROL;

/// The number of the journal in the process of a case.
pub const JOURNAL: RawFd = 4;

/// A process about to be started.
#[must_use = "nothing runs until `start`"]
pub struct Spawn<'fd>(Wanted<'fd>);

impl<'fd> Spawn<'fd> {
    /// This program again, with these arguments after its own name.
    ///
    /// # Errors
    /// An argument holds a NUL byte, or the system does not say where the program is.
    pub fn again<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Self> {
        let program =
            std::env::current_exe().context(|| "find this program's own file".to_owned())?;
        let arguments = std::iter::once(text(program.as_os_str()))
            .chain(arguments.into_iter().map(|argument| text(argument.as_ref())))
            .collect::<Result<_>>()?;
        Ok(Self::with(arguments, Task::Execute))
    }

    /// A process that only tries whether namespaces of this kind can be had.
    pub fn trial(owner: Owner) -> Self {
        Self::with(Vec::new(), Task::End).namespaces(owner)
    }

    /// A process that exits 0 if, in fresh namespaces, it may write `path`; 1 if it may not.
    ///
    /// # Errors
    /// The path holds a NUL byte.
    pub fn inspection(owner: Owner, path: &str) -> Result<Self> {
        Ok(Self::with(Vec::new(), Task::Inspect(text(path.as_ref())?)).namespaces(owner))
    }

    fn with(arguments: Vec<CString>, task: Task) -> Self {
        let (descriptors, namespaces, file_limit) = (Vec::new(), None, None);
        Self(Wanted { arguments, descriptors, namespaces, file_limit, task })
    }

    /// In fresh pid, mount and network namespaces of this owner, as their pid 1, with a /proc
    /// of its own.
    pub fn namespaces(mut self, owner: Owner) -> Self {
        self.0.namespaces = Some(owner);
        self
    }

    /// With exactly these descriptors, as 0, 1, 2 and so on; every other one is closed.
    pub fn descriptors(mut self, descriptors: impl IntoIterator<Item = BorrowedFd<'fd>>) -> Self {
        self.0.descriptors = descriptors.into_iter().collect();
        self
    }

    /// No file that it or its children write may grow past this many bytes: a case that
    /// prints for ever must not fill the machine's memory with its captured output.
    pub fn file_limit(mut self, bytes: u64) -> Self {
        self.0.file_limit = Some(bytes);
        self
    }

    /// Starts it, and returns once the new program runs.
    ///
    /// The child gets SIGKILL when the *thread* that called this ends (`PR_SET_PDEATHSIG`), so
    /// that thread should also be the one that waits for it.
    ///
    /// # Errors
    /// The system refuses the process, its namespaces or the program; the message says which.
    pub fn start(&self) -> Result<Child> {
        let what = || match self.0.namespaces {
            Some(Owner::Root) => "start a process in fresh namespaces".to_owned(),
            Some(Owner::User) => "start a process in a fresh user namespace".to_owned(),
            None => "start a process".to_owned(),
        };
        let (report, reporter) = nix::unistd::pipe2(OFlag::O_CLOEXEC).context(what)?;
        let plan = Plan::of(&self.0, &reporter)?;

        // No handler of ours may run in the child, on a copy of the parent's memory.
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))
            .context(what)?;
        // SAFETY: the child does nothing but `Plan::carry_out`.
        let cloned = unsafe { clone(plan.flags()) };
        if let Ok(None) = cloned {
            // SAFETY: this is the child of the clone just made.
            unsafe { plan.carry_out() }
        }
        let restored = before.thread_set_mask();
        let (pid, pidfd) = match cloned {
            Ok(parent) => parent.expect("only the child gets none"),
            // What clone(2) means by it is nowhere near a disk.
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                return Err(Error::system(what(), "a limit of user.max_*_namespaces is reached"));
            }
            Err(error) => return Err(Error::system(what(), error)),
        };
        let mut child = Child::new(pid, pidfd);
        restored.context(what)?;
        drop((reporter, plan));

        let mut trouble = [0; 5];
        // An empty pipe means that exec, or the child's own end, closed it.
        if File::from(report).read_exact(&mut trouble).is_err() {
            return Ok(child);
        }
        child.wait()?;
        let [step, errno @ ..] = trouble;
        let answer = std::io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
        Err(Error::system(format!("{}: {}", what(), Step::words(step)), answer))
    }
}

/// The descriptor with this number that the parent handed down, now closed by the next exec.
/// Call it once a number: it takes ownership.
///
/// # Errors
/// There is no such descriptor: this process was not started by lastack.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    let what = || format!("take over descriptor {number} from the parent");
    // SAFETY: the parent put it there for this process alone, and each number is taken once;
    // if the number is not open, `fcntl` below says so and the value is not closed.
    let descriptor = unsafe { std::mem::ManuallyDrop::new(OwnedFd::from_raw_fd(number)) };
    fcntl(&*descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).context(what)?;
    Ok(std::mem::ManuallyDrop::into_inner(descriptor))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use nix::unistd::geteuid;

    use super::*;
    use crate::child::End;

    /// As many as a case itself may have.
    const MANY: u64 = 1024;

    #[test]
    fn a_process_starts_however_many_files_are_open_here() {
        // As cases are started. Where neither owner may make namespaces no case runs either.
        let owner = if geteuid().is_root() { Owner::Root } else { Owner::User };
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // Leaves as many to what else this program has open, and to its other tests.
        let many = MANY.min(hard / 2);
        setrlimit(Resource::RLIMIT_NOFILE, soft.max(2 * many), hard).unwrap();
        let files: Vec<_> = (0..many).map(|_| File::open("/dev/null").unwrap()).collect();
        let none = [files[0].as_fd(); 3];

        let again = Spawn::again(["--exact", "a test that is not there"]).unwrap();
        let started = again.namespaces(owner).descriptors(none).start();
        assert_eq!(started.and_then(|mut child| child.wait()).unwrap(), End::Exited(0));
    }
}
