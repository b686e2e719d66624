//! On which kernel a case runs: the first that meets its needs, this machine's before any other.

use std::sync::{Arc, OnceLock};

use super::case::Case;
use super::elsewhere;
use super::needs::{self, Need, Unmet};
use crate::error::{Error, Result};
use crate::sys::probe::Trial;
use crate::virt::{Kernel, Lack};

/// Where a person's word for kernels is, when none is on the command line.
pub const VARIABLE: &str = "LASTACK_KERNEL";

/// Which kernels cases may run on, in a person's words: `host`, `virtual`, `virtual=WHICH`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Allowed {
    /// This machine's, and where that will not do, a virtual one.
    #[default]
    Any,
    /// This machine's own.
    Host,
    /// A virtual one: the first that will do, or this one.
    Virtual(Option<String>),
}

impl std::str::FromStr for Allowed {
    type Err = Error;

    fn from_str(words: &str) -> Result<Self> {
        match words.split_once('=') {
            None if words == "host" => Ok(Self::Host),
            None if words == "virtual" => Ok(Self::Virtual(None)),
            Some(("virtual", which)) if !which.is_empty() => {
                Ok(Self::Virtual(Some(which.to_owned())))
            }
            _ => Err(Error::usage(format!(
                "{words:?} is no kernel: it should be host, virtual, or virtual=WHICH, where WHICH \
                 is how a release begins (6.12) or a path to a vmlinuz or to a folder that holds one"
            ))),
        }
    }
}

impl Allowed {
    /// What the environment says (`LASTACK_KERNEL`), or else any.
    ///
    /// # Errors
    /// It says something that is no kernel.
    pub fn asked() -> Result<Self> {
        match std::env::var_os(VARIABLE) {
            Some(words) if !words.is_empty() => words
                .to_string_lossy()
                .parse()
                .map_err(|error| Error::usage(format!("{VARIABLE}: {error}"))),
            _ => Ok(Self::Any),
        }
    }
}

/// The kernel chosen for a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This machine's.
    Host,
    /// This virtual one.
    Virtual(Arc<Kernel>),
}

/// Chooses kernels for cases. What the machine has is looked up when first wanted, and once.
#[derive(Debug)]
pub struct Choice {
    allowed: Allowed,
    machine: OnceLock<std::result::Result<(), Unmet>>,
    kernels: OnceLock<std::result::Result<Vec<Arc<Kernel>>, Lack>>,
}

impl Choice {
    /// Among the kernels allowed.
    #[must_use]
    pub fn among(allowed: Allowed) -> Self {
        Self { allowed, machine: OnceLock::new(), kernels: OnceLock::new() }
    }

    /// Of this one virtual kernel, or else of none.
    #[must_use]
    pub fn only(kernel: Kernel) -> Self {
        let choice = Self::among(Allowed::Virtual(None));
        let _ = choice.kernels.set(Ok(vec![Arc::new(kernel)]));
        choice
    }

    /// The first kernel that can run this case, as far as is known before it is up.
    ///
    /// # Errors
    /// None can: why, and what to do.
    pub fn target(&self, case: &Case) -> std::result::Result<Target, Unmet> {
        match &self.allowed {
            Allowed::Host => self.on_host(case).map(|()| Target::Host),
            Allowed::Virtual(_) => self.on_virtual(case),
            Allowed::Any => match self.on_host(case) {
                Ok(()) => Ok(Target::Host),
                Err(host) if case.obstacle_on(None).is_some() => Err(nowhere(host, case)),
                Err(host) => self.on_virtual(case).map_err(|other| neither(host, other)),
            },
        }
    }

