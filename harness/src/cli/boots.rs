//! What is said before a run of a few cases that waits for a virtual kernel.

use std::collections::BTreeSet;

use crate::runner::case::Case;
use crate::runner::kernels::Target;
use crate::runner::pool::Means;
use crate::virt::Kernel;

/// Says on standard error that some of the cases, fewer than half, boot a virtual kernel, for which
/// all others would be waited for. Who asks for just those is told nothing.
pub(super) fn warn(cases: &[&Case], means: &Means) {
    let targets = cases.iter().filter_map(|case| means.target(case).ok());
    let (mut host, mut kernels) = (0, Vec::new());
    for target in targets {
        match target {
            Target::Host => host += 1,
            Target::Virtual(kernel) => kernels.push(named(&kernel)),
        }
    }
    if let Some(words) = in_words(host, &kernels, cases.len()) {
        eprintln!("lastack: {words}");
    }
}

/// "6.12", which `--kernel virtual=` understands.
fn named(kernel: &Kernel) -> String {
    let (major, minor) = kernel.version();
    format!("{major}.{minor}")
}

/// `kernels` names one for each case that is not on the host.
fn in_words(host: usize, kernels: &[String], cases: usize) -> Option<String> {
    let booting = kernels.len();
    if booting == 0 || booting >= host {
        return None;
    }
    let which: Vec<_> = kernels.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let (boots, them) = if booting == 1 { ("boots", "it") } else { ("boot", "them") };
    let which = format!("{boots} the virtual kernel {}", which.join(" or "));
    Some(format!("{booting} of {cases} cases {which}; `--kernel host` leaves {them} out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(host: usize, kernels: &[&str]) -> Option<String> {
        let kernels: Vec<_> = kernels.iter().map(ToString::to_string).collect();
        in_words(host, &kernels, host + kernels.len())
    }

    #[test]
    fn a_few_that_boot_among_many_that_do_not_are_told() {
        let one = "1 of 12 cases boots the virtual kernel 6.1; `--kernel host` leaves it out";
        assert_eq!(said(11, &["6.1"]).as_deref(), Some(one));
        let two =
            "3 of 9 cases boot the virtual kernel 6.1 or 6.12; `--kernel host` leaves them out";
        assert_eq!(said(6, &["6.12", "6.1", "6.1"]).as_deref(), Some(two));
    }

    #[test]
    fn who_asks_for_a_virtual_kernel_or_for_none_is_told_nothing() {
        assert_eq!(said(12, &[]), None);
        assert_eq!(said(0, &["6.1"]), None);
        assert_eq!(said(0, &["6.1", "6.1"]), None);
        assert_eq!(said(2, &["6.1", "6.1"]), None);
    }
}
