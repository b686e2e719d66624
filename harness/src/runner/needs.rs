//! What a case needs of the machine beyond namespaces, which all of them need.

use std::fmt;

pub use lastack_sys::error::Unmet;

use crate::sys::probe::{self, Answer, Trial};

/// Something that not every machine has. A case without it is ignored, never passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// The machine's own root, not the root of a user namespace.
    Root,
    /// What a fault, a host kind or a middle needs: these say it themselves when they are used.
    /// Written by name: [`Need::Netem`], [`Need::Nft`].
    Trial(Trial),
    /// A program in PATH or in a system directory.
    Program(&'static str),
    /// A sysctl that a host of a lab has, by its dotted name.
    Sysctl(&'static str),
    /// This kernel version or a newer one.
    Kernel(u32, u32),
    /// A kernel older than this version: the other side of [`Need::Kernel`].
    Before(u32, u32),
    /// A clock that jumps over idle time: the case waits longer than anybody would.
    VirtualTime,
}

#[expect(non_upper_case_globals, reason = "they are written and matched like the variants")]
impl Need {
    /// [`Trial::Redirect`].
    pub const Redirect: Self = Self::Trial(Trial::Redirect);
    /// [`Trial::Netem`].
    pub const Netem: Self = Self::Trial(Trial::Netem);
    /// [`Trial::Nft`].
    pub const Nft: Self = Self::Trial(Trial::Nft);
    /// [`Trial::Reject`].
    pub const Reject: Self = Self::Trial(Trial::Reject);
    /// [`Trial::Hold`].
    pub const Hold: Self = Self::Trial(Trial::Hold);
    /// [`Trial::Conntrack`].
    pub const Conntrack: Self = Self::Trial(Trial::Conntrack);
    /// [`Trial::SockDestroy`].
    pub const SockDestroy: Self = Self::Trial(Trial::SockDestroy);
    /// [`Trial::Guest`].
    pub const Guest: Self = Self::Trial(Trial::Guest);
}

impl Need {
    /// Asks the machine, once a run.
    ///
    /// # Errors
    /// The machine does not meet it: why, and what to do.
    pub fn check(self) -> Result<(), Unmet> {
        let answer = match self {
            Self::Root => probe::root(),
            Self::Trial(trial) => return trial.check(),
            Self::Program(name) => program(name),
            Self::Sysctl(name) => probe::sysctl(name),
            Self::Kernel(..) | Self::Before(..) => {
                let (version, release) = probe::kernel_version();
                self.of_version(version, &release)
            }
            Self::VirtualTime => probe::virtual_time(),
        };
        answer.map_err(|reason| self.unmet(reason))
    }

    /// Whether a kernel of this version meets the need, as far as it asks for a version.
    pub(super) fn of_version(self, version: (u32, u32), release: &str) -> Answer {
        let met = match self {
            Self::Kernel(major, minor) => version >= (major, minor),
            Self::Before(major, minor) => version < (major, minor),
            _ => true,
        };
        if met { Ok(()) } else { Err(format!("this is kernel {release}")) }
    }

    /// This need, not met for this reason.
    pub(super) fn unmet(self, reason: String) -> Unmet {
        let remedy = match self {
            Self::Trial(trial) => return trial.unmet(reason),
            Self::Root => "run it as root (scripts/as-root)".to_owned(),
            Self::Program(name) => format!("install {name} (scripts/setup)"),
            Self::Sysctl(_) => "run a kernel that has it".to_owned(),
            Self::Kernel(major, minor) => format!("run kernel {major}.{minor} or newer"),
            Self::Before(major, minor) => format!("run a kernel before {major}.{minor}"),
            Self::VirtualTime => "run it on a virtual kernel (--kernel virtual)".to_owned(),
        };
        Unmet { need: self.to_string(), reason, remedy }
    }
}

fn program(name: &str) -> Answer {
    probe::program(name).map(drop).ok_or_else(|| format!("there is no program {name}"))
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Trial(trial) => f.write_str(trial.name()),
            Self::Program(name) => write!(f, "program {name}"),
            Self::Sysctl(name) => write!(f, "sysctl {name}"),
            Self::Kernel(major, minor) => write!(f, "kernel {major}.{minor}"),
            Self::Before(major, minor) => write!(f, "kernel before {major}.{minor}"),
            Self::VirtualTime => f.write_str("virtual-time"),
        }
    }
}

/// Why this machine cannot run any case, and what to do: what exit code 3 means.
///
/// # Errors
/// The machine refuses the namespaces that every case lives in.
pub fn machine() -> Result<(), Unmet> {
    let need = "namespaces".to_owned();
    probe::namespaces().map(drop).map_err(|reason| Unmet { need, reason, remedy: permission() })
}

/// The switches that take namespaces away from ordinary users, where one of them is set.
fn permission() -> String {
    let switches = [
        // Ubuntu 23.10 and later; Debian's old patch; the limit every kernel has.
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "10000"),
        ("user.max_net_namespaces", "0", "10000"),
        ("user.max_pid_namespaces", "0", "10000"),
        ("user.max_mnt_namespaces", "0", "10000"),
    ];
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok();
    let switched = switches
        .into_iter()
        .find(|(name, refusing, _)| read(name).is_some_and(|value| value.trim() == *refusing));
    match switched {
        Some((name, _, allowing)) => format!(
            "allow ordinary users their own namespaces (sudo sysctl -w {name}={allowing}) or run \
             as root (scripts/as-root)"
        ),
        None => "run as root (scripts/as-root); in a container, one started with --privileged"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_kernel_than_needed_says_which_it_is() {
        assert_eq!(Need::Kernel(3, 10).check(), Ok(()));
        let unmet = Need::Kernel(4000, 0).check().unwrap_err();
        assert!(unmet.reason.starts_with("this is kernel "), "{unmet}");
        assert_eq!(unmet.remedy, "run kernel 4000.0 or newer");
    }

    #[test]
    fn one_of_the_two_sides_of_a_version_is_met() {
        for version in [(6, 1), (6, 4), (6, 5), (7, 0)] {
            let [since, before] = [Need::Kernel(6, 5), Need::Before(6, 5)]
                .map(|need| need.of_version(version, "x").is_ok());
            assert_ne!(since, before, "{version:?}");
        }
        let unmet = Need::Before(3, 10).check().unwrap_err();
        assert_eq!(unmet.remedy, "run a kernel before 3.10");
    }

    #[test]
    fn a_missing_program_is_named_with_the_way_to_get_it() {
        let unmet = Need::Program("no-such-program").check().unwrap_err();
        assert_eq!(
            unmet.to_string(),
            "there is no program no-such-program; install no-such-program (scripts/setup)"
        );
    }
}
