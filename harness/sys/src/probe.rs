//! What this machine can do. Each question is asked once, when first wanted, and by trying:
//! a version number or a file's presence has misled before.
//!
//! An answer is `Ok` or, in a line, why not. What may leave traces or needs a network is tried
//! by a process of its own in fresh namespaces: this program again, in the role `lastack:probe`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::child::End;
use super::spawn::{Owner, Spawn};
use crate::error::{Context, Result};

mod guest;
mod kernel;
mod trial;

pub use guest::PROGRAM as GUEST_KERNEL;
pub use trial::{Trial, used};

/// Whether something can be done here, or why not.
pub type Answer<T = ()> = std::result::Result<T, String>;

/// How long one question may take before it counts as unanswered. They take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Set by the init of a virtual kernel for all that runs in it.
pub const VIRTUAL: &str = "LASTACK_VIRTUAL";

/// Whose namespaces cases run in: root's own where possible, else those of a user namespace.
/// Trying it covers the right to configure the network in them.
///
/// # Errors
/// In a line, why neither can be had.
pub fn namespaces() -> Answer<Owner> {
    static ANSWER: OnceLock<Answer<Owner>> = OnceLock::new();
    ANSWER
        .get_or_init(|| {
            // Root without CAP_SYS_ADMIN (a plain container) may still have user namespaces.
            let owners = [Owner::Root, Owner::User];
            let owners = if nix::unistd::geteuid().is_root() { &owners[..] } else { &owners[1..] };
            let mut refused = Vec::new();
            for &owner in owners {
                match Spawn::trial(owner).start().and_then(|mut child| child.wait()) {
                    Ok(_) => return Ok(owner),
                    Err(error) => refused.push(error.to_string()),
                }
            }
            Err(refused.join("; "))
        })
        .clone()
}

static ANSWERS: LazyLock<Mutex<HashMap<Trial, Answer>>> = LazyLock::new(Mutex::default);

/// Asks a [`Trial`].
///
/// # Errors
/// In a line, why it cannot be done.
pub fn trial(trial: Trial) -> Answer {
    let mut answers = ANSWERS.lock().expect("no probe panics");
    answers.entry(trial).or_insert_with(|| ask(trial)).clone()
}

/// Takes it that another process of this program has tried this here, and that it can be done.
pub fn learn(trial: Trial) {
    ANSWERS.lock().expect("no probe panics").insert(trial, Ok(()));
}

/// What is known to be possible, by trying or by [`learn`].
#[must_use]
pub fn known() -> Vec<Trial> {
    let answers = ANSWERS.lock().expect("no probe panics");
    Trial::ALL.into_iter().filter(|trial| matches!(answers.get(trial), Some(Ok(())))).collect()
}

/// The namespaces to try something in. Why there are none is said once, where it is asked.
fn somewhere() -> Answer<Owner> {
    namespaces().map_err(|_| "it cannot be tried: namespaces are refused".to_owned())
}

fn ask(trial: Trial) -> Answer {
    let owner = somewhere()?;
    let asked = || -> Result<(Option<End>, String)> {
        let what = || format!("ask whether this machine has {}", trial.name());
        let null = File::open("/dev/null").context(what)?;
        let answer =
            File::from(memfd_create("lastack-probe", MFdFlags::MFD_CLOEXEC).context(what)?);
        let mut child = Spawn::again(["lastack:probe", trial.name()])?
            .namespaces(owner)
            .descriptors([null.as_fd(), answer.as_fd(), null.as_fd()])
            .start()?;
        let end = child.wait_within(PATIENCE)?;
        let mut said = String::new();
        (&answer).rewind().context(what)?;
        (&answer).read_to_string(&mut said).context(what)?;
        Ok((end, said.trim().to_owned()))
    };
    match asked() {
        Ok((Some(End::Exited(0)), _)) => Ok(()),
        Ok((Some(End::Exited(1)), reason)) if !reason.is_empty() => Err(reason),
        Ok((Some(end), _)) => Err(format!("the process that tried it {end}")),
        Ok((None, _)) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
        Err(error) => Err(error.to_string()),
    }
}

/// The body of the role `lastack:probe`: tries what `word` names and says on stdout why it
/// cannot be done. Gives the exit status.
#[must_use]
pub fn probe_main(word: &str) -> u8 {
    let Some(trial) = Trial::named(word) else {
        return 2;
    };
    match trial.context() {
        Ok(()) => 0,
        Err(reason) => {
            println!("{reason}");
            1
        }
    }
}

/// Whether a lab's hosts have this sysctl and may set it.
///
/// # Errors
/// In a line, why not.
pub fn sysctl(name: &str) -> Answer {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let owner = somewhere()?;
    match Spawn::inspection(owner, &path)
        .and_then(|spawn| spawn.start())
        .and_then(|mut child| child.wait())
    {
        Ok(End::Exited(0)) => Ok(()),
        Ok(_) => Err(format!("a network namespace here has no sysctl {name} that can be set")),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether this machine is a virtual kernel, whose clock jumps over idle time.
///
/// # Errors
/// It is not.
pub fn virtual_time() -> Answer {
    match std::env::var_os(VIRTUAL) {
        Some(_) => Ok(()),
        None => Err("this machine's clock takes as long as it takes".to_owned()),
    }
}

/// The running kernel's version and, as the system writes it, its release.
#[must_use]
pub fn kernel_version() -> ((u32, u32), String) {
    let release = nix::sys::utsname::uname()
        .map(|names| names.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    (version(&release), release)
}

/// "6.12.117+deb13-amd64" is 6.12; what cannot be read is 0.0, older than anything.
fn version(release: &str) -> (u32, u32) {
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Where a program is: in PATH, or where Debian keeps what ordinary users' PATHs leave out.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| executable(file))
}

fn executable(file: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    file.is_file() && access(file, AccessFlags::X_OK).is_ok()
}

/// Whether this process is the machine's root, with the rights to show for it.
///
/// # Errors
/// In a line, what it is instead.
pub fn root() -> Answer {
    match somewhere()? {
        Owner::Root => Ok(()),
        Owner::User if nix::unistd::geteuid().is_root() => {
            Err("root here may not make namespaces without a user namespace".to_owned())
        }
        Owner::User => Err(format!("this is user {}, not root", nix::unistd::geteuid())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_gives_its_first_two_numbers() {
        assert_eq!(version("6.12.117+deb13-amd64"), (6, 12));
        assert_eq!(version("6.18"), (6, 18));
        assert_eq!(version("5.4.0-150-generic"), (5, 4));
        assert_eq!(version("weird"), (0, 0));
        assert_eq!(version(""), (0, 0));
    }

    #[test]
    fn a_program_is_found_and_a_missing_one_is_not() {
        assert!(program("sh").is_some());
        assert_eq!(program("no-such-program-of-lastack"), None);
        assert_eq!(program(""), None);
    }
}
