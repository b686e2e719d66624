//! What runs on a host: processes, programs, and closures of the case's own.

use std::{any::Any, process::Command, sync::Arc, thread};

use tokio::sync::oneshot;

use super::Host;
use crate::{
    error::{Context, Error, Result},
    process::{
        Process, Program,
        home::{Elsewhere, Home},
    },
    sys::netns::Netns,
    wire::Journal,
};

impl Home for Host {
    fn name(&self) -> &str {
        self.name()
    }

    fn journal(&self) -> &Journal {
        self.journal()
    }

    fn netns(&self) -> Result<Netns> {
        self.netns()
    }

    fn elsewhere(&self) -> Result<Option<Arc<dyn Elsewhere>>> {
        Ok(self.guest()?.map(|guest| Arc::new(guest) as Arc<dyn Elsewhere>))
    }

    fn only_here(&self, what: &str) -> Result {
        self.not_in_a_guest(what)
    }

    fn is_awake(&self) -> Result {
        self.is_awake()
    }

    fn adopt(&self, pid: i32) {
        self.adopt(pid);
    }
}

impl Process {
    /// The host it runs on.
    ///
    /// # Panics
    /// Never: only hosts start processes.
    #[must_use]
    pub fn host(&self) -> &Host {
        let home: &dyn Any = &**self.home();
        home.downcast_ref().expect("only hosts start processes")
    }
}

impl Host {
    /// Starts a process on it, called after the host.
    ///
    /// # Errors
    /// The machine is out of processes or memory.
    pub async fn process(&self) -> Result<Process> {
        self.process_named("process").await
    }

    /// As [`Self::process`], with a name for the ladder.
    ///
    /// # Errors
    /// As [`Self::process`].
    pub async fn process_named(&self, name: &str) -> Result<Process> {
        Process::start(Arc::new(self.clone()), name).await
    }

    /// Starts any program on it, with its output captured.
    ///
    /// # Errors
    /// There is no such program.
    pub fn spawn(&self, command: Command) -> Result<Program> {
        Program::start(self, command)
    }

    /// Starts a program whose executable the case carries with it, as `include_bytes!` does for
    /// what its build script has compiled.
    ///
    /// # Errors
    /// The bytes are no executable for this machine.
    pub fn spawn_image(&self, name: &str, image: &[u8], arguments: &[&str]) -> Result<Program> {
        Program::start_image(self, name, image, arguments)
    }

    /// Runs a closure on a thread inside the host and waits for it: sockets made there, by the
    /// standard library, tokio or anything else, are the host's.
    ///
    /// # Errors
    /// The thread cannot be started, or the closure panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.start(work)?.done().await
    }

    /// As [`Self::run`], without waiting.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Running<T>> {
        let (finished, result) = oneshot::channel();
        let netns = self.netns()?;
        let name = self.name().to_owned();
        let inside = move || {
            let result = netns.enter_for_good().map(|()| work());
            let _ = finished.send(result);
        };
        let context = || format!("run a closure on host {name}");
        thread::Builder::new().name(name.clone()).spawn(inside).context(context)?;
        Ok(Running { host: name, result })
    }
}

/// A closure running on a host.
#[derive(Debug)]
#[must_use = "a running closure has a result to wait for"]
pub struct Running<T> {
    host: String,
    result: oneshot::Receiver<Result<T>>,
}

impl<T> Running<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// The closure panicked, or the host could not be entered.
    pub async fn done(self) -> Result<T> {
        let context = || format!("finish a closure on host {}", self.host);
        self.result.await.map_err(|_| Error::system(context(), "it panicked"))?
    }
}
