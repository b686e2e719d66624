//! The case's end of the conversation with one agent.

use std::{
    collections::HashMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::errno::Errno;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
};

use super::protocol::{FromAgent, Op, Order, Received, Value, receive, send};
use crate::{
    error::{Context, Error, Result},
    stamp::Stamp,
    sys::inside,
    wire::{Journal, Record},
};

/// How a call came out, as the agent told it.
#[derive(Debug)]
pub struct Ended {
    pub began: Stamp,
    pub ended: Stamp,
    pub took: Duration,
    pub signals: u32,
    pub answer: std::result::Result<Value, i32>,
}

/// What the case waits for after an order.
pub struct Answers {
    pub began: oneshot::Receiver<(i32, Stamp)>,
    pub ended: oneshot::Receiver<Ended>,
}

struct Waiter {
    thread: String,
    text: String,
    call: u64,
    began: Option<oneshot::Sender<(i32, Stamp)>>,
    ended: oneshot::Sender<Ended>,
}

/// A channel to one agent; clones share it.
#[derive(Clone)]
pub struct Talk(Arc<Inner>);

struct Inner {
    host: String,
    process: String,
    channel: AsyncFd<OwnedFd>,
    journal: Journal,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    gone: bool,
    calls: HashMap<u64, Waiter>,
}

/// Names calls in the journal, across all processes of a case.
static CALLS: AtomicU64 = AtomicU64::new(1);

impl Talk {
    /// Begins listening; comes back when the agent has said it is up.
    pub async fn begin(
        channel: OwnedFd,
        host: &str,
        process: &str,
        journal: Journal,
    ) -> Result<Self> {
        let context = || format!("start process {process} on host {host}");
        let channel = inside::watch(channel, Interest::READABLE).context(context)?;
        let talk = Self(Arc::new(Inner {
            host: host.to_owned(),
            process: process.to_owned(),
            channel,
            journal,
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
        }));
        let (ready, up) = oneshot::channel();
        tokio::spawn(talk.clone().listen(ready));
        up.await.map_err(|_| Error::system(context(), "it ended before it was up"))?;
        Ok(talk)
    }

    /// Whether a thread has come back from every call it was given.
    ///
    /// # Errors
    /// It has not, and `what` would wait for that, maybe for ever.
    pub fn is_free(&self, thread: &str, what: &str) -> Result {
        let waiting = self.waiting();
        let Some(busy) = waiting.calls.values().find(|call| call.thread == thread) else {
            return Ok(());
        };
        let Inner { host, process, .. } = &*self.0;
        Err(Error::usage(format!(
            "thread {thread} of {host}/{process} is still in {}: make {what} on another (.on) \
             or let it wait its turn (.queued)",
            busy.text
        )))
    }

    /// Gives an order.
    pub async fn order(
        &self,
        thread: &str,
        op: Op,
        text: String,
        carried: Option<BorrowedFd<'_>>,
    ) -> Result<Answers> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (began, has_begun) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let waiter = Waiter {
            thread: thread.to_owned(),
            text,
            call: CALLS.fetch_add(1, Ordering::Relaxed),
            began: Some(began),
            ended,
        };
        {
            let mut waiting = self.waiting();
            if waiting.gone {
                return Err(self.ended_already());
            }
            waiting.calls.insert(id, waiter);
        }
        let order = Order { id, thread: thread.to_owned(), op };
        // Agents always listen, so this blocks for no longer than it takes them to catch up.
        let channel = self.0.channel.get_ref().as_fd();
        send(channel, &order, carried).map_err(|_| self.ended_already())?;
        Ok(Answers { began: has_begun, ended: has_ended })
    }

    fn ended_already(&self) -> Error {
        let Inner { host, process, .. } = &*self.0;
        Error::usage(format!("process {process} on host {host} has ended and takes no more calls"))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.waiting.lock().expect("no holder of this lock panics")
    }

    async fn listen(self, ready: oneshot::Sender<()>) {
        let mut ready = Some(ready);
        let mut buffer = Vec::new();
        'live: while let Ok(mut guard) = self.0.channel.readable().await {
            loop {
                let channel = self.0.channel.get_ref().as_fd();
                match receive(channel, &mut buffer, false) {
                    Ok(Received::Message(FromAgent::Ready, _)) => {
                        ready.take().map(|ready| ready.send(()));
                    }
                    Ok(Received::Message(word, _)) => self.heard(word),
                    Ok(Received::Nothing) => {
                        guard.clear_ready();
                        break;
                    }
                    Ok(Received::Closed) | Err(_) => break 'live,
                }
            }
        }
        let mut waiting = self.waiting();
        waiting.gone = true;
        waiting.calls.clear();
    }

    fn heard(&self, word: FromAgent) {
        match word {
            FromAgent::Ready => {}
            FromAgent::Began { id, thread, at } => {
                let mut waiting = self.waiting();
                let Some(waiter) = waiting.calls.get_mut(&id) else { return };
                let Inner { host, process, journal, .. } = &*self.0;
                journal.write(&Record::Call {
                    id: waiter.call,
                    host: host.clone(),
                    process: process.clone(),
                    thread: waiter.thread.clone(),
                    text: waiter.text.clone(),
                    began: at,
                });
                if let Some(began) = waiter.began.take() {
                    let _ = began.send((thread, at));
                }
            }
            FromAgent::Ended { id, began, ended, took_ns, signals, answer } => {
                let Some(waiter) = self.waiting().calls.remove(&id) else { return };
                let result = show(&answer, signals);
                self.0.journal.write(&Record::Return { id: waiter.call, ended, result });
                let took = Duration::from_nanos(took_ns);
                let _ = waiter.ended.send(Ended { began, ended, took, signals, answer });
            }
        }
    }
}

/// An answer as a person reads it.
pub fn show(answer: &std::result::Result<Value, i32>, signals: u32) -> String {
    let text = match answer {
        Ok(Value::Number(n)) => n.to_string(),
        Ok(Value::Bytes(bytes)) if bytes.is_empty() => "0 (end of file)".to_owned(),
        Ok(Value::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= 24 && !text.contains(|c: char| c.is_control()) => {
                format!("{} {text:?}", bytes.len())
            }
            _ => format!("{} bytes", bytes.len()),
        },
        Ok(Value::Address(address)) => address.to_string(),
        Ok(Value::Events(events)) => super::Events(*events).to_string(),
        Ok(Value::Ready { read, write, except }) => {
            let set = [(*read, "readable"), (*write, "writable"), (*except, "exceptional")];
            let set: Vec<_> = set.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
            if set.is_empty() { "nothing ready".to_owned() } else { set.join("+") }
        }
        Ok(Value::Drained { bytes, intact, error }) => {
            let end =
                error.map_or("end of file".to_owned(), |e| format!("{:?}", Errno::from_raw(e)));
            let torn = if *intact { "" } else { ", not the bytes that were sent" };
            format!("{bytes} bytes, then {end}{torn}")
        }
        Err(errno) => format!("-1 {:?}", Errno::from_raw(*errno)),
    };
    if signals > 0 { format!("{text}, signal raised") } else { text }
}
