//! The qdisc tbf as a gate: shut it keeps every frame, open it lets them go in their order
//! (`linux/pkt_sched.h`, `net/sched/sch_tbf.c`, `tc-tbf(8)`).
//!
//! A gate is what `sch_plug` is for, which few kernels have; tbf is in nearly all. It sends a
//! frame once its bucket holds what the frame costs. A frame costs at least what `mpu` says, and a
//! bucket that is too small for that never holds it; the size of the frames it takes in, though, is
//! reckoned from the bucket without a look at `mpu` (`tbf_change`, `psched_ns_t2l`).

use std::time::Duration;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};

use super::rtnl::Rtnl;
use crate::error::Result;

pub(super) const TBF: &str = "tbf";

/// The largest packet that a gate takes, in bytes; larger ones are lost there.
pub const MTU: u32 = 65_350;
/// The largest frame that fits a shut gate's bucket. It has to stay below the cost, by enough for
/// the kernel's rounding.
const LARGEST: u32 = MTU + 50;
/// What every frame costs at a shut gate, in bytes.
const COST: u16 = u16::MAX;
/// The bucket's time is kept in 32 bits of nanoseconds, so it fills in less than 4.3 seconds:
/// [`LARGEST`] bytes at this many a second.
const SLOW: u32 = 16_384;
/// How many bytes wait at most: more than any window here.
const ROOM: u32 = 1 << 26;
/// One tick of the packet scheduler (`PSCHED_SHIFT`).
const TICK: Duration = Duration::from_nanos(64);

/// `struct tc_tbf_qopt` in its attribute: what the gate is told.
///
/// Shut, the kernel looks again when the bucket would hold the cost, were it larger: some 8 ms.
/// So it needs no kick once it is open.
pub(super) fn gate(open: bool) -> Vec<u8> {
    const TCA_TBF_PARMS: u16 = 1;
    const LENGTH: u16 = 40;
    let (rate, mpu) = if open { (u32::MAX, 0) } else { (SLOW, COST) };
    let fill = Duration::from_secs(LARGEST.into()) / SLOW;
    let mut words = Vec::with_capacity(LENGTH.into());
    words.extend([LENGTH, TCA_TBF_PARMS].map(u16::to_ne_bytes).concat());
    words.extend(ratespec(rate, mpu));
    words.extend(ratespec(0, 0));
    let ticks = (fill.as_nanos() / TICK.as_nanos()) as u32;
    words.extend([ROOM, ticks, 0].map(u32::to_ne_bytes).concat());
    words
}

/// `struct tc_ratespec`: cell size, link layer, overhead, alignment, least size, bytes a second.
fn ratespec(rate: u32, mpu: u16) -> Vec<u8> {
    /// `TC_LINKLAYER_ETHERNET`: the kernel computes, and wants no table of costs.
    const ETHERNET: u8 = 1;
    let mut words = vec![0, ETHERNET, 0, 0, 0, 0];
    words.extend(mpu.to_ne_bytes());
    words.extend(rate.to_ne_bytes());
    words
}

impl Rtnl {
    /// Puts a shut gate where an interface sends.
    ///
    /// # Errors
    /// The kernel has no tbf, or the interface sends through another qdisc already.
    pub async fn put_gate(&self, index: u32) -> Result {
        let put = self.put_root(index, TBF, &gate(false), NLM_F_CREATE | NLM_F_EXCL).await;
        put.map_err(|error| {
            error.advise("the kernel needs the module sch_tbf (CONFIG_NET_SCH_TBF)")
        })
    }

    /// Opens the gate: within some milliseconds what it keeps begins to go.
    ///
    /// # Errors
    /// There is none.
    pub async fn open_gate(&self, index: u32) -> Result {
        self.put_root(index, TBF, &gate(true), 0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u32_at(words: &[u8], at: usize) -> u32 {
        u32::from_ne_bytes(words[at..at + 4].try_into().expect("four bytes"))
    }

    #[test]
    fn a_shut_gate_takes_every_frame_and_can_pay_for_none() {
        let words = gate(false);
        assert_eq!(words.len(), 40);
        let (mpu, rate) = (u16::from_ne_bytes([words[10], words[11]]), u32_at(&words, 12));
        let fill = u64::from(u32_at(&words, 32)) * 64;
        assert!(fill < u64::from(u32::MAX), "the kernel cuts it off there: {fill} ns");
        let cost = u64::from(mpu) * 1_000_000_000 / u64::from(rate);
        let lacking = Duration::from_nanos(cost - fill);
        assert!(lacking > Duration::from_millis(1) && lacking < Duration::from_millis(20));
        let hardware_addresses = 14;
        assert!(fill * u64::from(rate) / 1_000_000_000 >= u64::from(MTU + hardware_addresses));
    }

    #[test]
    fn an_open_gate_asks_for_next_to_nothing() {
        let words = gate(true);
        assert_eq!((words[10], words[11], u32_at(&words, 12)), (0, 0, u32::MAX));
        assert_eq!(u32_at(&words, 28), ROOM, "what waits is not thrown away");
    }
}
