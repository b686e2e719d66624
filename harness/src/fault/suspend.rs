//! A machine that sleeps: its processes are stopped and its network card is off, and then it
//! wakes up where it was. A virtual machine that is paused, a laptop whose lid is closed.
//!
//! What is not modelled: the kernel's own timers go on, so a sleeper that waits for an
//! acknowledgement may find on waking that it has waited too long.

use std::sync::Arc;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    hits::{Aim, Hits},
    lift_aside,
    swallow::Filters,
    taken::{Place, Takes},
};
use crate::{
    error::{Context, Result},
    guest::Guest,
    lab::{Host, Lab, Patch, teardown},
    sys::{rtnl::Rtnl, tc::Key},
    wire::Segment,
};

/// A host that sleeps. Let it resume, or drop this.
#[must_use = "a host sleeps until its guard is dropped"]
pub struct Suspension {
    patch: Patch,
    hits: Arc<Hits>,
    asleep: Option<Asleep>,
}

/// What has been done to it, to be undone.
struct Asleep {
    host: Host,
    sleepers: Sleepers,
    filters: Filters,
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
        let mut sleep = Self { patch: patch.clone(), hits, asleep: None };
        let sleepers = Sleepers::Processes(Vec::new());
        let asleep = Asleep { host: host.clone(), sleepers, filters: Filters::of(priority) };
        let asleep = sleep.asleep.insert(asleep);
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
        asleep.sleepers = match host.guest()? {
            Some(guest) => Sleepers::Guest(guest),
            None => Sleepers::Processes(teardown::residents(&host.shell()?)),
        };
        asleep.sleepers.sleep(true);
        sleep.hits.on();
        Ok(sleep)
    }

    /// The segments sent to the sleeper so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn sent_unacknowledged(&self) -> Result<Vec<Segment>> {
        self.hits.settled().await
    }

    /// Wakes it up.
    ///
    /// # Errors
    /// It has died in its sleep, or the kernel refuses.
    pub async fn resume(mut self) -> Result {
        let Some(asleep) = self.asleep.take() else { return Ok(()) };
        let context = format!("resume host {}", asleep.host.name());
        let woken = wake(self.patch.rtnl(), asleep).await;
        self.hits.off();
        woken.context(|| context)
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        if let Some(asleep) = self.asleep.take() {
            lift_aside(async move |rtnl| wake(&rtnl, asleep).await);
            self.hits.off();
        }
    }
}

/// The processes first, so that they are there when the first segment comes. The path is whole
/// again also if nobody is left to wake up.
async fn wake(rtnl: &Rtnl, asleep: Asleep) -> Result {
    let wakes = asleep.host.sleeps(false);
    asleep.sleepers.sleep(false);
    asleep.filters.delete(rtnl).await?;
    wakes
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
