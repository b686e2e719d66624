//! The fork server: a process that a case makes first of all, and that forks the case's agents.
//!
//! An agent could be this program executed again, as the case is itself. But to load the program
//! and to start the runtime is nearly all that an agent costs, and a case has two or more. What has
//! been loaded once can be forked; only the case cannot do it: another of its threads may hold a
//! lock in that moment, which nobody in the child would ever let go. So this process has one
//! thread, and does nothing but fork. The agents are the case's own children all the same.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    panic,
    sync::{Mutex, OnceLock},
};

use serde::{Deserialize, Serialize};

use super::agent;
use crate::{
    error::{Error, Result},
    sys::{
        calls,
        codec::{self, Received},
        forked::{self, CommandLine},
        inside::{self, CONTROL},
        netns::Netns,
        seqpacket,
    },
};

/// The server of this case.
static SERVER: OnceLock<Server> = OnceLock::new();

struct Server {
    pid: i32,
    channel: Mutex<OwnedFd>,
}

/// An agent that is wanted; its namespace and its control socket come with this.
#[derive(Serialize, Deserialize)]
struct Wanted {
    host: String,
    process: String,
}

/// The agent's process id, or why there is none.
type Answer = std::result::Result<i32, String>;

/// Makes the server, in a process that has one thread and nothing open yet but what it was started
/// with.
///
/// # Errors
/// The machine is out of processes or memory.
pub(crate) fn start() -> Result {
    let (ours, theirs) = seqpacket::pair()?;
    match calls::fork() {
        Ok(0) => serve(theirs),
        Ok(pid) => {
            let _ = SERVER.set(Server { pid, channel: Mutex::new(ours) });
            Ok(())
        }
        Err(errno) => Err(Error::system("fork the server of agents", errno)),
    }
}

/// The server's process id, if there is one.
pub(crate) fn pid() -> Option<i32> {
    SERVER.get().map(|server| server.pid)
}

/// Has an agent forked, in this namespace and with this control socket; gives its process id.
pub(super) fn fork(
    host: &str,
    process: &str,
    netns: BorrowedFd<'_>,
    control: BorrowedFd<'_>,
) -> Result<i32> {
    let context = || format!("fork an agent for {host}/{process}");
    let server = SERVER.get().ok_or_else(|| {
        Error::usage("only the process of a case starts processes, and this is none")
    })?;
    let channel = server.channel.lock().expect("no holder of this lock panics");
    let wanted = Wanted { host: host.to_owned(), process: process.to_owned() };
    codec::send(channel.as_fd(), &wanted, &[netns, control])?;
    match codec::receive(channel.as_fd(), &mut Vec::new(), true)? {
        Received::Message(Answer::Ok(pid), _) => Ok(pid),
        Received::Message(Answer::Err(why), _) => Err(Error::system(context(), why)),
        _ => Err(Error::system(context(), "the server of agents has ended")),
    }
}

/// Forks what is wanted until the case is gone.
fn serve(channel: OwnedFd) -> ! {
    // Descriptors of the case that stay open here would keep its end from being seen.
    let kept = inside::keep_control(channel.as_raw_fd());
    std::mem::forget(channel);
    forked::close_from(CONTROL + 1);
    let line = CommandLine::find();
    if let Some(line) = &line {
        line.set(&["lastack", "lastack:agents"]);
    }
    let (Ok(()), Ok(home)) = (kept, Netns::current()) else { inside::exit_now() };
    let channel = inside::own(CONTROL);
    let mut buffer = Vec::new();
    loop {
        let Ok(Received::Message(wanted, carried)) =
            codec::receive::<Wanted>(channel.as_fd(), &mut buffer, true)
        else {
            inside::exit_now()
        };
        let answer = match <[OwnedFd; 2]>::try_from(carried) {
            Ok([netns, control]) => one(&home, netns, control, &wanted, line.as_ref()),
            Err(_) => Err("a namespace and a control socket did not come along".to_owned()),
        };
        if codec::send(channel.as_fd(), &answer, &[]).is_err() {
            inside::exit_now()
        }
    }
}

/// Forks one agent.
fn one(
    home: &Netns,
    netns: OwnedFd,
    control: OwnedFd,
    wanted: &Wanted,
    line: Option<&CommandLine>,
) -> Answer {
    let netns = Netns::from_fd(netns);
    netns.enter_for_good().map_err(|error| error.to_string())?;
    let forked = forked::fork_sibling();
    if forked == Ok(0) {
        become_agent(control, wanted, line);
    }
    // Whoever ends all that lives on a host must not find this process there.
    home.enter_for_good().map_err(|error| error.to_string())?;
    forked.map_err(|errno| errno.to_string())
}

/// The life of an agent.
fn become_agent(control: OwnedFd, wanted: &Wanted, line: Option<&CommandLine>) -> ! {
    if let Some(line) = line {
        line.set(&["lastack", agent::ROLE, &wanted.host, &wanted.process]);
    }
    // Without it the case sees the socket close, and no agent that is up.
    let kept = inside::keep_control(control.as_raw_fd());
    std::mem::forget(control);
    forked::close_from(CONTROL + 1);
    if kept.is_err() {
        inside::exit_now();
    }
    // A panic ends an agent as it ends any program.
    let status = panic::catch_unwind(agent::run).unwrap_or(101);
    std::process::exit(status.into())
}
