//! A host's network card, as faults take hold of it: the conversation with the host's own kernel,
//! and, where that is a guest, the one with the namespace that holds the far side of its card.
//!
//! A guest's card takes its link for granted while it is up (`arch/um/drivers/vector_kern.c` knows
//! nothing of carrier), and takes in whatever its interface on this machine does. So what is done
//! to a card is done on both sides: the guest is to know what an administrator did, and the cable
//! is to end where the card does.

use super::{Host, HostKind, Ip, Lab, answers_to, carries};
use crate::{
    error::Result,
    sys::rtnl::{self, Rtnl},
};

/// A living host's network card.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    host: Host,
    own: Rtnl,
    shell: Rtnl,
}

impl Host {
    /// Its network card.
    ///
    /// # Errors
    /// It is dead, or a guest that sleeps.
    pub(crate) fn card(&self) -> Result<Card> {
        Ok(Card { host: self.clone(), own: self.rtnl()?, shell: self.shell_rtnl()? })
    }

    /// The same for a thread of its own with a runtime of its own, which enters the host's
    /// namespace for good and begins new conversations: the runtime of the others may be waiting
    /// for that thread.
    ///
    /// # Errors
    /// As [`Self::card`], or the kernel refuses a socket.
    pub(crate) fn card_aside(&self) -> Result<Card> {
        // Says what is wrong, where something is.
        self.rtnl()?;
        let guest = self.guest()?;
        self.shell()?.enter_for_good()?;
        let shell = Rtnl::start(rtnl::socket()?);
        let own = guest.map_or_else(|| Ok(shell.clone()), |guest| guest.routes())?;
        Ok(Card { host: self.clone(), own, shell })
    }

    /// Whether its network card has a link and may send. A guest's card takes that for granted
    /// while it is up.
    ///
    /// # Errors
    /// It is dead, or has lost its interface.
    pub async fn has_carrier(&self) -> Result<bool> {
        self.card()?.has_carrier().await
    }
}

impl Card {
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The conversation with the host's own kernel.
    pub(crate) fn own(&self) -> &Rtnl {
        &self.own
    }

    fn is_a_guest_s(&self) -> bool {
        self.host.kind() == HostKind::Guest
    }

    /// See [`Host::has_carrier`].
    pub(crate) async fn has_carrier(&self) -> Result<bool> {
        match self.is_a_guest_s() {
            true => self.own.is_running(self.host.interface()).await,
            false => self.own.is_operational(self.host.interface()).await,
        }
    }

    /// Whether the cable has a link at this end.
    pub(crate) async fn is_plugged_in(&self) -> Result<bool> {
        self.shell.is_operational(self.host.shell_interface()).await
    }

    /// Waits until it has.
    pub(crate) async fn is_plugged_in_soon(&self) -> Result {
        carries(self.shell.clone(), self.host.shell_interface()).await
    }

    /// Sets it down, as its administrator would.
    pub(crate) async fn set_down(&self) -> Result {
        self.own.set_link(self.host.interface(), false).await?;
        if self.is_a_guest_s() {
            self.shell.set_link(self.host.shell_interface(), false).await?;
        }
        Ok(())
    }

    /// Sets the largest packet it carries, in bytes.
    pub(crate) async fn set_mtu(&self, bytes: u32) -> Result {
        self.own.set_mtu(self.host.interface(), bytes).await?;
        if self.is_a_guest_s() {
            // What is too large for a card is lost in it; a guest's would take it.
            self.shell.set_mtu(self.host.shell_interface(), bytes).await?;
        }
        Ok(())
    }

    /// Gives the host again what it was built with, as far as it has lost it.
    pub(crate) async fn reconfigure(&self, lab: &Lab) -> Result {
        if self.is_a_guest_s() {
            // Before the card looks for it.
            self.shell.set_link(self.host.shell_interface(), true).await?;
        }
        lab.reconfigure(&self.own, &self.host).await
    }

    /// Waits until a host that has been reconfigured has its carrier and takes its addresses for
    /// its own.
    pub(crate) async fn is_back(&self) -> Result {
        self.is_plugged_in_soon().await?;
        answers_to(self.own.clone(), self.host.ip(Ip::V6)).await
    }

    /// As [`Self::is_back`], but for the carrier, which some other fault may have taken: without
    /// it no address is a host's own yet.
    pub(crate) async fn is_back_if_plugged_in(&self) -> Result {
        if self.is_plugged_in().await? { self.is_back().await } else { Ok(()) }
    }
}
