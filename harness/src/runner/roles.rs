//! The other lives of this program: the process of a case, an agent on a host, the reaper, a
//! probe. A program that uses lastack asks this first in its `main`.

use std::process::ExitCode;

use super::case_process;
use super::inside::prepare;
use super::registry::{self, Problems, Registry};
use crate::{
    guest::init,
    lab::teardown,
    process::{agent, fork_server},
    sys::probe,
    virt,
};

/// Plays the role that the first argument names, if it names one, and gives its exit code. The
/// cases are gathered only for the role that needs them.
pub fn dispatch(gather: impl FnOnce() -> Result<Registry, Problems>) -> Option<ExitCode> {
    // A kernel gives its first process whatever arguments it does not know itself.
    if virt::init::is_here() {
        return Some(virt::init::main(|| prepare(gather)));
    }
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next()?;
    let rest: Vec<_> = arguments.collect();
    Some(match (role.strip_prefix("lastack:")?, &rest[..]) {
        ("case", [name, known, states]) => {
            // First of all: what is forked later has all that this process has by then.
            if let Err(error) = fork_server::start() {
                eprintln!("{error}");
            }
            registry::seek(name);
            match gather() {
                Ok(registry) => case_process::case_main(&registry, name, known, states == "always"),
                Err(problems) => {
                    eprint!("{problems}");
                    ExitCode::from(2)
                }
            }
        }
        ("agent", _) => agent::agent_main(),
        ("guest", _) => init::guest_main(),
        ("reap", rest) => teardown::reap_main(rest),
        ("probe", [word]) => ExitCode::from(probe::probe_main(word)),
        (role, rest) => {
            eprintln!("lastack has no role {role} with {} arguments", rest.len());
            ExitCode::from(2)
        }
    })
}
