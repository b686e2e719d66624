//! A system call that a case orders: awaited, or started and watched.

use std::{
    future::IntoFuture,
    pin::Pin,
    time::{Duration, Instant},
};

use nix::{errno::Errno, sys::signal::Signal};
use tokio::sync::oneshot;

use super::{
    protocol::{Ended, What},
    subject::Process,
    syscall::{Op, Syscall, Weight},
    talk::{Answers, Done, Talk, shown_as},
};
use crate::{
    error::{Error, Result},
    stamp::Stamp,
    sys::codec::{self, Bytes},
    sys::pending,
    verdict::Outcome,
};

/// Gives a call's order: [`Talk::order`] for the type of its answer.
type Give = fn(&Talk, What, String, Option<std::os::fd::BorrowedFd<'_>>) -> Result<Answers>;

/// Makes what the case asked for of a value as it was sent.
type FromValue<T> = Box<dyn FnOnce(&Process, &[u8]) -> Result<T> + Send>;

/// Turns how a call came out into what the case asked for, and into what a ladder says.
struct Reader<T> {
    value: FromValue<T>,
    shown: fn(&Ended) -> String,
}

type Answering<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A call not yet made. Await it for its [`Outcome`], or use one of the shorter forms.
#[must_use = "a call happens when it is awaited or started"]
pub struct Call<T> {
    process: Process,
    thread: String,
    op: Op,
    weight: Weight,
    what: String,
    queued: bool,
    give: Give,
    read: Reader<T>,
}

impl<T: Send + 'static> Call<T> {
    /// A call in this process. `read` makes what the case asked for of what the kernel answered.
    pub(super) fn new<C: Syscall>(
        process: &Process,
        call: C,
        read: impl FnOnce(&Process, C::Answer) -> Result<T> + Send + 'static,
    ) -> Self {
        let value = |process: &Process, bytes: &[u8]| read(process, codec::decode(bytes)?);
        Self {
            process: process.clone(),
            thread: "main".to_owned(),
            weight: call.weight(),
            what: call.to_string(),
            op: call.into(),
            queued: false,
            give: Talk::order::<C::Answer>,
            read: Reader { value: Box::new(value), shown: shown_as::<C::Answer> },
        }
    }

    /// Makes the call on another thread of the process, which is started when first named.
    pub fn on(mut self, thread: &str) -> Self {
        thread.clone_into(&mut self.thread);
        self
    }

    /// Lets the call wait its turn behind one that its thread has not come back from. Without
    /// this, such a call is a mistake of the case.
    pub fn queued(mut self) -> Self {
        self.queued = true;
        self
    }

    /// Says what the call is in words of its own, where the raw form says too little.
    pub(super) fn called(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// Begins the call and comes back once its thread is about to enter the kernel.
    ///
    /// # Errors
    /// The process is gone, the thread is still in another call, or the call moves more bytes than
    /// the process can hold: then nothing has happened.
    pub async fn start(self) -> Result<Pending<T>> {
        let Self { process, thread, op, weight, what, queued, give, read } = self;
        let talk = process.talk();
        if !queued {
            talk.is_free(&thread, &what)?;
        }
        process.admits(weight, &what)?;
        let Answers { began, mut ended } =
            give(&talk, What::Call { thread, op }, what.clone(), None)?;
        let what = format!("{}: {what}", process.name());
        let Ok((thread, began)) = began.await else {
            return Err(match ended.try_recv() {
                Ok(Err(why)) => not_made(&what, &why),
                _ => process.gone(&what),
            });
        };
        Ok(Pending { process, what, thread, began, ended, early: None, read })
    }

    /// Begins the call and waits until its thread sleeps inside it.
    ///
    /// # Errors
    /// It returned instead, or did not begin ([`Self::start`]).
    pub async fn blocks(self) -> Result<Pending<T>>
    where
        T: std::fmt::Debug,
    {
        self.start().await?.blocked().await
    }

    /// The value, the call being expected to succeed.
    ///
    /// # Errors
    /// It failed, or the process is gone.
    pub async fn ok(self) -> Result<T> {
        self.await?.ok()
    }

    /// The outcome, the call being expected to fail with this errno.
    ///
    /// # Errors
    /// It succeeded, failed otherwise, or the process is gone.
    pub async fn errno(self, expected: Errno) -> Result<Outcome<T>>
    where
        T: std::fmt::Debug,
    {
        self.await?.errno(expected)
    }
}

impl Call<Vec<u8>> {
    /// The outcome, the read being expected to meet the end of file.
    ///
    /// # Errors
    /// It brought bytes, failed, or the process is gone.
    pub async fn eof(self) -> Result<Outcome<Vec<u8>>> {
        self.await?.eof()
    }

    /// The outcome, the read being expected to bring exactly these bytes.
    ///
    /// # Errors
    /// It brought others, failed, or the process is gone.
    pub async fn bytes(self, expected: &[u8]) -> Result<Outcome<Vec<u8>>> {
        self.await?.bytes(expected)
    }
}

impl<T: Send + 'static> IntoFuture for Call<T> {
    type Output = Result<Outcome<T>>;
    type IntoFuture = Answering<Outcome<T>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.start().await?.done().await })
    }
}

