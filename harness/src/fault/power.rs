//! The death of a machine. Unlike a process that dies, it closes nothing and sends nothing, and its
//! peers are not told.
//!
//! The order makes it silent. First the host is cut off, so that nothing leaves it any more; then
//! its sockets are destroyed while somebody holds them, its processes killed, and what those left
//! destroyed too; only then may the cable be touched. Any other order lets a FIN out, at once or
//! when the cable comes back, because an orphaned socket goes on retransmitting for minutes.

use std::{os::fd::AsFd, sync::Arc, time::Duration};

use super::hits::{Aim, Hits};
use crate::{
    error::{Context, Result},
    lab::{Host, Ip, Lab, Life, teardown},
    sys::netns::Netns,
    wire::Segment,
};

/// A way for a machine to die: the [`Lab`]'s method of that name.
pub type Kill = fn(&Lab, &str) -> Death;

/// How a host died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    PoweredOff,
    Panicked,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::PoweredOff => "is powered off",
            Self::Panicked => "has panicked",
        }
    }
}

/// A dead host. Boot it again, or leave it dead: dropping this does not bring it back.
#[must_use = "a dead host can be booted through this, and tells what was sent to it while it was dead"]
pub struct Outage {
    lab: Lab,
    host: Host,
    hits: Arc<Hits>,
    /// What a panicked machine leaves: a network card that holds the link up, and no one behind it.
    shell: Option<Life>,
    /// The index of the dead host's end of the cable: with the shell, or, after a power-off, in the
    /// patch's namespace, where it lies down.
    end: u32,
}

/// A death in the making.
#[must_use = "a host dies once this is awaited to its end"]
pub struct Death {
    lab: Lab,
    host: String,
    fate: Kind,
    aim: Aim,
}

impl Lab {
    /// Takes a host's power away; see [`Death`].
    pub fn power_off(&self, host: &str) -> Death {
        Death::of(self, host, Kind::PoweredOff)
    }

    /// Lets a host's kernel panic: as a power-off, but its network card holds the link.
    pub fn panic(&self, host: &str) -> Death {
        Death::of(self, host, Kind::Panicked)
    }
}

impl Death {
    /// Both ways to die, with the names test variants carry.
    pub const BOTH: [(&'static str, Kill); 2] =
        [("power_off", Lab::power_off), ("panic", Lab::panic)];

    fn of(lab: &Lab, host: &str, fate: Kind) -> Self {
        let aim = Aim { to: Some(host.to_owned()), any_fate: true, ..Aim::default() };
        Self { lab: lab.clone(), host: host.to_owned(), fate, aim }
    }

    /// Says that the case is right also when nobody sends anything to the dead host.
    pub fn that_may_miss(mut self) -> Self {
        self.aim.may_miss = true;
        self
    }

    /// Kills the host: when this returns, the host's kernel is gone with all it held, and no
    /// segment of it is on its way.
    ///
    /// # Errors
    /// There is no such host, it is dead already, its interface is gone, or the kernel cannot
    /// destroy sockets from outside (`CONFIG_INET_DIAG_DESTROY`).
    pub async fn now(self) -> Result<Outage> {
        let Self { lab, host, fate, aim } = self;
        let host = lab.host(&host)?.clone();
        let verb = if fate == Kind::PoweredOff { "power off" } else { "panic" };
        let text = format!("{} {}", host.name(), fate.words());
        let context = || format!("{verb} host {}", host.name());
        let rtnl = host.shell_rtnl().context(context)?;
        let guest = host.guest()?;
        // Says that the interface is gone, before anything is done.
        rtnl.is_operational(host.shell_interface()).await.context(context)?;
        let hits = Hits::of(&lab, &text, aim);
        if let Some(guest) = &guest {
            // Nothing to be careful about: it takes its sockets with it, in whatever state.
            match fate {
                Kind::PoweredOff => drop(guest.kill()),
                Kind::Panicked => guest.panic()?,
            }
        }
        match fate {
            Kind::PoweredOff => {
                rtnl.set_link(host.shell_interface(), false).await.context(context)?;
                lab.carrier_is_lost_by_others(&host).await?;
            }
            // A panicked machine's card keeps the link, so the interface stays up; without an
            // address the stack behind it neither sends nor answers.
            Kind::Panicked if guest.is_some() => {}
            Kind::Panicked => {
                for ip in [Ip::V4, Ip::V6] {
                    // Some other fault may have taken it.
                    if rtnl.is_local(host.ip(ip)).await.unwrap_or(false) {
                        let index = host.shell_interface();
                        let deleted = rtnl.delete_address(index, host.ip(ip), ip.prefix()).await;
                        deleted.context(context)?;
                    }
                }
            }
        }
        hits.on();
        let life = host.die(fate.words())?;
        teardown::extinguish(&life)?;
        let (shell, end) = match fate {
            Kind::Panicked => (Some(life), host.shell_interface()),
            Kind::PoweredOff => {
                let middle = Netns::current()?;
                let end = lab.stage().next_port();
                let shelf = format!("off{end}");
                life.rtnl.move_link(host.shell_interface(), (&shelf, end), middle.as_fd()).await?;
                lab.stage().keeper().forget_namespace(host.name());
                (None, end)
            }
        };
        Ok(Outage { lab, host, hits, shell, end })
    }
}

impl Outage {
    /// The segments that were sent to the dead host so far.
    ///
    /// # Errors
    /// The taps have lost frames.
    pub async fn sent_unacknowledged(&self) -> Result<Vec<Segment>> {
        self.hits.settled().await
    }

    /// Boots it: the same name and addresses on the same cable, and a kernel that knows of no
    /// connection. When this returns it answers.
    ///
    /// # Errors
    /// The kernel refuses a part of the new host.
    pub async fn boot(mut self) -> Result {
        let context = || format!("boot host {}", self.host.name());
        let holder = self.shell.as_ref().map(|shell| shell.rtnl.clone());
        let booted = self.lab.revive(&self.host, holder.as_ref(), self.end).await;
        booted.context(context)?;
        if self.shell.take().is_some() {
            self.lab.stage().keeper().forget_namespace(self.host.name());
        }
        self.hits.off();
        Ok(())
    }

    /// As [`Outage::boot`], when the machine has been away for this long.
    ///
    /// # Errors
    /// As [`Outage::boot`].
    pub async fn boot_after(self, downtime: Duration) -> Result {
        tokio::time::sleep(downtime).await;
        self.boot().await
    }
}
