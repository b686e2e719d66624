//! What a process hands on: children that share its descriptors, programs it becomes, descriptors
//! taken from it or given to it.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use super::{
    body::Body, call::Call, protocol::Whole, socket::Socket, subject::Process, syscall, talk::Talk,
};
use crate::{
    error::{Context, Error, Result},
    sys::seqpacket,
};

impl Process {
    /// `fork(2)`: a child that shares every descriptor, under the name `name`.
    ///
    /// # Errors
    /// The process is gone, or cannot fork.
    pub async fn fork(&self, name: &str) -> Result<Self> {
        self.fork_as(name, false).await
    }

    /// As [`Self::fork`], the child being the first process of a PID namespace of its own, as a
    /// container's is; what it forks dies with it.
    ///
    /// # Errors
    /// The process is gone, or cannot make a PID namespace.
    pub async fn fork_container(&self, name: &str) -> Result<Self> {
        self.fork_as(name, true).await
    }

    async fn fork_as(&self, name: &str, container: bool) -> Result<Self> {
        self.home().only_here("forking a process under the case's control")?;
        let (ours, theirs) = seqpacket::pair()?;
        let fork = Whole::Fork { container };
        let text = format!("{fork} as {name}");
        let pid = self.do_whole(fork, Some(text), Some(theirs)).await?;
        // The child's channel went with the order; it says it is up by its first answer.
        let pid = self.child(pid)?;
        self.home().adopt(pid);
        let watched = Body::here(pid).context(|| format!("watch process {name}"))?;
        Self::attend(self.home().clone(), name, pid, ours, watched, Some(self.clone())).await
    }

    /// The process id, as the case counts, of a child that in this process's PID namespace is
    /// called `pid`: the same, unless this process lives in a container.
    fn child(&self, pid: i32) -> Result<i32> {
        let lost =
            |what| Error::system(format!("find child {pid} of process {}", self.name()), what);
        let (_, names) = family(self.pid()).ok_or_else(|| lost("its parent has ended"))?;
        // A process has a name in its own PID namespace and in each around it.
        let depth = names.len().saturating_sub(1);
        if depth == 0 {
            return Ok(pid);
        }
        let all = std::fs::read_dir("/proc").context(|| "list processes".to_owned())?;
        let mut all = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mine = |candidate: &i32| {
            family(*candidate).is_some_and(|(parent, names)| {
                parent == self.pid() && names.get(depth) == Some(&pid)
            })
        };
        all.find(mine).ok_or_else(|| lost("no such process"))
    }

    /// `execve(2)` of a program: the process goes on as that, and takes no more calls.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub async fn exec(&self, program: &[&str]) -> Result {
        let program = program.iter().map(|word| (*word).to_owned()).collect();
        let exec = Whole::Exec { program };
        let text = exec.to_string();
        let order = self.talk().order_whole(exec, None, None)?;
        // On success the channel closes on exec; an answer is a failure.
        let why = match order.ended.await {
            Err(_) => return Ok(()),
            Ok(Ok(ended)) => {
                ended.answer.err().map_or(Errno::UnknownErrno, Errno::from_raw).to_string()
            }
            Ok(Err(why)) => why,
        };
        Err(Error::system(format!("{text} in {}", self.name()), why))
    }

    /// `execve(2)` of a fresh agent: every close-on-exec descriptor closes, the others stay open
    /// under their numbers, and the process goes on taking calls.
    ///
    /// # Errors
    /// The process is gone.
    pub async fn exec_again(&self) -> Result {
        self.home().only_here("executing an agent anew")?;
        let (ours, theirs) = seqpacket::pair()?;
        self.talk().order_whole(Whole::Become, None, Some(theirs.as_fd()))?;
        drop(theirs);
        let (home, name) = (self.home(), self.short_name());
        let talk = Talk::begin(ours, home.name(), name, home.journal().clone()).await?;
        self.goes_on_over(talk);
        Ok(())
    }

    fn short_name(&self) -> &str {
        self.name().split_once('/').map_or(self.name(), |(_, name)| name)
    }

    /// A copy of another process's descriptor (`pidfd_getfd(2)`), as a debugger takes one.
    pub fn steal(&self, socket: &Socket) -> Call<Socket> {
        let call = syscall::StealFd { pid: socket.process().pid(), fd: socket.fd() };
        Call::new(self, call, Socket::of)
    }

    /// Joins two processes with a Unix socket, to pass descriptors over: one end in each.
    ///
    /// # Errors
    /// Either process is gone.
    pub async fn join(&self, other: &Self) -> Result<(Socket, Socket)> {
        let (here, there) = seqpacket::pair()?;
        Ok((self.adopt(here).await?, other.adopt(there).await?))
    }

    async fn adopt(&self, fd: OwnedFd) -> Result<Socket> {
        self.home().only_here("handing over descriptors")?;
        let fd = self.do_whole(Whole::Adopt, None, Some(fd)).await?;
        Socket::of(self, fd)
    }

    /// Gives an order to the process as a whole, and waits for its answer.
    async fn do_whole(
        &self,
        whole: Whole,
        text: Option<String>,
        carried: Option<OwnedFd>,
    ) -> Result<i32> {
        let text = text.unwrap_or_else(|| whole.to_string());
        let order = self.talk().order_whole(
            whole,
            Some(text.clone()),
            carried.as_ref().map(AsFd::as_fd),
        )?;
        drop(carried);
        self.answer_of(&text, order).await
    }
}

/// A process's parent, and what it is called in each PID namespace it is in, outermost first
/// (`proc_pid_status(5)`).
fn family(pid: i32) -> Option<(i32, Vec<i32>)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let parent = field("PPid:")?.trim().parse().ok()?;
    Some((parent, field("NSpid:")?.split_whitespace().flat_map(str::parse).collect()))
}