    /// The next kernel after `tried`, which lacks what the case has used there.
    ///
    /// # Errors
    /// No other can run it: why, and what to do.
    pub fn next(
        &self,
        case: &Case,
        tried: &Target,
        lacks: &Unmet,
    ) -> std::result::Result<Target, Unmet> {
        let need = Trial::named(&lacks.need).map(Need::Trial);
        let anywhere = need.is_none_or(|need| elsewhere::check(need, None).is_ok());
        // One that does not come up is for its owner to mend, not to be passed over.
        let useless = lacks.need == elsewhere::VIRTUAL;
        let only_host = self.allowed == Allowed::Host;
        if only_host || useless || !anywhere || case.obstacle_on(None).is_some() {
            return Err(lacks.clone());
        }
        let mut other = None;
        match self.kernels() {
            Err(lack) => other = Some(Unmet::from(lack)),
            Ok(kernels) => {
                let same = |kernel: &Arc<Kernel>| *tried == Target::Virtual(kernel.clone());
                let behind = kernels.iter().position(same).map_or(0, |tried| tried + 1);
                for kernel in &kernels[behind..] {
                    let lacks = || elsewhere::check(need?, Some(kernel)).err();
                    match case.obstacle_on(Some(kernel)).or_else(lacks) {
                        None => return Ok(Target::Virtual(kernel.clone())),
                        Some(obstacle) => other = other.or(Some(obstacle)),
                    }
                }
            }
        }
        Err(match (tried, other) {
            (Target::Host, Some(other)) => neither(lacks.clone(), other),
            _ => lacks.clone(),
        })
    }

    /// Whether any kernel that is allowed can be had at all.
    ///
    /// # Errors
    /// None can: what exit code 3 means.
    pub fn possible(&self) -> std::result::Result<(), Unmet> {
        let host = || self.machine().clone();
        let other = || self.kernels().as_ref().map(drop).map_err(Unmet::from);
        match self.allowed {
            Allowed::Host => host(),
            Allowed::Virtual(_) => other(),
            Allowed::Any => host().or_else(|host| other().map_err(|other| neither(host, other))),
        }
    }

    /// Whether this machine's own kernel is allowed, and can run anything.
    #[must_use]
    pub fn host(&self) -> bool {
        !matches!(self.allowed, Allowed::Virtual(_)) && self.machine().is_ok()
    }

    fn machine(&self) -> &std::result::Result<(), Unmet> {
        self.machine.get_or_init(needs::machine)
    }

    fn kernels(&self) -> &std::result::Result<Vec<Arc<Kernel>>, Lack> {
        self.kernels.get_or_init(|| {
            let mut kernels = match &self.allowed {
                Allowed::Virtual(Some(which)) => vec![Kernel::find(Some(which))?],
                Allowed::Virtual(None) | Allowed::Any | Allowed::Host => Kernel::all(),
            };
            if kernels.is_empty() {
                // Whoever asks for the first of none is told why.
                kernels.push(Kernel::find(None)?);
            }
            Ok(kernels.into_iter().map(Arc::new).collect())
        })
    }

    fn on_host(&self, case: &Case) -> std::result::Result<(), Unmet> {
        self.machine().clone()?;
        case.obstacle().map_or(Ok(()), Err)
    }

    fn on_virtual(&self, case: &Case) -> std::result::Result<Target, Unmet> {
        let kernels = self.kernels().as_ref().map_err(Unmet::from)?;
        let mut obstacles = Vec::new();
        for kernel in kernels {
            match case.obstacle_on(Some(kernel)) {
                None => return Ok(Target::Virtual(kernel.clone())),
                Some(obstacle) => obstacles.push(obstacle),
            }
        }
        Err(obstacles.swap_remove(0))
    }
}

/// Why a case cannot run here, whose needs no virtual kernel meets: mostly there is only one thing to
/// say. But what waits for hours would be sent to where something else is in its way.
fn nowhere(host: Unmet, case: &Case) -> Unmet {
    match case.obstacle_on(None) {
        Some(other) if host.need == Need::VirtualTime.to_string() => neither(host, other),
        _ => host,
    }
}

/// Two reasons in one: why not here, and why not on a virtual kernel.
fn neither(host: Unmet, other: Unmet) -> Unmet {
    let Unmet { need, reason, remedy } = host;
    if other.reason == reason {
        return Unmet { need, reason, remedy };
    }
    // The way out of time is the virtual kernel, of which the other remedy speaks.
    let remedy = match need == Need::VirtualTime.to_string() {
        true => other.remedy,
        false => format!("{remedy}; or {}", other.remedy),
    };
    Unmet { need, reason: format!("{reason}, and for a virtual kernel: {}", other.reason), remedy }
}
