//! One segment that is sent again and again, because it is not acknowledged.

use super::{Mark, Segment, Wire};
use lastack_sys::error::{Error, Result};

/// What became of a single segment that was not acknowledged.
#[derive(Debug, Clone)]
pub struct Retries {
    /// The segment, as it was first sent.
    pub first: Segment,
    /// Sent once before any timeout, and counted by none of the limits (`tcp_output.c`,
    /// `tcp_send_loss_probe`).
    pub tail_loss_probe: Segment,
    /// Sent by the retransmission timer, in order of time; at least one.
    pub timeouts: Vec<Segment>,
}

impl Retries {
    /// The first thing the retransmission timer sent: all limits count from it.
    #[must_use]
    pub fn first_timeout(&self) -> &Segment {
        &self.timeouts[0]
    }
}

impl Wire {
    /// What was sent again by now of what `segment` carried, alone or together with more.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind) where the segment is another wire's; or as
    /// [`Wire::settle`].
    pub async fn sent_again(&self, segment: &Segment) -> Result<Vec<Segment>> {
        self.knows_connection(segment)?;
        self.settle().await?;
        let mut again = self.since(Mark::from(segment));
        again.retain(|later| {
            later.connection == segment.connection
                && later.from == segment.from
                && later.retransmission
                && later.seq <= segment.seq
                && segment.seq < later.end()
        });
        Ok(again)
    }

    /// What became by now of a single segment that was not acknowledged.
    ///
    /// # Errors
    /// No retransmission timeout has sent it again yet; or as [`Wire::settle`].
    pub async fn retries_of(&self, segment: &Segment) -> Result<Retries> {
        let mut again = self.sent_again(segment).await?.into_iter();
        let first = segment.clone();
        match (again.next(), again.collect::<Vec<_>>()) {
            (Some(tail_loss_probe), timeouts) if !timeouts.is_empty() => {
                Ok(Retries { first, tail_loss_probe, timeouts })
            }
            (probe, _) => {
                let seen = format!("sent again {} times", usize::from(probe.is_some()));
                let expected = "sent again as a tail loss probe and then by a timeout";
                Err(Error::mismatch(segment.to_string(), expected, seen))
            }
        }
    }
}
