//! The kernel's side of a verdict: states of a connection's socket, awaited and timed.

use std::{
    fmt::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Host;
use crate::{
    error::{Error, Result},
    stall::pace,
    stamp::Stamp,
    sys::sock_diag::{SocketEntry, State, Timer},
    verdict::Sighting,
};

/// How long a state is waited for where a case does not say. Far above what any transition on a
/// local wire takes; a case about time says its own.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the kernel is asked: short against every timer, long against one dump. In virtual
/// time it is asked ever more rarely ([`pace`]).
const INTERVAL: Duration = Duration::from_millis(1);
/// How often it is asked in a long wait, so that what is seen late is late by a thousandth.
const LOOKS_IN_A_WAIT: u32 = 1000;

/// One end of one connection, as its host's kernel holds it, found by its two addresses even
/// when no process has it any more.
#[derive(Debug, Clone)]
pub struct SocketView {
    host: Host,
    local: SocketAddr,
    remote: SocketAddr,
}

impl SocketView {
    /// The end on `host` of the connection between these addresses.
    #[must_use]
    pub fn new(host: &Host, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { host: host.clone(), local, remote }
    }

    /// The socket as it is now, if there is one.
    ///
    /// # Errors
    /// The kernel refuses the dump.
    pub fn now(&self) -> Result<Option<SocketEntry>> {
        self.host.alive(|life| life.socket(self.local, self.remote))?
    }

    /// Waits for this state.
    ///
    /// # Errors
    /// It does not come within five seconds.
    pub async fn reaches(&self, state: State) -> Result<Sighting> {
        self.reaches_within(state, PATIENCE).await
    }

    /// Waits for this state, at most this long.
    ///
    /// # Errors
    /// It does not come.
    pub async fn reaches_within(&self, state: State, limit: Duration) -> Result<Sighting> {
        let wanted = |socket: &Option<SocketEntry>| socket.as_ref().map(|s| s.state) == Some(state);
        self.until(&state.to_string(), wanted, limit).await
    }

    /// Waits until the kernel no longer holds the socket.
    ///
    /// # Errors
    /// It still does after five seconds.
    pub async fn is_gone(&self) -> Result<Sighting> {
        self.is_gone_within(PATIENCE).await
    }

    /// Waits until the kernel no longer holds the socket, at most this long.
    ///
    /// # Errors
    /// It still does.
    pub async fn is_gone_within(&self, limit: Duration) -> Result<Sighting> {
        self.until("gone", Option::is_none, limit).await
    }

    /// Waits until timers alone have ended the socket, at most this long. While the timer that the
    /// kernel announces has long to run it looks seldom, so that an hour costs few looks more than
    /// a second; an end for another reason is seen late. [`Sighting::judge`] says how late.
    ///
    /// # Errors
    /// The kernel still holds it.
    pub async fn runs_out_within(&self, limit: Duration) -> Result<Sighting> {
        let pause = |socket: &Option<SocketEntry>, waited: Duration| {
            let announced = socket.as_ref().and_then(|entry| entry.timer);
            match announced {
                Some((_, left, _)) if left > 2 * INTERVAL => left / 2,
                // Overdue, as is the way of the timer wheel.
                _ => INTERVAL.max(waited / LOOKS_IN_A_WAIT),
            }
        };
        self.look_until("gone", Option::is_none, limit, pause).await
    }

    /// Waits until exactly this much lies in the receive queue: bytes not yet read, and one more
    /// for the peer's FIN.
    ///
    /// # Errors
    /// It does not come within five seconds.
    pub async fn has_unread(&self, bytes: u32) -> Result<Sighting> {
        let wanted = |socket: &Option<SocketEntry>| {
            socket.as_ref().is_some_and(|entry| entry.receive_queue == bytes)
        };
        self.until(&format!("{bytes} unread"), wanted, PATIENCE).await
    }

    /// Waits until anything at all lies in the receive queue.
    ///
    /// # Errors
    /// Nothing comes within five seconds.
    pub async fn has_any_unread(&self) -> Result<Sighting> {
        let wanted = |socket: &Option<SocketEntry>| {
            socket.as_ref().is_some_and(|entry| entry.receive_queue > 0)
        };
        self.until("something unread", wanted, PATIENCE).await
    }

    /// Waits until the socket runs this timer.
    ///
    /// # Errors
    /// It does not within five seconds.
    pub async fn runs(&self, timer: Timer) -> Result<Sighting> {
        let wanted = |socket: &Option<SocketEntry>| {
            let running = socket.as_ref().and_then(|entry| entry.timer);
            running.is_some_and(|(running, _, _)| running == timer)
        };
        self.until(&format!("running the {timer:?} timer"), wanted, PATIENCE).await
    }

    /// Waits until the peer has acknowledged everything sent.
    ///
    /// # Errors
    /// Something is still unacknowledged after five seconds.
    pub async fn is_acknowledged(&self) -> Result<Sighting> {
        let wanted = |socket: &Option<SocketEntry>| {
            socket.as_ref().is_some_and(|socket| socket.send_queue == 0)
        };
        self.until("nothing unacknowledged", wanted, PATIENCE).await
    }

    /// Waits until it has more to send than the peer's window takes, and probes that window
    /// (the persist timer).
    ///
    /// # Errors
    /// It does not come to that within five seconds.
    pub async fn probes_the_window(&self) -> Result<Sighting> {
        self.runs(Timer::Persist).await
    }

    /// Waits until this many keepalive or window probes are out without an answer.
    ///
    /// # Errors
    /// It does not come to that within five seconds.
    pub async fn has_unanswered_probes(&self, count: u8) -> Result<Sighting> {
        let wanted = |socket: &Option<SocketEntry>| {
            let info = socket.as_ref().and_then(|entry| entry.info.as_ref());
            info.is_some_and(|info| info.probes() == count)
        };
        self.until(&format!("{count} unanswered probes"), wanted, PATIENCE).await
    }

    /// Waits for anything about the socket, at most this long; `words` name it.
    ///
    /// # Errors
    /// It does not come.
    pub async fn until(
        &self,
        words: &str,
        wanted: impl Fn(&Option<SocketEntry>) -> bool,
        limit: Duration,
    ) -> Result<Sighting> {
        self.look_until(words, wanted, limit, |_, waited| pace(INTERVAL, waited)).await
    }

    /// As [`Self::until`], looking again after `pause`, which is told what was seen and how long
    /// it has been waited.
    async fn look_until(
        &self,
        words: &str,
        wanted: impl Fn(&Option<SocketEntry>) -> bool,
        limit: Duration,
        pause: impl Fn(&Option<SocketEntry>, Duration) -> Duration,
    ) -> Result<Sighting> {
        let began = Instant::now();
        let mut before = Stamp::now();
        let mut seen: Vec<String> = Vec::new();
        loop {
            let look = Stamp::now();
            let entry = self.now()?;
            if wanted(&entry) {
                // A look may take its time on a busy machine: it is so by now, and perhaps was not
                // when the look began.
                return Ok(Sighting { first: Stamp::now(), before, entry });
            }
            before = look;
            let state = entry.as_ref().map_or("gone".to_owned(), |e| e.state.to_string());
            if seen.last() != Some(&state) {
                seen.push(state);
            }
            let waited = began.elapsed();
            if waited > limit {
                let expected = format!("{words} within {limit:?}");
                return Err(Error::mismatch(self.to_string(), expected, seen.join(", then ")));
            }
            tokio::time::sleep(pause(&entry, waited)).await;
        }
    }

    /// Expects the socket to be in this state now.
    ///
    /// # Errors
    /// It is in another, or gone.
    pub fn is(&self, state: State) -> Result<SocketEntry> {
        match self.now()? {
            Some(entry) if entry.state == state => Ok(entry),
            other => {
                let seen = other.map_or("gone".to_owned(), |entry| entry.to_string());
                Err(Error::mismatch(self.to_string(), state.to_string(), seen))
            }
        }
    }

    /// Expects the socket to be in this state now and at every look for this long.
    ///
    /// # Errors
    /// It leaves the state.
    pub async fn stays(&self, state: State, period: Duration) -> Result<SocketEntry> {
        let began = Instant::now();
        loop {
            let entry = self.is(state)?;
            if began.elapsed() > period {
                return Ok(entry);
            }
            tokio::time::sleep(pace(INTERVAL, began.elapsed())).await;
        }
    }
}

impl std::fmt::Display for SocketView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: socket {} > {}", self.host.name(), self.local, self.remote)
    }
}

/// A host's sockets as an operator would see them.
#[must_use]
pub fn snapshot(host: &str, sockets: &[SocketEntry]) -> String {
    let mut text = format!("{host}: state       Recv-Q Send-Q  local > remote\n");
    if sockets.is_empty() {
        let _ = writeln!(text, "{host}: (no TCP socket)");
    }
    for socket in sockets {
        let _ = writeln!(text, "{host}: {socket}");
    }
    text
}
