//! A machine that sleeps: its processes stand still and its network card is off, and then it
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
};
use crate::{
    error::{Attempt, Result},
    lab::{Host, Lab, Patch, estate},
    sys::{
        rtnl::Rtnl,
        tc::{Fate, Word},
    },
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
    pids: Vec<i32>,
    filters: Vec<(u32, u16)>,
}

impl Suspension {
    pub(crate) async fn begin(lab: &Lab, host: &str) -> Result<Self> {
        let host: Host = lab.host(host)?.clone();
        let attempt = || format!("suspend host {}", host.name());
        let netns = host.shell().attempt(attempt)?;
        let patch = lab.patch().attempt(attempt)?.clone();
        let aim = Aim { to: Some(host.name().to_owned()), may_miss: true, ..Aim::default() };
        let hits = Hits::of(lab, &format!("{} sleeps", host.name()), aim);
        let mut filters = Vec::new();
        for port in patch.ports() {
            let words = if port.host == host.name() {
                vec![Word::ANY]
            } else {
                Word::destination(host.mac()).to_vec()
            };
            let priority = patch.priority();
            let added = patch.rtnl().add_filter(port.index, priority, &words, &Fate::Swallow);
            added.await.attempt(attempt)?;
            filters.push((port.index, priority));
        }
        // A guest's processes are its kernel's to stop, which traces them (ptrace(2)).
        let guest = host.guest()?;
        let pids = guest.map_or_else(|| estate::residents(&netns), |guest| vec![guest.pid()]);
        signal(&pids, Signal::SIGSTOP);
        hits.on();
        Ok(Self { patch, hits, asleep: Some(Asleep { pids, filters }) })
    }

    /// The segments sent to the sleeper so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn sent_in_vain(&self) -> Result<Vec<Segment>> {
        self.hits.settled().await
    }

    /// Wakes it up.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn resume(mut self) -> Result {
        if let Some(asleep) = self.asleep.take() {
            wake(self.patch.rtnl(), asleep).await?;
        }
        self.hits.off();
        Ok(())
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

/// The processes first, so that they are there when the first segment comes.
async fn wake(rtnl: &Rtnl, asleep: Asleep) -> Result {
    signal(&asleep.pids, Signal::SIGCONT);
    for (port, priority) in asleep.filters {
        rtnl.delete_filter(port, priority).await?;
    }
    Ok(())
}

fn signal(pids: &[i32], signal: Signal) {
    for pid in pids {
        // One that has ended meanwhile needs neither.
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}
