//! What a virtual kernel meets of a case's needs, as far as it can be known without booting it.
//!
//! What cannot be known is taken for met: the runner in it asks again, by trying.

use std::collections::BTreeSet;

use super::needs::{Need, Unmet};
use crate::sys::program;
use crate::virt::Kernel;

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
        // What this machine has is put into the image.
        Need::Program(_) => return need.check(),
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

/// Which programs a virtual kernel must be given for cases of these needs, by name: nft for any, as
/// a case says only when it runs that it uses packet rules.
pub(super) fn programs(needs: impl Iterator<Item = Need>) -> BTreeSet<&'static str> {
    let named = needs.filter_map(|need| match need {
        Need::Program(name) => Some(name),
        _ => None,
    });
    named.chain(["nft"]).collect()
}

fn modules(wanted: &[&str], kernel: Option<&Kernel>) -> Result<(), String> {
    let Some(kernel) = kernel else { return Ok(()) };
    match wanted.iter().find(|module| !kernel.has_module(module)) {
        None => Ok(()),
        Some(missing) => Err(format!("kernel {} has no module {missing}", kernel.release)),
    }
}
