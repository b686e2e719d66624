//! The observer: one thread that empties the taps, keeps the journal and feeds the trace.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::watch;

use super::journal::{Journal, Record};
use super::order::Rounds;
use super::packet::Packet;
use super::segment::PATIENCE;
use super::trace::{Observation, TapInfo, Trace};
use lastack_sys::Stamp;
use lastack_sys::error::{Context, Error, Result};
use lastack_sys::packet::{Frame, Tap};
use lastack_sys::stall;

/// How long the observer sleeps when nothing happens. It wakes at once for frames; the timeout
/// exists to measure how late a sleeper wakes on this machine. Where the clock jumps over idle
/// time there is nothing to measure: then it sleeps until something happens.
const NAP: Duration = Duration::from_millis(20);

/// What the observer knows.
#[derive(Debug)]
pub(crate) struct Knowledge {
    pub(crate) trace: Trace,
    /// Why nothing that is or is not in the trace can be believed any more.
    pub(crate) trouble: Option<String>,
}

#[derive(Debug)]
struct Shared {
    knowledge: Mutex<Knowledge>,
    /// Requests to settle so far; the thread answers with the number up to which it has.
    asked: AtomicU64,
    stop: AtomicBool,
    /// Nanoseconds that a segment may be on its way.
    patience: AtomicU64,
    waker: PipeWriter,
    /// Told after every change: the number of settled requests.
    news: watch::Sender<u64>,
}

/// The observing thread. When this is dropped it reads what is still to be read, and ends.
#[derive(Debug)]
pub(crate) struct Observer {
    shared: Arc<Shared>,
    /// Hangs up when the thread has read everything.
    finished: Mutex<Receiver<()>>,
}

impl Observer {
    pub(crate) fn start(taps: Vec<(TapInfo, Tap)>, journal: Journal) -> Result<Self> {
        let (wakeups, waker) = std::io::pipe().context(|| "make the observer's pipe".to_owned())?;
        let (infos, taps): (Vec<_>, Vec<_>) = taps.into_iter().unzip();
        let number = |i: usize| u8::try_from(i).map_err(|_| Error::usage("over 255 taps"));
        for (i, TapInfo { host, name, near }) in infos.iter().enumerate() {
            let (host, name) = (host.clone(), name.clone());
            journal.write(&Record::Tap { tap: number(i)?, host, near: *near, name });
        }
        let knowledge = Knowledge { trace: Trace::new(infos), trouble: None };
        let shared = Arc::new(Shared {
            knowledge: Mutex::new(knowledge),
            asked: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            patience: AtomicU64::new(PATIENCE.as_nanos() as u64),
            waker,
            news: watch::Sender::new(0),
        });
        let (finishing, finished) = channel();
        let work = Work { shared: shared.clone(), taps, journal, wakeups, rounds: Rounds::new() };
        let observe = move || {
            let taps = work.run();
            drop(finishing);
            drop(taps);
        };
        let thread = std::thread::Builder::new().name("wire".into());
        thread.spawn(observe).context(|| "start the observer's thread".to_owned())?;
        Ok(Self { shared, finished: Mutex::new(finished) })
    }

    pub(crate) fn knowledge(&self) -> MutexGuard<'_, Knowledge> {
        self.shared.knowledge()
    }

    /// How long a segment may be on its way before it counts as swallowed.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_nanos(self.shared.patience.load(Ordering::Relaxed))
    }

    /// Makes that no less than this, for good: what is held back once may arrive much later.
    pub(crate) fn allow(&self, patience: Duration) {
        let nanos = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        self.shared.patience.fetch_max(nanos, Ordering::Relaxed);
    }

    /// Told whenever something was seen or settled.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    /// Asks that everything captured so far be in the trace. The answer is that the news reach
    /// the returned number.
    pub(crate) fn ask_to_settle(&self) -> u64 {
        let ticket = self.shared.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.shared.wake();
        ticket
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake();
        // Not joined: with everything read, all that is left to do is to close the taps, and
        // the kernel takes 8-16 ms for each (it waits for an RCU grace period).
        let finished = self.finished.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = finished.recv();
    }
}

#[cfg(test)]
impl Observer {
    /// An observer without taps: it knows what a test tells it.
    pub(crate) fn of(infos: Vec<TapInfo>) -> Self {
        let file = tempfile::tempfile().expect("a file");
        let observer = Self::start(Vec::new(), Journal::new(file)).expect("a thread");
        observer.knowledge().trace = Trace::new(infos);
        observer
    }

    /// Makes it see a frame.
    pub(crate) fn tell(&self, observation: Observation) {
        self.knowledge().trace.see(observation);
        self.shared.news.send_modify(|_| {});
    }
}

impl Shared {
    fn knowledge(&self) -> MutexGuard<'_, Knowledge> {
        self.knowledge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // The pipe holds 64 KiB and the reader takes 256 bytes at once. An error means that the
        // reader has ended, and then no one waits for it.
        let _ = (&self.waker).write(&[1]);
    }
}

