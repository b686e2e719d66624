//! A machine that sleeps: its processes are stopped and its network card is off, and then it
//! wakes up where it was. A virtual machine that is paused, a laptop whose lid is closed.
//!
//! What is not modelled: the kernel's own timers go on, so a sleeper that waits for an
//! acknowledgement may find on waking that it has waited too long.

use std::sync::{Arc, OnceLock};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    guard::Guard,
    hits::{Aim, Hits},
    swallow::Filters,
    taken::{Place, Takes},
};
use crate::{
    error::{Context, Result},
    guest::Guest,
    lab::{Host, Lab, teardown},
    sys::{rtnl::Rtnl, tc::Key},
    wire::Segment,
};

/// A host that sleeps. Let it resume, or drop this.
#[must_use = "a host sleeps until its guard is dropped"]
pub struct Suspension {
    host: Host,
    guard: Guard,
}

/// What has been done to a host, to be undone.
struct Asleep {
    host: Host,
    filters: Filters,
    /// Stopped last.
    sleepers: OnceLock<Sleepers>,
}

/// What is stopped.
enum Sleepers {
    /// A guest's processes are its kernel's to stop, which traces them (ptrace(2)).
    Guest(Guest),
    /// The processes of a namespace.
    Processes(Vec<i32>),
}

impl Lab {
    /// Puts a host to sleep; see [`Suspension`]. It needs a patch.
    ///
    /// # Errors
    /// There is no such host or patch, or the host is dead.
    pub async fn suspend(&self, host: &str) -> Result<Suspension> {
        Suspension::begin(self, host).await
    }
}

impl Suspension {
    async fn begin(lab: &Lab, host: &str) -> Result<Self> {
        let host: Host = lab.host(host)?.clone();
        let context = || format!("suspend host {}", host.name());
        host.is_awake().context(context)?;
        let patch = lab.patch().context(context)?.clone();
        let priority = patch.priority();
        let aim = Aim {
            to: Some(host.name().to_owned()),
            may_miss: true,
            place: Place::Filter(priority),
            takes: Takes::AllOf(host.name().to_owned()),
            ..Aim::default()
        };
        let hits = Hits::of(lab, &format!("{} sleeps", host.name()), aim);
        let filters = Filters::of(priority);
        let asleep = Arc::new(Asleep { host: host.clone(), filters, sleepers: OnceLock::new() });
        let mut guard = Guard::in_middle(patch.rtnl(), hits, {
            let asleep = asleep.clone();
            async move |rtnl: Rtnl| asleep.wake(&rtnl).await
        });
        for port in patch.ports() {
            let words = [if port.host == host.name() {
                vec![Key::ANY]
            } else {
                Key::destination(host.mac()).to_vec()
            }];
            let added = asleep.filters.add(patch.rtnl(), port.index, &words).await;
            added.context(context)?;
        }
        host.sleeps(true).context(context)?;
        let sleepers = match host.guest()? {
            Some(guest) => Sleepers::Guest(guest),
            None => Sleepers::Processes(teardown::residents(&host.shell()?)),
        };
        asleep.sleepers.get_or_init(|| sleepers).sleep(true);
        guard.on();
        Ok(Self { host, guard })
    }

    /// The segments sent to the sleeper so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn sent_unacknowledged(&self) -> Result<Vec<Segment>> {
        self.guard.hits().settled().await
    }

    /// Wakes it up.
    ///
    /// # Errors
    /// It has died in its sleep, or the kernel refuses.
    pub async fn resume(mut self) -> Result {
        self.guard.lift().await.context(|| format!("resume host {}", self.host.name()))
    }
}

impl Asleep {
    /// The processes first, so that they are there when the first segment comes. The path is
    /// whole again also if nobody is left to wake up.
    async fn wake(&self, rtnl: &Rtnl) -> Result {
        let wakes = self.host.sleeps(false);
        if let Some(sleepers) = self.sleepers.get() {
            sleepers.sleep(false);
        }
        self.filters.delete(rtnl).await?;
        wakes
    }
}

impl Sleepers {
    fn sleep(&self, asleep: bool) {
        match self {
            Self::Guest(guest) => guest.sleeps(asleep),
            Self::Processes(pids) => {
                let signal = if asleep { Signal::SIGSTOP } else { Signal::SIGCONT };
                for pid in pids {
                    // One that has ended meanwhile needs neither.
                    let _ = kill(Pid::from_raw(*pid), signal);
                }
            }
        }
    }
}
