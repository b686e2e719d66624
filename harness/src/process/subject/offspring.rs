//! What a process hands on: children that share its descriptors, programs it becomes, descriptors
//! taken from it or given to it.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use super::{Process, WHOLE};
use crate::{
    error::{Context, Error, Result},
    process::{
        Socket,
        body::Body,
        call::Call,
        protocol::{Op, Value},
        socket::handle,
        talk::Talk,
    },
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
        self.0.host.not_in_a_guest("forking a process under the case's control")?;
        let (ours, theirs) = seqpacket::pair()?;
        let op = Op::Fork { container };
        let text = format!("{op} as {name}");
        let order = self.talk().order(WHOLE, op, text, Some(theirs.as_fd())).await?;
        drop(theirs);
        let ended = order.ended.await.map_err(|_| self.gone("fork()"))?;
        let pid = match ended.answer {
            Ok(Value::Number(pid)) => {
                self.child(i32::try_from(pid).expect("process ids fit an i32"))?
            }
            Ok(_) => return Err(self.gone("fork()")),
            Err(errno) => {
                let context = format!("fork process {}", self.name());
                return Err(Error::system(context, Errno::from_raw(errno)));
            }
        };
        // The child's channel came with the order; it says it is up by its first answer.
        self.0.host.adopt(pid);
        let watched = Body::here(pid).context(|| format!("watch process {name}"))?;
        Self::attend(&self.0.host, name, pid, ours, watched, Some(self.clone())).await
    }

    /// The process id, as the case counts, of a child that in this process's PID namespace is
    /// called `pid`: the same, unless this process lives in a container.
    fn child(&self, pid: i32) -> Result<i32> {
        let lost =
            |what| Error::system(format!("find child {pid} of process {}", self.name()), what);
        let (_, names) = family(self.0.pid).ok_or_else(|| lost("its parent has ended"))?;
        // A process has a name in its own PID namespace and in each around it.
        let depth = names.len().saturating_sub(1);
        if depth == 0 {
            return Ok(pid);
        }
        let all = std::fs::read_dir("/proc").context(|| "list processes".to_owned())?;
        let mut all = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mine = |candidate: &i32| {
            family(*candidate).is_some_and(|(parent, names)| {
                parent == self.0.pid && names.get(depth) == Some(&pid)
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
        let op = Op::Exec { program };
        let text = op.to_string();
        let order = self.talk().order(WHOLE, op, text.clone(), None).await?;
        // On success the channel closes on exec; an answer is a failure.
        match order.ended.await {
            Err(_) => Ok(()),
            Ok(ended) => {
                let errno = ended.answer.err().map_or(Errno::UnknownErrno, Errno::from_raw);
                Err(Error::system(format!("{text} in {}", self.name()), errno))
            }
        }
    }

    /// `execve(2)` of a fresh agent: every close-on-exec descriptor closes, the others stay open
    /// under their numbers, and the process goes on taking calls.
    ///
    /// # Errors
    /// The process is gone.
    pub async fn exec_again(&self) -> Result {
        self.0.host.not_in_a_guest("executing an agent anew")?;
        let (ours, theirs) = seqpacket::pair()?;
        let text = Op::Become.to_string();
        self.talk().order(WHOLE, Op::Become, text, Some(theirs.as_fd())).await?;
        drop(theirs);
        let (host, name) = (&self.0.host, self.short_name());
        let talk = Talk::begin(ours, host.name(), name, host.journal().clone()).await?;
        *self.0.talk.lock().expect("no holder of this lock panics") = talk;
        Ok(())
    }

    fn short_name(&self) -> &str {
        self.0.name.split_once('/').map_or(self.name(), |(_, name)| name)
    }

    /// A copy of another process's descriptor (`pidfd_getfd(2)`), as a debugger takes one.
    pub fn steal(&self, socket: &Socket) -> Call<Socket> {
        self.call(Op::StealFd { pid: socket.process().pid(), fd: socket.fd() }, handle)
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
        self.0.host.not_in_a_guest("handing over descriptors")?;
        let text = Op::Adopt.to_string();
        let order = self.talk().order(WHOLE, Op::Adopt, text, Some(fd.as_fd())).await?;
        let ended = order.ended.await.map_err(|_| self.gone("adopt"))?;
        let value = ended.answer.ok().and_then(|value| handle(self, value));
        value.ok_or_else(|| self.gone("adopt"))
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
