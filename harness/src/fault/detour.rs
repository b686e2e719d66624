//! A side path inside the patch, with a gate on it: frames that a rule sends there wait in the
//! kernel, in order, until the gate opens, and then leave by the port they were on their way to.
//!
//! It is one more cable with both ends in the patch. The near end's qdisc is the gate; what comes
//! out of the far end is wired by its hardware address.

use std::time::{Duration, Instant};

use crate::{
    error::{Error, Result},
    lab::{Lab, Patch, carries},
    sys::{
        rtnl::{LinkEnd, Rtnl},
        tbf,
        tc::{Action, Key},
    },
};

/// How long frames may take to get out of an open gate: far above what a full queue needs.
const PATIENCE: Duration = Duration::from_secs(5);

/// A detour with its gate. It stays where it is until the lab is gone: taken away it would lose
/// what has just passed it.
#[derive(Debug, Clone)]
pub(super) struct Detour {
    near: u32,
    name: String,
}

impl Detour {
    /// Lays one, its gate shut.
    ///
    /// # Errors
    /// The lab's packets are too large, the kernel has no tbf, or it refuses a part of it.
    pub(super) async fn lay(lab: &Lab, patch: &Patch) -> Result<Self> {
        let (rtnl, mtu) = (patch.rtnl(), lab.mtu());
        if mtu > tbf::MTU {
            return Err(Error::usage(format!(
                "packets of up to {mtu} bytes cannot be held: let the lab's MTU be at most {}",
                tbf::MTU
            )));
        }
        let (near, far) = (lab.stage().next_port(), lab.stage().next_port());
        let name = format!("detour{near}");
        // Frames on it keep the hosts' addresses; its own are nobody's.
        let mac = [2, 0, 0, 0, 2, near as u8];
        let end = |index, name| LinkEnd { netns: None, name, index, mac };
        let far_name = format!("detour{far}");
        rtnl.cable(end(near, &name), end(far, &far_name), mtu).await?;
        rtnl.put_gate(near).await?;
        rtnl.add_clsact(far).await?;
        for (n, port) in (1..).zip(patch.ports()) {
            let on = Action::Forward(vec![port.index]);
            rtnl.add_filter(far, n, &Key::destination(port.mac), &on).await?;
        }
        rtnl.set_link(far, true).await?;
        carries(rtnl.clone(), near).await?;
        Ok(Self { near, name })
    }

    /// What the near end is called: where a rule sends what shall wait.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How many frames wait.
    pub(super) async fn waiting(&self, rtnl: &Rtnl) -> Result<u64> {
        Ok(rtnl.counted(self.near).await?.waiting)
    }

    /// Opens the gate and waits until nothing waits there any more. How many frames waited.
    pub(super) async fn open(&self, rtnl: &Rtnl) -> Result<u64> {
        let held = self.waiting(rtnl).await?;
        rtnl.open_gate(self.near).await?;
        let deadline = Instant::now() + PATIENCE;
        while self.waiting(rtnl).await? > 0 {
            if Instant::now() > deadline {
                let context = format!("let {held} held frames go");
                return Err(Error::system(context, format!("some still wait after {PATIENCE:?}")));
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        Ok(held)
    }
}
