//! The agent: a real process on a host that does what a case orders.
//!
//! The main thread listens to the case and hands each order to a named thread, so that one may
//! block in the kernel while another acts. What changes the whole process (fork, exec, exit,
//! death) happens on the main thread itself. The case going away ends the agent.

use std::{
    collections::HashMap,
    ffi::CString,
    os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd},
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use nix::sys::signal::Signal;

use super::{
    perform::perform,
    protocol::{FromAgent, Op, Order, Received, Value, receive, send},
};
use crate::{
    stamp::Stamp,
    sys::{
        calls, inside,
        signals::{self, Disposition},
        spawn,
    },
};

/// The argument with which a lastack binary is started as an agent.
pub const ROLE: &str = "lastack:agent";

/// Runs the agent until its case ends the conversation.
#[must_use]
pub fn agent_main() -> ExitCode {
    let Ok(channel) = spawn::inherited(spawn::CONTROL) else {
        eprintln!("{ROLE} is started by lastack itself, with a control socket");
        return ExitCode::from(2);
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
    serve(Arc::new(channel));
    ExitCode::SUCCESS
}

fn serve(channel: Arc<OwnedFd>) {
    let mut threads: HashMap<String, mpsc::Sender<(u64, Op)>> = HashMap::new();
    let mut buffer = Vec::new();
    say(&channel, &FromAgent::Ready);
    while let Ok(Received::Message(order, carried)) = receive(channel.as_fd(), &mut buffer, true) {
        let Order { id, thread, op } = order;
        match op {
            Op::Adopt => {
                let adopted = carried.map(|fd| i64::from(fd.into_raw_fd()));
                let value = adopted.map(Value::Number).ok_or(libc::EBADF);
                report(&channel, id, || value);
            }
            Op::Fork { container } => {
                let Some(new_channel) = carried else { break };
                if fork(&channel, id, container) {
                    // The parent's channel must not outlive the parent in its child, and the
                    // clones of it in threads that do not exist here never drop.
                    let _ = calls::close(channel.as_raw_fd());
                    std::mem::forget(channel);
                    return serve(Arc::new(new_channel));
                }
            }
            Op::Wait { pid } => report(&channel, id, || wait(pid)),
            Op::Exec { program } => report(&channel, id, || Err(exec(&program, None))),
            Op::Become => {
                let program = ["/proc/self/exe".to_owned(), ROLE.to_owned()];
                report(&channel, id, || Err(exec(&program, carried.as_ref())));
            }
            Op::Exit { .. } | Op::Abort | Op::Crash | Op::Panic => {
                began(&channel, id);
                end(&op);
            }
            op => {
                let sender = threads.entry(thread.clone()).or_insert_with(|| {
                    let (sender, orders) = mpsc::channel();
                    let channel = channel.clone();
                    let work = move || worker(&channel, &orders);
                    let started = thread::Builder::new().name(thread).spawn(work);
                    started.expect("the host can start a thread");
                    sender
                });
                let _ = sender.send((id, op));
            }
        }
    }
}

fn worker(channel: &OwnedFd, orders: &mpsc::Receiver<(u64, Op)>) {
    for (id, op) in orders {
        report(channel, id, || perform(&op).map_err(|errno| errno as i32));
    }
}

/// Does one order and tells the case before and after.
fn report(channel: &OwnedFd, id: u64, call: impl FnOnce() -> Result<Value, i32>) {
    began(channel, id);
    let signals = signals::noted();
    let began = Stamp::now();
    let clock = Instant::now();
    let answer = call();
    let took_ns = clock.elapsed().as_nanos() as u64;
    let ended = Stamp::now();
    let signals = signals::noted() - signals;
    say(channel, &FromAgent::Ended { id, began, ended, took_ns, signals, answer });
}

fn began(channel: &OwnedFd, id: u64) {
    say(channel, &FromAgent::Began { id, thread: calls::thread_id(), at: Stamp::now() });
}

fn say(channel: &OwnedFd, word: &FromAgent) {
    if send(channel.as_fd(), word, None).is_err() {
        // The case is gone and with it everybody who could care.
        std::process::exit(0);
    }
}

/// Forks; true in the child.
fn fork(channel: &OwnedFd, id: u64, container: bool) -> bool {
    let mut child = false;
    let began = Stamp::now();
    let answer = if container { calls::fork_container() } else { calls::fork() };
    let answer = match answer {
        Ok(0) => {
            child = true;
            Ok(Value::Number(0))
        }
        Ok(pid) => Ok(Value::Number(pid.into())),
        Err(errno) => Err(errno as i32),
    };
    if !child {
        let ended = Stamp::now();
        let took_ns = ended.since(began).as_nanos() as u64;
        say(channel, &FromAgent::Ended { id, began, ended, took_ns, signals: 0, answer });
    }
    child
}

fn wait(pid: i32) -> Result<Value, i32> {
    use nix::{sys::wait::WaitStatus, unistd::Pid};
    let raw = match nix::sys::wait::waitpid(Pid::from_raw(pid), None) {
        Ok(WaitStatus::Exited(_, status)) => i64::from(status) << 8,
        Ok(WaitStatus::Signaled(_, signal, _)) => signal as i64,
        Ok(_) => return Err(libc::EAGAIN),
        Err(errno) => return Err(errno as i32),
    };
    Ok(Value::Number(raw))
}

/// Replaces the program; returns only on failure. A channel that is to live on is left where
/// the new program looks for it.
fn exec(program: &[String], keep: Option<&OwnedFd>) -> i32 {
    let words: Result<Vec<CString>, _> =
        program.iter().map(|word| CString::new(word.as_str())).collect();
    let Ok(words) = words else { return libc::EINVAL };
    let Some(path) = words.first().cloned() else { return libc::EINVAL };
    if let Some(channel) = keep
        && let Err(errno) = inside::keep_control(channel.as_raw_fd())
    {
        return errno as i32;
    }
    calls::exec(&path, &words) as i32
}

fn end(op: &Op) -> ! {
    match op {
        Op::Abort => std::process::abort(),
        Op::Crash => inside::crash(),
        Op::Panic => panic!("a case ordered this panic"),
        Op::Exit { status } => std::process::exit(*status),
        _ => unreachable!("only endings get here"),
    }
}
