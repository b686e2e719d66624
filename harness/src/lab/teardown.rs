//! What a case leaves behind when it ends, and how it is put to rest.
//!
//! A network namespace lives as long as a socket in it does, and a socket whose process died
//! with data in flight goes on retransmitting for a minute or two (`net/ipv4/tcp_timer.c`,
//! `tcp_orphan_retries`). So the order is: destroy every socket while somebody still holds it,
//! kill every process, destroy what those left, and only then let the descriptors go; cables go
//! with their namespaces. Cutting the path first, as the death of one host needs it, would gain
//! nothing here: both ends end, and nobody looks any more.

use std::{fs, os::fd::OwnedFd, process::ExitCode};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::waitpid,
    },
    unistd::Pid,
};

use super::{Host, host::Life};
use crate::{
    error::{Error, Result},
    sys::{
        inside,
        netns::Netns,
        probe::Trial,
        sock_diag::{Diag, SocketEntry},
        sysctl,
    },
};

/// Puts the hosts of a case to rest, and every process of its PID namespace with them. Only the
/// case process, the first of that namespace, may call this.
pub(crate) fn tear_down(hosts: &[Host]) {
    let each = |act: fn(&Life)| hosts.iter().for_each(|host| drop(host.alive(act)));
    each(|life| {
        destroy(&life.diag, |socket| socket.inode != 0);
    });
    // In a PID namespace of its own, -1 means all but the first process itself.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while waitpid(None, None) != Err(Errno::ECHILD) {}
    each(release_life);
}

/// Ends everything that lives on one host, while its case goes on: its sockets, the processes in
/// its namespace, and what those leave. Whoever must not hear of it has been cut off before.
///
/// # Errors
/// The kernel cannot destroy sockets from outside.
pub(crate) fn extinguish(life: &Life) -> Result {
    let held = life.diag.pinning()?;
    for socket in held.iter().filter(|socket| socket.inode != 0) {
        // One that ended by itself meanwhile is as well.
        let destroyed = match life.diag.destroy(socket) {
            Err(Errno::EOPNOTSUPP) => {
                Err(Error::system("destroy a dying host's sockets", Errno::EOPNOTSUPP))
            }
            _ => Ok(()),
        };
        Trial::SockDestroy.tried(destroyed)?;
    }
    let mut residents = residents(&life.netns);
    if held.is_empty() && residents.is_empty() {
        // Nothing lives there, so nothing is left of it.
        return Ok(());
    }
    for pid in &residents {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    // Dead is enough: who started them may still want to know how they ended.
    while !residents.is_empty() {
        residents.retain(|pid| state(*pid).is_some_and(|state| state != 'Z'));
        std::thread::yield_now();
    }
    release_life(life);
    Ok(())
}

/// The processes of this PID namespace that live in a network namespace, but for the case itself.
pub(crate) fn residents(netns: &Netns) -> Vec<i32> {
    let home = netns.identity();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != 1 && Netns::identity_of(*pid) == home && home.is_some()).collect()
}

/// A process's state letter (`proc_pid_stat(5)`); nothing once it has been collected.
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn release_life(life: &Life) {
    // Most leave nothing; only who does is worth entering.
    if life.diag.pinning().is_ok_and(|sockets| !sockets.is_empty()) {
        let _ = life.netns.enter(|| release(&life.diag));
    }
}

/// Destroys the orphans that would keep the calling thread's namespace alive.
fn release(diag: &Diag) {
    if !orphans_can_be_destroyed() {
        let _ = sysctl::write("net.ipv4.tcp_orphan_retries", "1");
        return;
    }
    // Destroying one end may reset the other, so look again until nothing is left; a handful of
    // rounds, because nothing new can come up any more.
    for _ in 0..8 {
        if destroy(diag, |_| true) == 0 {
            return;
        }
    }
}

/// Destroys the chosen sockets that pin their namespace; how many there were.
fn destroy(diag: &Diag, chosen: impl Fn(&SocketEntry) -> bool) -> usize {
    let sockets = diag.pinning().unwrap_or_default();
    let doomed = sockets.iter().filter(|socket| chosen(socket));
    doomed.filter(|socket| diag.destroy(socket).is_ok()).count()
}

/// Before Linux 6.11 an orphan told to abort lost its queue but never ended (`tcp_abort`, "fix
/// forever orphan socket"); such a kernel gets a short retry limit instead.
fn orphans_can_be_destroyed() -> bool {
    let release = nix::sys::utsname::uname().ok();
    let release = release.as_ref().and_then(|name| name.release().to_str()).unwrap_or("");
    let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(11))
}

/// The argument with which a lastack binary is started to put a dead case's hosts to rest.
pub const ROLE: &str = "lastack:reap";

/// Releases the namespaces of a case that died before it could: descriptor 3 is its user
/// namespace, those from 4 on are its hosts' network namespaces. The arguments after the role are
/// their number and `user` when the user namespace has to be entered first.
#[must_use]
pub fn reap_main(arguments: &[String]) -> ExitCode {
    let count = arguments.first().and_then(|word| word.parse::<i32>().ok());
    let Some(count) = count.filter(|count| (0..=100).contains(count)) else {
        eprintln!("{ROLE} is started by lastack itself, with the namespaces of a dead case");
        return ExitCode::from(2);
    };
    let user = inside::own(3);
    if arguments.get(1).is_some_and(|word| word == "user")
        && let Err(errno) = nix::sched::setns(&user, nix::sched::CloneFlags::CLONE_NEWUSER)
    {
        eprintln!("failed to enter the user namespace of a dead case: {errno}");
        return ExitCode::FAILURE;
    }
    let results: Vec<Result> = (4..4 + count).map(inside::own).map(reap).collect();
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        eprintln!("{error}");
    }
    if results.iter().all(Result::is_ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn reap(netns: OwnedFd) -> Result {
    Netns::from_fd(netns).enter(|| {
        release(&Diag::open()?);
        Ok(())
    })?
}
