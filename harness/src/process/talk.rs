//! The case's end of the conversation with one agent.

use std::{
    collections::HashMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::errno::Errno;
use serde::de::DeserializeOwned;
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
};

use super::{
    answer::Show,
    protocol::{Ended, FromAgent, Order, What, Whole},
};
use crate::{
    error::{Context, Error, Result},
    stamp::Stamp,
    sys::{
        codec::{self, Bytes, Received},
        inside, seqpacket,
    },
    wire::{Journal, Record},
};

/// What the case waits for after an order.
pub struct Answers {
    pub began: oneshot::Receiver<(i32, Stamp)>,
    pub ended: oneshot::Receiver<Done>,
}

/// How an order came out; or why it was not carried out, and nothing has happened.
pub type Done = std::result::Result<Ended, String>;

/// How the answer to an order reads in a ladder.
type Reading = fn(&Bytes) -> String;

struct Waiter {
    /// The thread that was given the order; none for the agent's own.
    thread: Option<String>,
    text: String,
    call: u64,
    shown: Reading,
    began: Option<oneshot::Sender<(i32, Stamp)>>,
    ended: oneshot::Sender<Done>,
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
    /// Why the agent could not go on, if it has said so.
    trouble: Option<String>,
    calls: HashMap<u64, Waiter>,
}

/// Names calls in the journal, across all processes of a case.
static CALLS: AtomicU64 = AtomicU64::new(1);

/// The name in a ladder of the thread that carries out orders to the process as a whole.
const WHOLE: &str = "process";

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
        let in_use = |call: &&Waiter| call.thread.as_deref() == Some(thread);
        let Some(busy) = waiting.calls.values().find(in_use) else {
            return Ok(());
        };
        let Inner { host, process, .. } = &*self.0;
        Err(Error::usage(format!(
            "thread {thread} of {host}/{process} is still in {}: make {what} on another (.on) \
             or let it wait its turn (.queued)",
            busy.text
        )))
    }

    /// Gives an order whose answer is an `A`.
    pub fn order<A: Show + DeserializeOwned>(
        &self,
        what: What,
        text: String,
        carried: Option<BorrowedFd<'_>>,
    ) -> Result<Answers> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let context = text.clone();
        let (began, has_begun) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let thread = match &what {
            What::Call { thread, .. } => Some(thread.clone()),
            What::Whole(_) => None,
        };
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let (shown, began) = (reading::<A> as Reading, Some(began));
        {
            let mut waiting = self.waiting();
            if waiting.gone {
                return Err(self.ended_already(waiting.trouble.as_deref()));
            }
            waiting.calls.insert(id, Waiter { thread, text, call, shown, began, ended });
        }
        // Agents always listen, so this blocks for no longer than it takes them to catch up.
        let channel = self.0.channel.get_ref().as_fd();
        if let Err(error) = codec::send(channel, &Order { id, what }, carried.as_slice()) {
            let mut waiting = self.waiting();
            waiting.calls.remove(&id);
            if seqpacket::is_closed(channel) {
                return Err(self.ended_already(waiting.trouble.as_deref()));
            }
            let Inner { host, process, .. } = &*self.0;
            return Err(error).context(|| format!("order {host}/{process} to {context}"));
        }
        Ok(Answers { began: has_begun, ended: has_ended })
    }

    /// Gives an order to the process as a whole, whose answer is a number.
    pub fn order_whole(
        &self,
        whole: Whole,
        text: Option<String>,
        carried: Option<BorrowedFd<'_>>,
    ) -> Result<Answers> {
        let text = text.unwrap_or_else(|| whole.to_string());
        self.order::<i32>(What::Whole(whole), text, carried)
    }

    /// Why the agent could not go on, if it has said so.
    pub fn trouble(&self) -> Option<String> {
        self.waiting().trouble.clone()
    }

    fn ended_already(&self, trouble: Option<&str>) -> Error {
        let Inner { host, process, .. } = &*self.0;
        match trouble {
            Some(why) => Error::system(format!("keep process {process} on host {host}"), why),
            None => Error::usage(format!(
                "process {process} on host {host} has ended and takes no more calls"
            )),
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.waiting.lock().expect("no holder of this lock panics")
    }

    async fn listen(self, ready: oneshot::Sender<()>) {
        let mut ready = Some(ready);
        let mut buffer = Vec::new();
        let trouble = 'live: loop {
            let Ok(mut guard) = self.0.channel.readable().await else { break None };
            loop {
                let channel = self.0.channel.get_ref().as_fd();
                match codec::receive(channel, &mut buffer, false) {
                    Ok(Received::Message(FromAgent::Ready, _)) => {
                        ready.take().map(|ready| ready.send(()));
                    }
                    Ok(Received::Message(FromAgent::Trouble(why), _)) => break 'live Some(why),
                    Ok(Received::Message(word, _)) => self.heard(word),
                    Ok(Received::Nothing) => {
                        guard.clear_ready();
                        break;
                    }
                    Ok(Received::Closed) => break 'live None,
                    Err(error) => break 'live Some(error.to_string()),
                }
            }
        };
        let mut waiting = self.waiting();
        waiting.gone = true;
        waiting.trouble = trouble;
        waiting.calls.clear();
    }

    fn heard(&self, word: FromAgent) {
        match word {
            FromAgent::Ready | FromAgent::Trouble(_) => {}
            FromAgent::Began { id, thread, at } => {
                let mut waiting = self.waiting();
                let Some(waiter) = waiting.calls.get_mut(&id) else { return };
                let Inner { host, process, journal, .. } = &*self.0;
                journal.write(&Record::Call {
                    id: waiter.call,
                    host: host.clone(),
                    process: process.clone(),
                    thread: waiter.thread.clone().unwrap_or_else(|| WHOLE.to_owned()),
                    text: waiter.text.clone(),
                    began: at,
                });
                if let Some(began) = waiter.began.take() {
                    let _ = began.send((thread, at));
                }
            }
            FromAgent::Ended { id, ended } => {
                let Some(waiter) = self.waiting().calls.remove(&id) else { return };
                let result = shown(&ended, waiter.shown);
                self.0.journal.write(&Record::Return {
                    id: waiter.call,
                    ended: ended.ended,
                    result,
                });
                let _ = waiter.ended.send(Ok(ended));
            }
            FromAgent::NotMade { id, why } => {
                let Some(waiter) = self.waiting().calls.remove(&id) else { return };
                let (ended, result) = (Stamp::now(), format!("not made: {why}"));
                self.0.journal.write(&Record::Return { id: waiter.call, ended, result });
                let _ = waiter.ended.send(Err(why));
            }
        }
    }
}

fn reading<A: Show + DeserializeOwned>(Bytes(bytes): &Bytes) -> String {
    codec::decode::<A>(bytes).map_or_else(|error| error.to_string(), |answer| answer.show())
}

/// An answer as a person reads it.
pub fn shown_as<A: Show + DeserializeOwned>(ended: &Ended) -> String {
    shown(ended, reading::<A>)
}

fn shown(ended: &Ended, reading: Reading) -> String {
    let text = match &ended.answer {
        Ok(value) => reading(value),
        Err(errno) => format!("-1 {:?}", Errno::from_raw(*errno)),
    };
    if ended.signals > 0 { format!("{text}, signal raised") } else { text }
}
