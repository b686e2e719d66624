//! Putting the frames of several taps into one order.

use lastack_sys::Stamp;

/// Holds what was read in one round until the next round is over.
///
/// Taps are separate queues and are read one after the other: while the second is read, the
/// first may fill again. So a round may hold the arrival of a segment and not its departure,
/// or an answer and not the question. What caused a frame was captured before that frame,
/// though, and so is read by the end of the next round at the latest. One round is therefore
/// enough to wait: at its end, everything held, and everything read meanwhile that is not
/// younger, is put in order of time and let go.
#[derive(Debug)]
pub(crate) struct Rounds<T> {
    held: Vec<(Stamp, bool, T)>,
}

impl<T> Rounds<T> {
    pub(crate) fn new() -> Self {
        Self { held: Vec::new() }
    }

    /// Whether nothing waits for a further round.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Ends a round that read `fresh` (time, arrival rather than departure, the frame) and lets
    /// go what may go, in order. At one time, departures come before arrivals.
    pub(crate) fn close(&mut self, fresh: Vec<(Stamp, bool, T)>) -> Vec<T> {
        let Some(horizon) = self.held.iter().map(|(at, ..)| *at).max() else {
            self.held = fresh;
            return Vec::new();
        };
        let mut all = std::mem::take(&mut self.held);
        all.extend(fresh);
        all.sort_by_key(|(at, arrival, _)| (*at, *arrival));
        self.held = all.split_off(all.partition_point(|(at, ..)| *at <= horizon));
        all.into_iter().map(|(_, _, frame)| frame).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_departure_read_a_round_late_still_comes_first() {
        let mut rounds = Rounds::new();
        let read = |at, arrival, name| (Stamp(at), arrival, name);
        assert!(rounds.close(vec![read(5, true, "arrival"), read(6, false, "answer")]).is_empty());
        let out = rounds.close(vec![read(4, false, "departure"), read(9, false, "next")]);
        assert_eq!(out, ["departure", "arrival", "answer"]);
        assert!(!rounds.is_empty());
        assert_eq!(rounds.close(vec![]), ["next"]);
        assert!(rounds.is_empty());
    }

    #[test]
    fn at_one_time_the_departure_comes_first() {
        let mut rounds = Rounds::new();
        rounds.close(vec![(Stamp(1), true, "arrival"), (Stamp(1), false, "departure")]);
        assert_eq!(rounds.close(vec![]), ["departure", "arrival"]);
    }

    proptest! {
        /// Frames of two taps, read in rounds in which the second tap is read later.
        #[test]
        fn nothing_is_lost_and_time_never_goes_back(
            taps in proptest::collection::vec(any::<bool>(), 1..60),
            ends in proptest::collection::vec(1_usize..12, 1..20),
            lag in 0_usize..12,
        ) {
            let mut rounds = Rounds::new();
            let mut read = [0_usize; 2];
            let mut out = Vec::new();
            let mut now = 0;
            for step in ends.into_iter().chain([100, 100, 100]) {
                now += step;
                let mut fresh = Vec::new();
                for (tap, until) in [(false, now), (true, now + lag)] {
                    let from = &mut read[usize::from(tap)];
                    let until = until.min(taps.len()).max(*from);
                    let seen = (*from..until).filter(|i| taps[*i] == tap);
                    fresh.extend(seen.map(|i| (Stamp(i64::try_from(i).unwrap()), tap, i)));
                    *from = until;
                }
                now += lag;
                out.extend(rounds.close(fresh));
            }
            prop_assert_eq!(out, (0..taps.len()).collect::<Vec<_>>());
        }
    }
}
