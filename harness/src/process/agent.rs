//! The agent: a real process on a host that does what a case orders.
//!
//! The main thread listens to the case and hands each order to a named thread, so that one may
//! block in the kernel while another acts. What changes the whole process (fork, exec, exit,
//! death) happens on the main thread itself. The case going away ends the agent.

use std::{
    collections::{HashMap, hash_map::Entry},
    ffi::CString,
    os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd},
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use nix::sys::signal::Signal;

use super::{
    perform::Failed,
    protocol::{End, Ended, FromAgent, Op, Order, What, Whole},
};
use crate::{
    error::Error,
    stamp::Stamp,
    sys::{
        calls,
        codec::{self, Bytes, Received},
        inside, seqpacket,
        signals::{self, Disposition},
        spawn,
    },
};

/// The argument with which a lastack binary is started as an agent.
pub const ROLE: &str = "lastack:agent";

/// The exit status of an agent that cannot go on. It says why to the case and on standard error.
const TROUBLE: u8 = 3;

/// Runs the agent until its case ends the conversation, in a program that was executed for it.
#[must_use]
pub fn agent_main() -> ExitCode {
    ExitCode::from(run())
}

/// Runs the agent until its case ends the conversation; gives the status to exit with.
pub(super) fn run() -> u8 {
    let Ok(channel) = spawn::inherited(spawn::CONTROL) else {
        eprintln!("{ROLE} is started by lastack itself, with a control socket");
        return 2;
    };
    // Rust's runtime handles these to explain stack overflows, and swallows one sent by kill(2).
    for signal in [Signal::SIGSEGV, Signal::SIGBUS] {
        let default = signals::dispose(signal, Disposition::Default);
        default.expect("a fault can have its default");
    }
    // A case is told of every SIGPIPE, as part of the call that raised it; it may ask for the
    // default or for ignorance instead.
    let handled = signals::dispose(Signal::SIGPIPE, Disposition::Handle);
    handled.expect("SIGPIPE can be handled");
    serve(Arc::new(channel))
}

fn serve(channel: Arc<OwnedFd>) -> u8 {
    let mut threads = HashMap::new();
    let mut buffer = Vec::new();
    say(&channel, &FromAgent::Ready);
    loop {
        let (Order { id, what }, carried) = match codec::receive(channel.as_fd(), &mut buffer, true)
        {
            Ok(Received::Message(order, carried)) => (order, carried.into_iter().next()),
            Ok(Received::Closed | Received::Nothing) => return 0,
            Err(error) => {
                complain(&channel, &error);
                return TROUBLE;
            }
        };
        match what {
            What::Call { thread, op } => {
                if let Err(error) = hand_over(&channel, &mut threads, thread, (id, op)) {
                    let why = format!("start a thread: {error}");
                    say(&channel, &FromAgent::NotMade { id, why });
                }
            }
            What::Whole(Whole::Fork { container }) => {
                let Some(new_channel) = carried else {
                    let why = "no channel for the child came with the order".to_owned();
                    say(&channel, &FromAgent::NotMade { id, why });
                    continue;
                };
                if fork(&channel, id, container) {
                    // The parent's channel must not outlive the parent in its child, and the
                    // clones of it in threads that do not exist here never drop.
                    let _ = calls::close(channel.as_raw_fd());
                    std::mem::forget(channel);
                    return serve(Arc::new(new_channel));
                }
            }
            What::Whole(Whole::Adopt) => report(&channel, id, || {
                let adopted = carried.ok_or_else(|| Failed::NotMade("none came".to_owned()))?;
                encoded(&adopted.into_raw_fd())
            }),
            What::Whole(Whole::Wait { pid, collect }) => {
                report(&channel, id, || encoded(&wait(pid, collect)?));
            }
            What::Whole(Whole::Exec { program }) => {
                report(&channel, id, || Err(exec(&program, None)));
            }
            What::Whole(Whole::Become) => {
                let program = ["/proc/self/exe".to_owned(), ROLE.to_owned()];
                report(&channel, id, || Err(exec(&program, carried.as_ref())));
            }
            What::Whole(Whole::End(how)) => {
                began(&channel, id);
                end(how);
            }
        }
    }
}

/// The orders of one thread, by number.
type Orders = mpsc::Sender<(u64, Op)>;

/// Lets the thread of this name make a call; it is started when first named.
fn hand_over(
    channel: &Arc<OwnedFd>,
    threads: &mut HashMap<String, Orders>,
    thread: String,
    order: (u64, Op),
) -> std::io::Result<()> {
    let sender = match threads.entry(thread) {
        Entry::Occupied(there) => there.into_mut(),
        Entry::Vacant(free) => {
            let (sender, orders) = mpsc::channel();
            let channel = channel.clone();
            let work = move || worker(&channel, &orders);
            thread::Builder::new().name(free.key().clone()).spawn(work)?;
            free.insert(sender)
        }
    };
    sender.send(order).map_err(|_| std::io::Error::other("it has panicked"))
}

fn worker(channel: &OwnedFd, orders: &mpsc::Receiver<(u64, Op)>) {
    for (id, op) in orders {
        report(channel, id, || op.make());
    }
}

/// Does one order and tells the case before and after.
fn report(channel: &OwnedFd, id: u64, call: impl FnOnce() -> Result<Vec<u8>, Failed>) {
    began(channel, id);
    let signals = signals::noted();
    let began = Stamp::now();
    let clock = Instant::now();
    let answer = call();
    let took_ns = clock.elapsed().as_nanos() as u64;
    let ended = Stamp::now();
    let signals = signals::noted() - signals;
    let answer = match answer {
        Ok(value) => Ok(Bytes(value)),
        Err(Failed::Errno(errno)) => Err(errno as i32),
        Err(Failed::NotMade(why)) => return say(channel, &FromAgent::NotMade { id, why }),
    };
    let ended = Ended { began, ended, took_ns, signals, answer };
    say(channel, &FromAgent::Ended { id, ended });
}

