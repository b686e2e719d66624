//! What a virtual kernel meets of a case's needs, as far as it can be known without booting it.
//!
//! What cannot be known is taken for met: the runner in it asks again, by trying.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::case::Case;
use super::needs::{Need, Unmet};
use crate::sys::program;
use crate::virt::{self, Kernel, Lack};

/// What a case is short of that no virtual kernel could be booted for, in an [`Unmet`].
pub(super) const VIRTUAL: &str = "virtual";

/// The modules behind a need, by the names they have in a kernel's module list.
const REDIRECT: &[&str] = &["veth", "sch_ingress", "cls_u32", "act_mirred"];
const NETEM: &[&str] = &["sch_netem"];
const NFT: &[&str] = &["nf_tables", "nft_fwd_netdev", "nft_numgen"];
const REJECT: &[&str] = &["nf_tables", "nft_reject_netdev"];
const HOLD: &[&str] = &["nf_tables", "nft_fwd_netdev", "nft_dup_netdev", "nft_numgen", "sch_tbf"];
const CONNTRACK: &[&str] =
    &["nf_conntrack", "nf_nat", "nft_ct", "nft_masq", "nf_conntrack_netlink"];

/// Whether this kernel meets the need; or, where none is named, whether any might.
///
/// # Errors
/// It does not: why, and what to do.
pub fn check(need: Need, kernel: Option<&Kernel>) -> Result<(), Unmet> {
    let answer = match need {
        // Cases are root there, the clock jumps, and what the kernel will answer is not known yet.
        Need::Root | Need::VirtualTime | Need::SockDestroy | Need::Sysctl(_) => Ok(()),
        Need::Guest => Err("a virtual kernel runs no further kernel".to_owned()),
        // What this machine has is put into an image, if it can be.
        Need::Program(name) => return on_virtual(name, kernel).unwrap_or_else(|| need.check()),
        Need::Nft | Need::Reject | Need::Hold | Need::Conntrack
            if program::find("nft").is_none() =>
        {
            Err("there is no program nft".to_owned())
        }
        Need::Redirect => modules(REDIRECT, kernel),
        Need::Netem => modules(NETEM, kernel),
        Need::Nft => modules(NFT, kernel),
        Need::Reject => modules(REJECT, kernel),
        Need::Hold => modules(HOLD, kernel),
        Need::Conntrack => modules(CONNTRACK, kernel),
        Need::Kernel(..) | Need::Before(..) => match kernel {
            Some(kernel) => need.of_version(kernel.version(), &kernel.release),
            None => Ok(()),
        },
    };
    answer.map_err(|reason| need.unmet(reason))
}

/// Which programs every virtual kernel is given, by name, in the file system it starts from: a case
/// says only when it runs that it uses packet rules.
pub(super) const PROGRAMS: [&str; 1] = ["nft"];

/// Which programs of this machine cases of these needs declare, as far as a virtual kernel can be
/// given them: in an image of their own, which the kernel mounts.
pub(super) fn programs(needs: impl Iterator<Item = Need>) -> BTreeSet<PathBuf> {
    let named: BTreeSet<_> = needs
        .filter_map(|need| match need {
            Need::Program(name) => Some(name),
            _ => None,
        })
        .collect();
    let found = named.into_iter().filter_map(program::find);
    found.filter(|file| virt::programs::check(file, None).is_ok()).collect()
}

/// Whether a case wants programs beyond [`PROGRAMS`].
pub(super) fn wants_programs(case: &Case) -> bool {
    case.needs.iter().any(|need| matches!(need, Need::Program(_)))
}

/// Whether this machine's program can be given to a virtual kernel; nothing where there is none.
fn on_virtual(name: &str, kernel: Option<&Kernel>) -> Option<Result<(), Unmet>> {
    let answer = virt::programs::check(&program::find(name)?, kernel);
    let need = format!("program {name}");
    Some(answer.map_err(|Lack { reason, remedy }| Unmet { need, reason, remedy }))
}

fn modules(wanted: &[&str], kernel: Option<&Kernel>) -> Result<(), String> {
    let Some(kernel) = kernel else { return Ok(()) };
    match wanted.iter().find(|module| !kernel.has_module(module)) {
        None => Ok(()),
        Some(missing) => Err(format!("kernel {} has no module {missing}", kernel.release)),
    }
}
