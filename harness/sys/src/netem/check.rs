//! Settings of netem that cannot be, most of which the kernel would take without a word.

use super::{Loss, Netem, Rate, Slot};
use crate::error::{Error, Result};

impl Netem {
    /// Whether all this is possible at once.
    ///
    /// # Errors
    /// What is not, in words.
    pub fn check(&self) -> Result {
        let refuse = |text: String| Err(Error::usage(format!("impossible impairment: {text}")));
        for (name, value) in self.percentages() {
            if !(0.0..=100.0).contains(&value) {
                return refuse(format!("{name} of {value} %, which is not between 0 and 100"));
            }
        }
        let chances = [
            ("delay", self.delay_correlation, !self.jitter.is_zero(), "jitter"),
            ("loss", self.loss_correlation, matches!(self.loss, Some(Loss::Random(_))), "loss"),
            ("duplicate", self.duplicate_correlation, self.duplicate > 0.0, "duplicate"),
            ("reorder", self.reorder_correlation, self.reorder > 0.0, "reorder"),
            ("corrupt", self.corrupt_correlation, self.corrupt > 0.0, "corrupt"),
        ];
        for (name, correlation, there, what) in chances {
            if correlation > 0.0 && !there {
                return refuse(format!("a correlation of {name} without any {what}"));
            }
        }
        if self.loss == Some(Loss::Both) {
            return refuse("loss of each frame on its own and in bursts".to_owned());
        }
        if self.reorder > 0.0 && self.delay.is_zero() {
            return refuse("reorder without delay: there is nobody to overtake".to_owned());
        }
        if self.gap == Some(0) || (self.gap.is_some() && self.reorder == 0.0) {
            return refuse("a reorder gap without reorder, or of 0 frames".to_owned());
        }
        // The kernel cuts it there without a word (`netem_change`, `INT_MAX` nanoseconds).
        if self.jitter.as_nanos() > i32::MAX as u128 {
            return refuse(format!("jitter of {:?}, the most is 2.147 s", self.jitter));
        }
        if i64::try_from(self.delay.as_nanos()).is_err() {
            return refuse(format!("delay of {:?}", self.delay));
        }
        if self.limit == Some(0) {
            return refuse("limit of 0 frames: nothing would ever get through".to_owned());
        }
        self.check_pace(refuse)
    }

    fn check_pace(&self, refuse: impl Fn(String) -> Result) -> Result {
        if let Some(Rate { bytes, overhead, cell, cell_overhead }) = self.rate {
            if bytes == 0 {
                return refuse("rate of 0 bytes a second".to_owned());
            }
            // Unsigned in the kernel: a frame shorter than this would take for ever.
            if overhead < -14 {
                return refuse(format!("overhead of {overhead} bytes, more than a frame has"));
            }
            if cell_overhead != 0 && cell == 0 {
                return refuse("a cell's overhead without cells".to_owned());
            }
            if i64::from(cell) + i64::from(cell_overhead) < 0 {
                return refuse(format!("overhead of {cell_overhead} bytes in cells of {cell}"));
            }
        }
        if let Some(Slot { every, jitter, packets, bytes, .. }) = self.slot {
            let whole = [u128::from(packets), u128::from(bytes)];
            if every.is_zero() {
                return refuse("a slot every 0 s, which is a path that is always open".to_owned());
            }
            // As with the jitter of a delay (`get_slot`).
            if jitter.as_nanos() > i32::MAX as u128 {
                return refuse(format!("a slot's jitter of {jitter:?}, the most is 2.147 s"));
            }
            if i64::try_from(every.as_nanos()).is_err()
                || whole.iter().any(|n| *n > i32::MAX as u128)
            {
                return refuse("a slot beyond what the kernel can count".to_owned());
            }
        }
        if *self == (Self { limit: self.limit, seed: self.seed, ..Self::default() })
            && self.limit.is_none()
        {
            return refuse("it would impair nothing".to_owned());
        }
        Ok(())
    }
}
