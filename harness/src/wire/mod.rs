//! What was seen on the cables, both ends on one clock.
//!
//! In reading order: a [`Wire`] watches a lab's taps; its [`Segment`]s say when each left its
//! sender and when it arrived, and so which were swallowed in between, made in the middle or
//! sent again. A case names what it looks for as a [`pattern`] and awaits it:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use lastack::wire::{Wire, pattern::*};
//! # async fn case(wire: Wire) -> lastack::Result {
//! let start = wire.mark().await?;
//! let close = wire.expect(fin().from("a").empty()).after(start).await?;
//! wire.expect(pure_ack().from("b")).after(&close).within(Duration::from_millis(100)).await?;
//! wire.never(start, rst()).for_(Duration::from_secs(2)).await?;
//! # Ok(()) }
//! ```
//!
//! Below that: [`Packet`] reads one frame, [`Trace`] merges what the taps saw, [`journal`]
//! keeps it all so that a ladder can be drawn after the case is gone.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use connection::Standing;
use lastack_sys::error::{Error, Result};
use lastack_sys::packet::Tap;
use observer::Observer;
use pattern::Pattern;

#[cfg(test)]
mod build;
mod connection;
mod expect;
mod flags;
pub(crate) mod forge;
mod ip;
pub mod journal;
pub mod ladder;
mod names;
mod observer;
mod options;
mod order;
mod other;
mod overtaking;
mod packet;
pub mod pattern;
pub mod pcapng;
mod retries;
mod segment;
mod seq;
pub mod story;
mod trace;
mod view;

pub use expect::{Exactly, Expectation, Mark, Never};
pub use flags::Flags;
pub use journal::{Journal, Record};
pub use options::Options;
pub use other::{Kind, Other, Quoted};
pub use packet::{Headers, Packet};
pub use retries::Retries;
pub use segment::{PATIENCE, Segment};
pub use seq::Seq;
pub use story::Story;
pub use trace::{Observation, Seen, Stray, TapInfo, Trace};

/// What is seen on a lab's cables, from the moment of [`Wire::observe`] on. Clones share it; the
/// last one to go ends the observation.
#[derive(Clone)]
pub struct Wire {
    observer: Arc<Observer>,
}

impl Wire {
    /// Watches these taps on a thread of its own, and writes every frame to the journal.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind) where the thread cannot be made.
    pub fn observe(taps: Vec<(TapInfo, Tap)>, journal: Journal) -> Result<Self> {
        Ok(Self { observer: Arc::new(Observer::start(taps, journal)?) })
    }

