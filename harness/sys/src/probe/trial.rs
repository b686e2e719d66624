//! What a fault, a host kind or a middle needs of the kernel, found out by trying.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Answer, guest, kernel};
use crate::error::{Error, ErrorKind, Result, Unmet};

/// A question that only a process in fresh namespaces can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trial {
    /// Redirecting frames between devices in the kernel: clsact, u32 and mirred.
    Redirect,
    /// The qdisc netem: delay, loss, duplication, reordering.
    Netem,
    /// The program nft and the kernel's netdev tables: packet rules.
    Nft,
    /// Packet rules that answer, with a reset or an ICMP error in the receiver's name.
    Reject,
    /// Packet rules that hold what they hit until it is let go: those of [`Trial::Nft`], and tbf.
    Hold,
    /// Connection tracking and address translation, with packet rules to ask for them.
    Conntrack,
    /// Destroying sockets through sock_diag (`INET_DIAG_DESTROY`).
    SockDestroy,
    /// A guest kernel: Debian's user-mode Linux.
    Guest,
}

/// Those that this process has used, in the order of first use.
static USED: Mutex<Vec<Trial>> = Mutex::new(Vec::new());

/// What this process has used, as [`Trial::tried`] was told, in the order of first use.
#[must_use]
pub fn used() -> Vec<Trial> {
    USED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Trial {
    /// Every such question.
    pub const ALL: [Self; 8] = [
        Self::Redirect,
        Self::Netem,
        Self::Nft,
        Self::Reject,
        Self::Hold,
        Self::Conntrack,
        Self::SockDestroy,
        Self::Guest,
    ];

    /// What it is called in `lastack doctor` and `LASTACK_ALLOW_SKIPS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Netem => "netem",
            Self::Nft => "nft",
            Self::Reject => "reject",
            Self::Hold => "hold",
            Self::Conntrack => "conntrack",
            Self::SockDestroy => "sock-destroy",
            Self::Guest => "guest",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trial| trial.name() == name)
    }

    /// Whether who uses this uses the other, too: packet rules of every kind are made by nft.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        let rules = matches!(self, Self::Reject | Self::Hold | Self::Conntrack);
        self == other || (rules && other == Self::Nft)
    }

    /// Says that this process has used it, with this outcome. Whoever makes a fault, a host or a
    /// middle passes what came of it through here; [`used`] remembers it. Only where the system
    /// refused is the machine asked, so that where all is well it costs nothing.
    ///
    /// # Errors
    /// Those of the outcome; one of [`ErrorKind::System`] becomes one of [`ErrorKind::Unmet`]
    /// where this machine cannot do it at all.
    pub fn tried<T>(self, outcome: Result<T>) -> Result<T> {
        // What counts as used is taken for possible here: neither wrong use nor a refusal shows it.
        match &outcome {
            Err(error) if error.kind() != ErrorKind::System => return outcome,
            Err(_) => self.check().map_err(Error::unmet)?,
            Ok(_) => {}
        }
        self.is_used();
        outcome
    }

    /// Has [`used`] remember it.
    fn is_used(self) {
        let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.contains(&self) {
            used.push(self);
        }
    }

    /// Asks whether this machine can do it, without a word about using it.
    ///
    /// # Errors
    /// It cannot: why, and what to do.
    pub fn check(self) -> Result<(), Unmet> {
        super::trial(self).map_err(|reason| self.unmet(reason))
    }

    /// This, not met for this reason.
    #[must_use]
    pub fn unmet(self, reason: String) -> Unmet {
        Unmet { need: self.name().to_owned(), reason, remedy: self.remedy().to_owned() }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Redirect => {
                "load the kernel modules cls_u32 and act_mirred, or run a distribution's standard \
                 kernel"
            }
            Self::Netem => {
                "load the kernel module sch_netem (scripts/setup installs it where the kernel \
                 keeps it in an extra package)"
            }
            Self::Nft => "install nftables (scripts/setup), on a kernel with nf_tables",
            Self::Reject => {
                "install nftables (scripts/setup), on a kernel with CONFIG_NFT_REJECT_NETDEV, \
                 which Debian's have not"
            }
            Self::Hold => "install nftables (scripts/setup), and load the kernel module sch_tbf",
            Self::Conntrack => {
                "install nftables (scripts/setup), on a kernel with nf_conntrack, nf_nat and \
                 nf_conntrack_netlink"
            }
            Self::SockDestroy => {
                "run a kernel with CONFIG_INET_DIAG_DESTROY, as distributions build it"
            }
            Self::Guest => {
                "install user-mode-linux (scripts/setup), where a process may trace its children \
                 (ptrace)"
            }
        }
    }

    /// Tries it here and now, in the namespaces this process is in.
    pub(super) fn context(self) -> Answer {
        match self {
            Self::Redirect => kernel::redirect(),
            Self::Netem => kernel::netem(),
            Self::Nft => kernel::nft(),
            Self::Reject => kernel::reject(),
            Self::Hold => kernel::hold(),
            Self::Conntrack => kernel::conntrack(),
            Self::SockDestroy => kernel::sock_destroy(),
            Self::Guest => guest::guest(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own() {
        for trial in Trial::ALL {
            assert_eq!(Trial::named(trial.name()), Some(trial));
        }
        assert_eq!(Trial::named("nonsense"), None);
    }

    #[test]
    fn a_refusal_is_unmet_where_the_machine_cannot_do_it_at_all() {
        let answers = [(Trial::Guest, Err("there is none".to_owned())), (Trial::Hold, Ok(()))];
        super::super::ANSWERS.lock().expect("no test panics here").extend(answers);
        let refused = || Err::<(), _>(Error::system("boot host a", "no such program"));
        let unmet = Trial::Guest.tried(refused()).unwrap_err();
        assert_eq!((unmet.kind(), &*unmet.as_unmet().unwrap().need), (ErrorKind::Unmet, "guest"));
        // A lab that is wrongly described is that everywhere.
        let wrong = Trial::Guest.tried(Err::<(), _>(Error::usage("no host c"))).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Usage);
        // Neither counts as used: whoever hears that takes it for possible.
        assert!(!used().contains(&Trial::Guest));
        assert_eq!(
            Trial::Conntrack.tried(Err::<(), _>(Error::usage(""))).unwrap_err().kind(),
            ErrorKind::Usage
        );
        assert!(!used().contains(&Trial::Conntrack));
        // A machine that can, and would not this time.
        assert_eq!(Trial::Hold.tried(refused()).unwrap_err().kind(), ErrorKind::System);
        assert_eq!(Trial::Hold.tried(Ok(7)).unwrap(), 7);
        assert!(used().contains(&Trial::Hold));
    }

    #[test]
    fn what_is_used_is_remembered_once_and_what_is_known_is_not_tried_again() {
        // No test of this process tries it: nothing here can play the role of the probe.
        super::super::learn(Trial::Reject);
        assert_eq!(Trial::Reject.check(), Ok(()));
        assert!(!used().contains(&Trial::Reject), "to ask is not to use");
        for _ in 0..2 {
            Trial::Reject.tried(Ok(())).unwrap();
        }
        assert_eq!(used().iter().filter(|trial| **trial == Trial::Reject).count(), 1);
        assert!(super::super::known().contains(&Trial::Reject));
    }
}
