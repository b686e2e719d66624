//! Something broken on purpose: held by a guard, lifted when dropped, counting what it hit.
//!
//! One fault a file. A fault that hit nothing proves nothing, so its case fails, unless the fault
//! was made with `that_may_miss`. Of two faults on one way each counts what it took itself.

mod address;
mod alteration;
mod black_hole;
mod detour;
mod forward;
mod full_queue;
mod guard;
mod hits;
mod icmp;
mod icmp_error;
mod impairment;
mod inject;
mod interface;
mod link;
mod mtu;
mod neighbour;
mod packets;
mod power;
mod route;
mod router_drop;
mod router_reset;
mod rules;
mod suspend;
mod swallow;
mod taken;
mod tracking;
mod unresolved;

pub use alteration::Alteration;
pub use black_hole::{BlackHole, BlackHoleBuilder};
pub use forward::{Forward, ForwardBuilder};
pub use full_queue::FullQueue;
pub use icmp::IcmpError;
pub use impairment::{Impairment, ImpairmentBuilder};
pub use inject::{Forged, Impostor};
pub use link::{Unplug, Unplugged};
pub use packets::{Packets, Rule, packets};
pub use power::{Death, Kill, Outage};
pub use route::Misroute;
pub use rules::{Rules, RulesBuilder};
pub use suspend::Suspension;
pub use tracking::{Strangers, Tracking, TrackingBuilder};
pub use unresolved::Unresolved;

use crate::{
    error::Result,
    lab::{Card, Host},
    stage::Inspect,
    sys::rtnl::{self, Rtnl},
};

/// Lifts a fault in a `drop`, which cannot wait for the runtime it happens on: a thread with a
/// runtime of its own does it, in a netlink conversation of its own about the patch.
pub(crate) fn lift_aside<F: Future<Output = Result>>(
    lift: impl FnOnce(Rtnl) -> F + Send + 'static,
) {
    aside(async move || lift(Rtnl::start(rtnl::socket()?)).await);
}

/// As [`lift_aside`], the conversation being about a host's network card.
pub(crate) fn lift_aside_on<F: Future<Output = Result>>(
    host: &Host,
    lift: impl FnOnce(Card) -> F + Send + 'static,
) {
    let host = host.clone();
    aside(async move || lift(host.card_aside()?).await);
}

fn aside(act: impl AsyncFnOnce() -> Result + Send + 'static) {
    let aside = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        runtime.block_on(act()).ok()
    };
    // A case that is ending anyway may fail here and loses nothing.
    let _ = std::thread::spawn(aside).join();
}