    /// Whether both handles name the same lab's wire.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.observer, &other.observer)
    }

    /// All segments seen so far, in order of time.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        self.since(Self::start())
    }

    /// Everything else seen so far, in order of time: ICMP, address resolution.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        self.observer.knowledge().trace.strays().to_vec()
    }

    /// Waits until everything that the kernel has captured by now is among the segments.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::ErrorKind) where frames were lost, so that nothing can be said
    /// about the wire.
    pub async fn settle(&self) -> Result {
        let mut news = self.observer.news();
        let ticket = self.observer.ask_to_settle();
        // The sender lives as long as the observer, which `self` holds.
        let _ = news.wait_for(|settled| *settled >= ticket).await;
        self.check()
    }

    /// Settles, and returns the position after the last segment.
    ///
    /// # Errors
    /// As [`Wire::settle`].
    pub async fn mark(&self) -> Result<Mark> {
        self.settle().await?;
        Ok(Mark(self.observer.knowledge().trace.segments().len()))
    }

    /// The position before the first segment.
    #[must_use]
    pub fn start() -> Mark {
        Mark(0)
    }

    /// Expects a segment: the first that fits, seen already or within a second. Narrow it with
    /// [`Expectation::after`] and [`Expectation::within`], and await it.
    ///
    /// Fails with [`ErrorKind::Mismatch`](crate::ErrorKind), which lists the segments that were
    /// seen instead, and with [`ErrorKind::Usage`](crate::ErrorKind) where the pattern names a
    /// host, a middle or a connection that this wire does not have, as all expectations here do.
    pub fn expect(&self, pattern: Pattern) -> Expectation {
        Expectation::new(self.clone(), pattern)
    }

    /// Expects segments in this order after `start`, others between allowed.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind) with the first that is missing and what was seen
    /// in its place; [`ErrorKind::System`](crate::ErrorKind) where the wire was not all seen.
    pub async fn in_order(
        &self,
        start: impl Into<Mark>,
        patterns: impl IntoIterator<Item = Pattern>,
        within: Duration,
    ) -> Result<Vec<Segment>> {
        let patterns: Vec<_> = patterns.into_iter().collect();
        expect::in_order(self, start.into(), &patterns, within).await
    }

    /// The first retransmission timeout of a small segment that `host` wrote alone after `start`,
    /// from which the kernel's patience counts. Of three copies seen it is the last: what is sent
    /// again before it is a tail loss probe (`net/ipv4/tcp_output.c`, `tcp_schedule_loss_probe`).
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind) where there was none up to now;
    /// [`ErrorKind::System`](crate::ErrorKind) as [`Wire::settle`].
    pub async fn first_timeout(&self, host: &str, start: impl Into<Mark>) -> Result<Segment> {
        let again = pattern::data().from(host).retransmitted(true);
        let copies = [pattern::data().from(host), again.clone(), again];
        Ok(self.in_order(start, copies, Duration::ZERO).await?.remove(2))
    }

    /// Expects the segments from `start` on to be these, one by one, and no others by the moment
    /// the last of them is there; [`Exactly::among`] narrows which are looked at. Await it.
    pub fn exactly(
        &self,
        start: impl Into<Mark>,
        patterns: impl IntoIterator<Item = Pattern>,
    ) -> Exactly {
        Exactly::new(self.clone(), start.into(), patterns.into_iter().collect())
    }

    /// How many segments between `start` and now fit.
    ///
    /// # Errors
    /// As [`Wire::settle`].
    pub async fn count(&self, start: impl Into<Mark>, pattern: Pattern) -> Result<usize> {
        expect::count(self, start.into(), &pattern).await
    }

    /// Expects that no segment fits, from `start` until [`Never::for_`] a time from now.
    pub fn never(&self, start: impl Into<Mark>, pattern: Pattern) -> Never {
        Never { wire: self.clone(), start: start.into(), pattern }
    }

    /// Expects that no segment between `start` and now fits.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind) with the first that does;
    /// [`ErrorKind::System`](crate::ErrorKind) as [`Wire::settle`].
    pub async fn absent(&self, start: impl Into<Mark>, pattern: Pattern) -> Result {
        expect::absent(self, start.into(), &pattern).await
    }

    /// Lets segments be on their way for so much longer from now on, before they count as
    /// swallowed: some fault holds them back.
    pub(crate) fn allow(&self, delay: Duration) {
        self.observer.allow(PATIENCE + delay);
    }

    fn patience(&self) -> Duration {
        self.observer.patience()
    }

    /// The sequence number that `from` opened its latest connection to `to` with, from which its
    /// relative numbers count; `None` before the first segment.
    #[must_use]
    pub fn origin(&self, from: SocketAddr, to: SocketAddr) -> Option<Seq> {
        self.standing(from, to)?.base
    }

    pub(crate) fn standing(&self, from: SocketAddr, to: SocketAddr) -> Option<Standing> {
        self.observer.knowledge().trace.standing(from, to)
    }

    fn since(&self, start: Mark) -> Vec<Segment> {
        let knowledge = self.observer.knowledge();
        knowledge.trace.segments().get(start.0..).unwrap_or_default().to_vec()
    }

    /// Looks at the segments since `start` where they are, without copying them.
    fn look<T>(&self, start: Mark, look: impl FnOnce(&[Segment]) -> T) -> Result<T> {
        self.check()?;
        let knowledge = self.observer.knowledge();
        Ok(look(knowledge.trace.segments().get(start.0..).unwrap_or_default()))
    }

    fn news(&self) -> watch::Receiver<u64> {
        self.observer.news()
    }

    /// A segment in one line, with its time from the first one on.
    fn line(&self, segment: &Segment) -> String {
        let knowledge = self.observer.knowledge();
        let zero = knowledge.trace.segments().first().map_or(segment.at(), Segment::at);
        let micros = segment.at().since(zero).as_micros();
        format!("{:>6}.{:03} ms  {segment}", micros / 1000, micros % 1000)
    }

    fn check(&self) -> Result {
        match &self.observer.knowledge().trouble {
            None => Ok(()),
            Some(trouble) => Err(Error::system("observe the wire", trouble.clone())
                .advise("run fewer cases at once, or as root, or raise net.core.rmem_max")),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let knowledge = self.observer.knowledge();
        f.debug_struct("Wire")
            .field("segments", &knowledge.trace.segments().len())
            .field("trouble", &knowledge.trouble)
            .finish_non_exhaustive()
    }
}
