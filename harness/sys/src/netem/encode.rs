//! netem's settings as the kernel wants them: `tc_netem_qopt`, and behind it attributes of their
//! own (`linux/pkt_sched.h`).
//!
//! Every attribute is sent every time. The kernel replaces what stands in the struct, but of the
//! attributes it leaves alone those that are missing (`sch_netem.c`, `netem_change`): a change
//! without a rate would keep the old one.

use std::time::Duration;

use super::{Distribution, GilbertElliott, Loss, Netem, Rate, Slot};

const TCA_NETEM_CORR: u16 = 1;
const TCA_NETEM_DELAY_DIST: u16 = 2;
const TCA_NETEM_REORDER: u16 = 3;
const TCA_NETEM_CORRUPT: u16 = 4;
const TCA_NETEM_LOSS: u16 = 5;
const TCA_NETEM_RATE: u16 = 6;
const TCA_NETEM_RATE64: u16 = 8;
const TCA_NETEM_LATENCY64: u16 = 10;
const TCA_NETEM_JITTER64: u16 = 11;
const TCA_NETEM_SLOT: u16 = 12;
const TCA_NETEM_SLOT_DIST: u16 = 13;
const TCA_NETEM_PRNG_SEED: u16 = 14;
const NETEM_LOSS_GE: u16 = 2;

/// `tc`'s own limit for frames that wait.
const LIMIT: u32 = 1000;

impl Netem {
    /// The content of `TCA_OPTIONS`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let loss = match self.loss {
            Some(Loss::Random(percent)) => share(percent),
            _ => 0,
        };
        let gap = if self.reorder > 0.0 { self.gap.unwrap_or(1) } else { 0 };
        let mut out = Vec::new();
        let limit = self.limit.unwrap_or(LIMIT);
        // tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
        let (delay, jitter) = (ticks(self.delay), ticks(self.jitter));
        words(&mut out, &[delay, limit, loss, gap, share(self.duplicate), jitter]);

        let [delay, lost, twice] =
            [self.delay_correlation, self.loss_correlation, self.duplicate_correlation].map(share);
        attribute(&mut out, TCA_NETEM_CORR, |out| words(out, &[delay, lost, twice]));
        if !self.jitter.is_zero() {
            table(&mut out, TCA_NETEM_DELAY_DIST, self.distribution);
        }
        let overtaking = [self.reorder, self.reorder_correlation].map(share);
        attribute(&mut out, TCA_NETEM_REORDER, |out| words(out, &overtaking));
        let corruption = [self.corrupt, self.corrupt_correlation].map(share);
        attribute(&mut out, TCA_NETEM_CORRUPT, |out| words(out, &corruption));
        if let Some(Loss::Bursts(model)) = self.loss {
            attribute(&mut out, TCA_NETEM_LOSS, |out| {
                attribute(out, NETEM_LOSS_GE, |out| words(out, &gilbert_elliott(model)));
            });
        }
        self.pace(&mut out);
        out
    }

    fn pace(&self, out: &mut Vec<u8>) {
        let Rate { bytes, overhead, cell, cell_overhead } = self.rate.unwrap_or(Rate::bytes(0));
        // What does not fit 32 bits is said in 64, and the kernel takes the larger.
        let narrow = u32::try_from(bytes).unwrap_or(u32::MAX);
        attribute(out, TCA_NETEM_RATE, |out| {
            words(out, &[narrow, overhead as u32, cell, cell_overhead as u32]);
        });
        if bytes > u64::from(u32::MAX) {
            attribute(out, TCA_NETEM_RATE64, |out| out.extend(bytes.to_ne_bytes()));
        }
        for (kind, time) in [(TCA_NETEM_LATENCY64, self.delay), (TCA_NETEM_JITTER64, self.jitter)] {
            attribute(out, kind, |out| out.extend(nanos(time).to_ne_bytes()));
        }
        self.slots(out);
        if let Some(seed) = self.seed {
            attribute(out, TCA_NETEM_PRNG_SEED, |out| out.extend(seed.to_ne_bytes()));
        }
    }

    /// Every slot is told as one of a distribution, also where the kernel would take a least and a
    /// most: once it has had a table it draws from that and no longer heeds those two
    /// (`get_slot_next`), and its arithmetic with them runs over where they are more than 2.1 s
    /// apart, and takes no seed.
    fn slots(&self, out: &mut Vec<u8>) {
        let slot = self.slot.unwrap_or(Slot::every(Duration::ZERO));
        if !slot.jitter.is_zero() {
            table(out, TCA_NETEM_SLOT_DIST, slot.distribution);
        }
        attribute(out, TCA_NETEM_SLOT, |out| {
            let [every, jitter] = [slot.every, slot.jitter].map(nanos);
            // min_delay, max_delay: heeded without a table, and not zero where there are slots.
            out.extend([every, every].into_iter().flat_map(i64::to_ne_bytes));
            // max_packets, max_bytes.
            words(out, &[slot.packets, slot.bytes]);
            // dist_delay, dist_jitter.
            out.extend([every, jitter].into_iter().flat_map(i64::to_ne_bytes));
        });
    }
}

/// `tc_netem_gemodel`: p, r, h, k1. Its h is the share that gets through the bad state.
fn gilbert_elliott(model: GilbertElliott) -> [u32; 4] {
    let GilbertElliott { to_bad, to_good, lost_in_bad, lost_in_good } = model;
    [share(to_bad), share(to_good), u32::MAX - share(lost_in_bad), share(lost_in_good)]
}

/// A percentage of all 32-bit numbers.
fn share(percent: f64) -> u32 {
    (percent / 100.0 * f64::from(u32::MAX)).round() as u32
}

/// The packet scheduler's own clock: 64 ns a tick (`PSCHED_SHIFT`). Kernels since 4.16 are told
/// in nanoseconds, too, and heed that.
fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_nanos() >> 6).unwrap_or(u32::MAX)
}

fn table(out: &mut Vec<u8>, kind: u16, distribution: Distribution) {
    let entries = distribution.table();
    attribute(out, kind, |out| out.extend(entries.into_iter().flat_map(i16::to_ne_bytes)));
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn words(out: &mut Vec<u8>, all: &[u32]) {
    out.extend(all.iter().flat_map(|word| word.to_ne_bytes()));
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; 4]);
    value(out);
    let length = (out.len() - start) as u16;
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    out[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}
