//! The case's end of a guest's serial line.
//!
//! One thread reads the line and sorts what comes: answers to those who asked, messages to the
//! channel of their agent. A channel ends here in an ordinary control socket, so that whoever
//! talks to an agent need not know which kind of host it is on. Nothing waits for the case's
//! runtime, so asking may block the thread that runs it.

use std::{
    collections::HashMap,
    io,
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread,
    time::Duration,
};

use tokio::sync::watch;

use super::{
    protocol::{Answer, Ask, FromGuest, IN_PIECES, INIT, LAST, PIECE},
    wakeup,
};
use crate::{
    error::{Context, Error, Result},
    process::home::{ExitWatch, Started},
    sys::{
        codec::{self, Received, read_frame, write_frame},
        seqpacket,
    },
};

/// How long an answer may take. Answers take a millisecond; a machine that runs many guests on
/// few cores takes longer, and no case waits for this to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line to a running guest.
#[derive(Debug)]
pub(super) struct Line {
    host: String,
    stream: Arc<Mutex<UnixStream>>,
    /// Told of all that is sent.
    wakeup: mpsc::Sender<()>,
    /// Held by who sends a message in pieces: word of each that the guest has taken.
    taken: Mutex<mpsc::Receiver<()>>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    gone: bool,
    taken: Option<mpsc::Sender<()>>,
    next: u32,
    asked: HashMap<u64, mpsc::Sender<Answer>>,
    channels: HashMap<u32, mpsc::Sender<Vec<u8>>>,
    endings: HashMap<i32, watch::Sender<Option<i32>>>,
}

impl Line {
    /// Listens to `stream`, and says over the channel it gives when the guest is up; that hangs up
    /// instead when the guest ends first.
    pub(super) fn begin(host: &str, stream: UnixStream) -> Result<(Arc<Self>, mpsc::Receiver<()>)> {
        let context = || format!("listen to guest {host}");
        let ears = stream.try_clone().context(context)?;
        let (rising, up) = mpsc::channel();
        let (sender, taken) = mpsc::channel();
        let shared = Shared { taken: Some(sender), ..Shared::default() };
        let shared = Arc::new(Mutex::new(shared));
        let sorted = shared.clone();
        let listen = move || listen(ears, &sorted, rising);
        thread::Builder::new().name("guest".to_owned()).spawn(listen).context(context)?;
        let stream = Arc::new(Mutex::new(stream));
        let wakeup = wakeup::watch(Arc::downgrade(&stream))?;
        let line = Self { host: host.to_owned(), stream, wakeup, taken: Mutex::new(taken), shared };
        Ok((Arc::new(line), up))
    }

