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