fn began(channel: &OwnedFd, id: u64) {
    say(channel, &FromAgent::Began { id, thread: calls::thread_id(), at: Stamp::now() });
}

fn say(channel: &OwnedFd, word: &FromAgent) {
    let Err(error) = codec::send(channel.as_fd(), word, &[]) else { return };
    if seqpacket::is_closed(channel.as_fd()) {
        // The case is gone and with it everybody who could care.
        std::process::exit(0);
    }
    complain(channel, &error);
    std::process::exit(TROUBLE.into());
}

/// Says why the agent cannot go on, so that nobody takes its end for one that a case asked for.
fn complain(channel: &OwnedFd, error: &Error) {
    eprintln!("{ROLE}: {error}");
    let _ = codec::send(channel.as_fd(), &FromAgent::Trouble(error.to_string()), &[]);
}

fn encoded(value: &i32) -> Result<Vec<u8>, Failed> {
    codec::encode(value).map_err(|error| Failed::NotMade(error.to_string()))
}

/// Forks; true in the child.
fn fork(channel: &OwnedFd, id: u64, container: bool) -> bool {
    let began = Stamp::now();
    let answer = if container { calls::fork_container() } else { calls::fork() };
    if answer == Ok(0) {
        return true;
    }
    let ended = Stamp::now();
    let took_ns = ended.since(began).as_nanos() as u64;
    let answer = match answer.map_err(Failed::from).and_then(|pid| encoded(&pid)) {
        Ok(pid) => Ok(Bytes(pid)),
        Err(Failed::Errno(errno)) => Err(errno as i32),
        Err(Failed::NotMade(why)) => {
            say(channel, &FromAgent::NotMade { id, why });
            return false;
        }
    };
    let ended = Ended { began, ended, took_ns, signals: 0, answer };
    say(channel, &FromAgent::Ended { id, ended });
    false
}

/// The wait status of a child, as `waitpid(2)` gives it.
fn wait(pid: i32, collect: bool) -> Result<i32, Failed> {
    use nix::sys::wait::WaitStatus::{Exited, Signaled};
    match calls::wait_for_child(pid, collect)? {
        Exited(_, status) => Ok(status << 8),
        Signaled(_, signal, _) => Ok(signal as i32),
        other => Err(Failed::NotMade(format!("{other:?} is no end"))),
    }
}

/// Replaces the program; returns only on failure. A channel that is to live on is left where
/// the new program looks for it.
fn exec(program: &[String], keep: Option<&OwnedFd>) -> Failed {
    let words: Result<Vec<CString>, _> =
        program.iter().map(|word| CString::new(word.as_str())).collect();
    let Ok(words) = words else {
        return Failed::NotMade("an argument holds a NUL byte".to_owned());
    };
    let Some(path) = words.first() else {
        return Failed::NotMade("no program was named".to_owned());
    };
    if let Some(channel) = keep
        && let Err(errno) = inside::keep_control(channel.as_raw_fd())
    {
        return errno.into();
    }
    calls::exec(path, &words).into()
}

fn end(how: End) -> ! {
    match how {
        End::Abort => std::process::abort(),
        End::Crash => inside::crash(),
        End::Panic => panic!("a case ordered this panic"),
        End::Exit(status) => std::process::exit(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent on a thread of the test, that has said it is up.
    fn agent() -> (OwnedFd, thread::JoinHandle<u8>) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let serving = thread::spawn(|| serve(Arc::new(theirs)));
        assert_eq!(hear(&ours), Some(FromAgent::Ready));
        (ours, serving)
    }

    fn hear(channel: &OwnedFd) -> Option<FromAgent> {
        match codec::receive(channel.as_fd(), &mut Vec::new(), true).unwrap() {
            Received::Message(word, _) => Some(word),
            Received::Closed => None,
            Received::Nothing => panic!("it was waited for"),
        }
    }

    #[test]
    fn an_agent_that_does_not_understand_an_order_says_so() {
        for noise in [&[0xff; 9][..], &[0, 0xff, 0xff]] {
            let (channel, serving) = agent();
            seqpacket::send(channel.as_fd(), &[noise], &[]).unwrap();
            let said = hear(&channel);
            let Some(FromAgent::Trouble(why)) = said else { panic!("{said:?}") };
            assert!(why.contains("understand"), "{why}");
            assert_eq!(serving.join().unwrap(), TROUBLE);
            assert_eq!(hear(&channel), None);
        }
    }

    #[test]
    fn an_agent_ends_with_its_case() {
        let (channel, serving) = agent();
        drop(channel);
        assert_eq!(serving.join().unwrap(), 0);
    }

    #[test]
    fn an_order_that_lacks_its_descriptor_is_not_carried_out() {
        let (channel, _serving) = agent();
        for (id, whole) in [(1, Whole::Fork { container: false }), (2, Whole::Adopt)] {
            let order = Order { id, what: What::Whole(whole) };
            codec::send(channel.as_fd(), &order, &[]).unwrap();
            let refused = std::iter::from_fn(|| hear(&channel))
                .find(|word| !matches!(word, FromAgent::Began { .. }));
            assert!(matches!(refused, Some(FromAgent::NotMade { id: of, .. }) if of == id));
        }
    }
}