/// A call that has begun and may be blocked in the kernel.
#[must_use = "a started call has an outcome to look at"]
pub struct Pending<T> {
    process: Process,
    what: String,
    thread: i32,
    began: Stamp,
    ended: oneshot::Receiver<Done>,
    early: Option<Done>,
    read: Reader<T>,
}

impl<T: Send + std::fmt::Debug + 'static> Pending<T> {
    /// When the call was made.
    #[must_use]
    pub fn began(&self) -> Stamp {
        self.began
    }

    /// Waits until the thread sleeps inside the call.
    ///
    /// # Errors
    /// The call returned instead, or is still computing after five seconds.
    pub async fn blocked(mut self) -> Result<Self> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.process.sleeps_in_call(self.thread) {
            if self.returned() {
                return Err(self.unexpected("blocks").await);
            }
            if Instant::now() > deadline {
                let seen = "still running after 5 s";
                return Err(Error::mismatch(self.what, "blocks in the kernel", seen));
            }
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        Ok(self)
    }

    /// Waits for `period` and expects the call not to return meanwhile.
    ///
    /// # Errors
    /// It returned.
    pub async fn stays_blocked(mut self, period: Duration) -> Result<Self> {
        match tokio::time::timeout(period, &mut self.ended).await {
            Err(_) => Ok(self),
            Ok(Ok(ended)) => {
                self.early = Some(ended);
                Err(self.unexpected(&format!("blocks for {period:?}")).await)
            }
            Ok(Err(_)) => Err(self.process.gone(&self.what)),
        }
    }

    /// Sends a signal to the thread that makes the call. One sent to the process is taken by
    /// whichever thread is at hand, which is seldom this one (`kernel/signal.c`,
    /// `complete_signal`).
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(self, signal: Signal) -> Result<Self> {
        let Self { process, what, thread, .. } = &self;
        process.note(format!("{signal} to {what}"));
        process.signal_thread(*thread, signal)?;
        Ok(self)
    }

    fn returned(&mut self) -> bool {
        if self.early.is_none() {
            self.early = self.ended.try_recv().ok();
        }
        self.early.is_some()
    }

    async fn unexpected(self, expected: &str) -> Error {
        match self.done().await {
            Ok(outcome) => outcome.unlike(expected),
            Err(error) => error,
        }
    }
}

impl<T> Pending<T> {
    /// Waits for the call to return. What bounds the wait is the case's time limit.
    ///
    /// # Errors
    /// The process ended before the call did.
    pub async fn done(self) -> Result<Outcome<T>> {
        let Self { process, what, ended, early, read, .. } = self;
        let ended = match early {
            Some(ended) => ended,
            None => {
                let _wait = pending::wait(what.clone());
                ended.await.map_err(|_| process.gone(&what))?
            }
        };
        let ended = ended.map_err(|why| not_made(&what, &why))?;
        let shown = (read.shown)(&ended);
        let Ended { began, ended, took_ns, signals, answer } = ended;
        let answer = match answer {
            Ok(Bytes(value)) => Ok((read.value)(&process, &value)?),
            Err(errno) => Err(Errno::from_raw(errno)),
        };
        let took = Duration::from_nanos(took_ns);
        Ok(Outcome { what, answer, shown, began, ended, took, signals })
    }

    /// Waits for the call to return, at most this long.
    ///
    /// # Errors
    /// It is still blocked then, or the process ended.
    pub async fn done_within(self, limit: Duration) -> Result<Outcome<T>> {
        let what = self.what.clone();
        tokio::time::timeout(limit, self.done()).await.unwrap_or_else(|_| {
            Err(Error::mismatch(what, format!("returns within {limit:?}"), "still blocked"))
        })
    }
}

/// What to say of a call that the process did not make.
fn not_made(what: &str, why: &str) -> Error {
    Error::system(what, format!("{why}; nothing has happened"))
}