/// What the thread owns.
struct Work {
    shared: Arc<Shared>,
    taps: Vec<Tap>,
    journal: Journal,
    wakeups: PipeReader,
    rounds: Rounds<Observation>,
}

impl Work {
    /// Observes until told to stop, or until it cannot; gives the taps back.
    fn run(mut self) -> Vec<Tap> {
        // Requests that were made before the previous round began.
        let mut asked_before = 0;
        loop {
            let stop = self.shared.stop.load(Ordering::SeqCst);
            let asked = self.shared.asked.load(Ordering::SeqCst);
            let released = match self.round() {
                Ok(released) => released,
                Err(error) => return self.give_up(&error),
            };
            // What was captured before a request is read by the end of the round that starts
            // after it, and let go by then if nothing is held, else by the end of the next.
            let settled = if self.rounds.is_empty() { asked } else { asked_before };
            asked_before = asked;
            self.shared.news.send_if_modified(|news| {
                let changed = released > 0 || *news != settled;
                *news = settled;
                changed
            });
            if !self.rounds.is_empty() {
                continue;
            }
            if stop {
                return self.taps;
            }
            if let Err(error) = self.sleep() {
                return self.give_up(&error);
            }
        }
    }

    /// Empties every tap once; returns how many frames were let go into the trace.
    fn round(&mut self) -> Result<usize> {
        let mut records = Vec::new();
        let mut stamped = Vec::new();
        let began = Stamp::now();
        for (i, tap) in self.taps.iter_mut().enumerate() {
            let tap_number = u8::try_from(i).unwrap_or(u8::MAX);
            tap.drain(|Frame { at, stamped: is_stamped, egress, length, bytes }| {
                let bytes = bytes.to_vec();
                records.push(Record::Frame { tap: tap_number, egress, at, length, bytes });
                stamped.push(is_stamped);
            })?;
        }
        if records.is_empty() && self.rounds.is_empty() {
            return Ok(0);
        }
        self.journal.write_all(&records);
        let mut fresh = Vec::with_capacity(records.len());
        let mut unstamped_tcp = false;
        for (record, stamped) in records.into_iter().zip(stamped) {
            let Record::Frame { tap, egress, at, length, bytes } = record else { continue };
            let packet = Packet::read(&bytes, length);
            unstamped_tcp |= !stamped && matches!(packet, Packet::Tcp(_));
            fresh.push(Observation { tap: usize::from(tap), egress, at, packet });
        }
        let oldest = fresh.iter().map(|observation| observation.at).min();
        let lost = self.lost()?;
        let mut knowledge = self.shared.knowledge();
        if let Some(oldest) = oldest {
            stall::note(oldest, began);
        }
        if unstamped_tcp {
            knowledge.trouble.get_or_insert_with(|| {
                "the kernel did not stamp some frames: their order is not known".to_owned()
            });
        }
        if let Some(lost) = lost {
            knowledge.trouble.get_or_insert(lost);
        }
        let trace = &mut knowledge.trace;
        let fresh = fresh.into_iter().map(|observation| {
            let departs = trace.taps()[observation.tap].departs(observation.egress);
            (observation.at, !departs, observation)
        });
        let released = self.rounds.close(fresh.collect());
        let count = released.len();
        for observation in released {
            trace.see(observation);
        }
        Ok(count)
    }

    /// What the kernel dropped, in words.
    fn lost(&self) -> Result<Option<String>> {
        for (i, tap) in self.taps.iter().enumerate() {
            let drops = tap.drops()?;
            if drops > 0 {
                let knowledge = self.shared.knowledge();
                let TapInfo { host, name, .. } = &knowledge.trace.taps()[i];
                let text = format!("tap {name} of host {host} lost {drops} frames");
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// Waits for frames or to be woken, and notes how late each nap on the way ended.
    fn sleep(&mut self) -> Result {
        let fds = self.taps.iter().map(AsFd::as_fd).chain([self.wakeups.as_fd()]);
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let timeout = match stall::clock_jumps() {
            true => PollTimeout::NONE,
            false => PollTimeout::try_from(NAP).unwrap_or(PollTimeout::MAX),
        };
        loop {
            let began = Instant::now();
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context(|| "wait for frames".to_owned()),
                Ok(0) => stall::late_by(began.elapsed().saturating_sub(NAP)),
                Ok(_) => break,
            }
        }
        let woken = fds.last().and_then(PollFd::any).unwrap_or(false);
        drop(fds);
        if woken {
            // The pipe has something, so this does not block.
            let mut taken = [0; 256];
            let _ =
                self.wakeups.read(&mut taken).context(|| "read the observer's pipe".to_owned())?;
        }
        Ok(())
    }

    /// Leaves a reason for everyone who waits, now or later.
    fn give_up(self, error: &Error) -> Vec<Tap> {
        self.shared.knowledge().trouble.get_or_insert_with(|| error.to_string());
        self.shared.news.send_modify(|settled| *settled = u64::MAX);
        self.taps
    }
}
