//! Segments that were overtaken on their way.

use super::{Mark, Segment, Wire};
use lastack_sys::Stamp;
use lastack_sys::error::Result;

impl Wire {
    /// The segments that `host` sent from `start` on and that one it sent later has overtaken, in
    /// order of their sending.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind) where there is no such host; or as
    /// [`Wire::settle`].
    pub async fn overtaken(&self, host: &str, start: impl Into<Mark>) -> Result<Vec<Segment>> {
        self.knows_host(host)?;
        self.settle().await?;
        Ok(among(&self.since(start.into()), host))
    }
}

/// Those of `host` that arrived after one that was sent later.
fn among(segments: &[Segment], host: &str) -> Vec<Segment> {
    let mut earliest = Stamp(i64::MAX);
    let mut overtaken = Vec::new();
    // From the last one sent backwards: overtaken is who arrived after any of those seen before.
    for segment in segments.iter().rev().filter(|it| it.from == host && it.sent.is_some()) {
        let Some(arrived) = segment.arrived else { continue };
        if earliest < arrived {
            overtaken.push(segment.clone());
        }
        earliest = earliest.min(arrived);
    }
    overtaken.reverse();
    overtaken
}

#[cfg(test)]
mod tests {
    use super::super::pattern::tests::segment;
    use super::*;

    fn travelled(index: usize, sent: i64, arrived: Option<i64>) -> Segment {
        let (sent, arrived) = (Some(Stamp(sent)), arrived.map(Stamp));
        Segment { index, sent, arrived, ..segment() }
    }

    #[test]
    fn who_arrives_after_a_later_one_was_overtaken() {
        let all = [
            travelled(0, 10, Some(20)),
            travelled(1, 11, Some(50)),
            travelled(2, 12, Some(30)),
            travelled(3, 13, Some(40)),
            travelled(4, 14, Some(60)),
        ];
        let overtaken = |host| among(&all, host).iter().map(|it| it.index).collect::<Vec<_>>();
        assert_eq!(overtaken("a"), [1]);
        assert_eq!(overtaken("b"), [0; 0]);
    }

    #[test]
    fn what_was_lost_or_made_in_the_middle_overtakes_nobody() {
        let forged = Segment { sent: None, ..travelled(2, 0, Some(5)) };
        let all = [travelled(0, 10, Some(20)), travelled(1, 11, None), forged];
        assert!(among(&all, "a").is_empty());
    }
}
