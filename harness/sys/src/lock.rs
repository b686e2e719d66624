//! Locks on files and folders, which the kernel gives back however their holder ends (`flock(2)`).

use std::fs::File;

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// Waits until the file is locked in this way. Signals do not end the wait.
///
/// # Errors
/// The system refuses to lock it.
pub fn held(mut file: File, how: FlockArg) -> nix::Result<Flock<File>> {
    loop {
        match Flock::lock(file, how) {
            Err((back, Errno::EINTR)) => file = back,
            done => return done.map_err(|(_, errno)| errno),
        }
    }
}