    /// Asks and waits for the answer.
    pub(super) fn ask(&self, ask: &Ask) -> Result<Answer> {
        let (sender, answers) = mpsc::channel();
        let id = {
            let mut shared = held(&self.shared);
            if shared.gone {
                return Err(Error::usage(format!(
                    "the guest kernel of host {} is gone",
                    self.host
                )));
            }
            shared.next += 1;
            let id = shared.next.into();
            shared.asked.insert(id, sender);
            id
        };
        let context = || format!("ask guest {}", self.host);
        let message = codec::encode(&(id, ask))?;
        self.write(INIT, &message).context(context)?;
        match answers.recv_timeout(PATIENCE) {
            Ok(Answer::Failed(error)) => Err(error.on_host(&self.host)),
            Ok(answer) => Ok(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Error::system(context(), format!("no answer in {} s", PATIENCE.as_secs())))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Error::system(context(), "its kernel ended instead of answering"))
            }
        }
    }

    /// Starts an agent: its control socket, its process id in the guest, and word of its end.
    pub(super) fn start(self: &Arc<Self>, name: &str) -> Result<Started> {
        let context = || format!("start process {name} on host {}", self.host);
        let (ours, theirs) = seqpacket::pair()?;
        let inner = Arc::new(ours);
        let (sender, messages) = mpsc::channel::<Vec<u8>>();
        let channel = self.open(sender);
        // A thread each way: one side that is slow to listen must not stop the line.
        let (inward, outward, line) = (inner.clone(), inner, self.clone());
        let deliver = move || {
            while let Ok(message) = messages.recv() {
                if message.is_empty() || codec::send_bytes(inward.as_fd(), &message, &[]).is_err() {
                    break;
                }
            }
            // Closes it for the other thread, too, which holds it as well.
            let _ = nix::sys::socket::shutdown(
                std::os::fd::AsRawFd::as_raw_fd(&*inward),
                nix::sys::socket::Shutdown::Both,
            );
        };
        let collect = move || {
            let mut buffer = Vec::new();
            while let Ok(Received::Message(message, _)) =
                codec::receive_bytes(outward.as_fd(), &mut buffer, true)
            {
                if line.write(channel, message).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().spawn(deliver).context(context)?;
        thread::Builder::new().spawn(collect).context(context)?;
        let ask = Ask::Start { channel, host: self.host.clone(), name: name.to_owned() };
        let Answer::Number(pid) = self.ask(&ask)? else { return Err(self.nonsense(&ask)) };
        let pid = i32::try_from(pid).map_err(|_| self.nonsense(&ask))?;
        let ended: ExitWatch = held(&self.shared)
            .endings
            .entry(pid)
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe();
        Ok(Started { channel: theirs, pid, ended })
    }

    /// Gives what comes over a new channel to `sender`; its number.
    pub(super) fn open(&self, sender: mpsc::Sender<Vec<u8>>) -> u32 {
        let mut shared = held(&self.shared);
        shared.next += 1;
        let channel = shared.next;
        shared.channels.insert(channel, sender);
        channel
    }

    /// Lets go of who listens to a channel.
    pub(super) fn close(&self, channel: u32) {
        held(&self.shared).channels.remove(&channel);
    }

    /// What to say of an answer to another question than the one that was asked.
    pub(super) fn nonsense(&self, ask: &Ask) -> Error {
        Error::system(format!("ask guest {} for {ask:?}", self.host), "another kind of answer")
    }

    /// Sends one message over a channel.
    pub(super) fn write(&self, channel: u32, message: &[u8]) -> io::Result<()> {
        if message.len() <= PIECE {
            return self.write_frame(channel, message);
        }
        let taken = held(&self.taken);
        let mut pieces = message.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() { LAST } else { 0 };
            self.write_frame(channel | IN_PIECES | last, piece)?;
            if last == 0 {
                taken.recv_timeout(PATIENCE).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    fn write_frame(&self, tag: u32, message: &[u8]) -> io::Result<()> {
        let mut stream = held(&self.stream);
        write_frame(&mut *stream, tag, message)?;
        let _ = self.wakeup.send(());
        Ok(())
    }

    /// Hangs up, which lets everything that waits know.
    pub(super) fn hang_up(&self) {
        let _ = held(&self.stream).shutdown(Shutdown::Both);
    }
}

fn listen(mut ears: UnixStream, shared: &Mutex<Shared>, rising: mpsc::Sender<()>) {
    let mut rising = Some(rising);
    while let Ok((channel, message)) = read_frame(&mut ears) {
        if channel != INIT {
            let mut shared = held(shared);
            if let Some(sender) = shared.channels.get(&channel) {
                let over = message.is_empty();
                let _ = sender.send(message);
                if over {
                    shared.channels.remove(&channel);
                }
            }
            continue;
        }
        match codec::decode(&message) {
            Ok(FromGuest::Up) => drop(rising.take().map(|rising| rising.send(()))),
            Ok(FromGuest::Answer(id, answer)) => {
                let asker = held(shared).asked.remove(&id);
                let _ = asker.map(|asker| asker.send(answer));
            }
            Ok(FromGuest::Taken) => {
                held(shared).taken.as_ref().map(|taken| taken.send(()));
            }
            Ok(FromGuest::Ended { pid, status }) => {
                let mut shared = held(shared);
                let ending = shared.endings.entry(pid).or_insert_with(|| watch::Sender::new(None));
                ending.send_replace(Some(status));
            }
            Err(_) => break,
        }
    }
    let mut shared = held(shared);
    shared.gone = true;
    shared.taken = None;
    shared.asked.clear();
    shared.channels.clear();
    shared.endings.clear();
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no holder of this lock panics")
}
