//! A process under test.

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, OnceLock},
};

use nix::{errno::Errno, sys::wait::WaitStatus};

use super::{
    body::{Body, Lost},
    fork_server,
    home::{Home, Started},
    syscall::Weight,
    talk::{Answers, Talk},
};
use crate::{
    error::{Context, Error, Result},
    sys::{
        codec::{self, Bytes},
        seqpacket,
    },
    wire::Record,
};

mod fate;

pub use fate::words;

/// A real process on a host. Clones name the same one.
///
/// It lives until it ends by itself, is made to, or its case is over.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    home: Arc<dyn Home>,
    name: String,
    pid: i32,
    body: Body,
    talk: Mutex<Talk>,
    parent: Option<Process>,
    status: OnceLock<WaitStatus>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Process {
    /// Starts an agent on a host.
    pub(crate) async fn start(home: Arc<dyn Home>, name: &str) -> Result<Self> {
        let context = || format!("start process {name} on host {}", home.name());
        if let Some(kernel) = home.elsewhere()? {
            let Started { channel, pid, ended } = kernel.start(name)?;
            let body = Body::Elsewhere(kernel, ended);
            return Self::attend(home, name, pid, channel, body, None).await;
        }
        let (ours, theirs) = seqpacket::pair()?;
        let netns = home.netns()?;
        let forked = fork_server::fork(home.name(), name, netns.as_fd(), theirs.as_fd());
        let pid = forked.context(context)?;
        drop(theirs);
        home.adopt(pid);
        let body = Body::here(pid).context(context)?;
        Self::attend(home, name, pid, ours, body, None).await
    }

    pub(super) async fn attend(
        home: Arc<dyn Home>,
        name: &str,
        pid: i32,
        channel: OwnedFd,
        body: Body,
        parent: Option<Self>,
    ) -> Result<Self> {
        let talk = Talk::begin(channel, home.name(), name, home.journal().clone()).await?;
        let name = format!("{}/{name}", home.name());
        let (talk, status) = (Mutex::new(talk), OnceLock::new());
        Ok(Self(Arc::new(Inner { home, name, pid, body, talk, parent, status })))
    }

    /// Its name: "host/process".
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its process id, as the case's own PID namespace counts, or the guest kernel it is in.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.0.pid
    }

    /// The machine it runs on.
    pub(crate) fn home(&self) -> &Arc<dyn Home> {
        &self.0.home
    }

    pub(super) fn talk(&self) -> Talk {
        self.0.talk.lock().expect("no holder of this lock panics").clone()
    }

    /// Goes on taking calls over another channel.
    pub(super) fn goes_on_over(&self, talk: Talk) {
        *self.0.talk.lock().expect("no holder of this lock panics") = talk;
    }

    /// Refuses a call that moves more than the process can take.
    pub(super) fn admits(&self, call: Weight, what: &str) -> Result {
        let limit = self.0.body.limit();
        let refuse = |bytes, verb, limit, advice| {
            Err(Error::usage(format!(
                "{}: {what} needs {bytes} bytes {verb} the process, which takes {limit} in one \
                 call; {advice}",
                self.name()
            )))
        };
        if call.held > limit.held {
            return refuse(call.held, "in the memory of", limit.held, "make several calls of it");
        }
        if call.shipped > limit.shipped {
            let advice = "make several calls of it, or write what repeats itself (write_pattern)";
            return refuse(call.shipped, "sent to", limit.shipped, advice);
        }
        Ok(())
    }

    /// Waits for the number that an order to the process as a whole answers.
    pub(super) async fn answer_of(&self, what: &str, order: Answers) -> Result<i32> {
        let context = || format!("{what} in {}", self.name());
        match order.ended.await {
            Err(_) => Err(self.gone(what)),
            Ok(Err(why)) => Err(Error::system(context(), why)),
            Ok(Ok(ended)) => match ended.answer {
                Ok(Bytes(number)) => codec::decode(&number),
                Err(errno) => Err(Error::system(context(), Errno::from_raw(errno))),
            },
        }
    }

    /// What a call says that will have no answer: its channel has closed.
    pub(super) fn gone(&self, what: &str) -> Error {
        if let Some(why) = self.talk().trouble() {
            return Error::system(format!("keep process {}", self.name()), why);
        }
        let fate = match self.0.body.fate(self.0.pid) {
            Lost::Ended(status) => words(status),
            Lost::Lives => "lives on as another program".to_owned(),
            Lost::Collected => {
                self.0.status.get().map_or("ended".to_owned(), |status| words(*status))
            }
            Lost::MachineGone => "died with its machine".to_owned(),
        };
        Error::mismatch(what, "an answer", format!("no answer: the process {fate}"))
    }

    pub(super) fn note(&self, text: String) {
        self.0.home.journal().write(&Record::Note { at: crate::Stamp::now(), text });
    }
}
