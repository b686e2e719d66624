//! What a process does on a signal is the case's to say.

use lastack::prelude::*;

use crate::{holds, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-06",
        a_handled_sigpipe_is_blamed_on_its_call
        an_ignored_sigpipe_leaves_the_errno
        sigpipe_at_its_default_kills
        a_signal_interrupts_a_blocked_call
        a_restarting_handler_does_not
        dispositions_that_are_fixed_are_refused
    );
}

/// `MSG_NOSIGNAL`, the same number everywhere Linux runs.
const NOSIGNAL: i32 = 0x4000;

/// A connection whose client has said that it writes no more.
async fn half_closed(scene: &Scene) -> Result<Pair> {
    let pair = scene.pair().connect().await?;
    pair.a.shut_wr().ok().await?;
    Ok(pair)
}

async fn a_handled_sigpipe_is_blamed_on_its_call(scene: Scene) -> Result {
    let Pair { a, .. } = half_closed(&scene).await?;
    a.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
    a.send("x", NOSIGNAL).errno(Errno::EPIPE).await?.without_signal()?;
    // On whichever thread.
    a.write("x").on("other").errno(Errno::EPIPE).await?.with_sigpipe()?;
    Ok(())
}

async fn an_ignored_sigpipe_leaves_the_errno(scene: Scene) -> Result {
    let Pair { a, .. } = half_closed(&scene).await?;
    a.process.dispose(Signal::SIGPIPE, Disposition::Ignore).ok().await?;
    a.write("x").errno(Errno::EPIPE).await?.without_signal()?;
    Ok(())
}

async fn sigpipe_at_its_default_kills(scene: Scene) -> Result {
    let Pair { a, .. } = half_closed(&scene).await?;
    a.process.dispose(Signal::SIGPIPE, Disposition::Default).ok().await?;
    let died = a.write("x").await;
    crate::refused(died.map(drop), &["a/client: write(4, 1)", "was killed by SIGPIPE"])?;
    let status = a.process.wait().await?;
    holds("killed by SIGPIPE", matches!(status, WaitStatus::Signaled(_, Signal::SIGPIPE, _)))
}

async fn a_signal_interrupts_a_blocked_call(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    b.process.interrupt_on(Signal::SIGUSR1).ok().await?;
    let read = b.read(64).blocks().await?;
    let other = b.poll(Events::RDHUP, None).on("other").blocks().await?;
    read.signal(Signal::SIGUSR1)?.done().await?.errno(Errno::EINTR)?;
    // Another thread's call is not disturbed.
    a.shut_wr().ok().await?;
    other.done().await?.is(&Events::RDHUP)?;
    Ok(())
}

async fn a_restarting_handler_does_not(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    b.process.dispose(Signal::SIGUSR1, Disposition::Handle).ok().await?;
    let read = b.read(64).blocks().await?;
    let read = read.signal(Signal::SIGUSR1)?.stays_blocked(Duration::from_millis(50)).await?;
    a.write("still there").ok().await?;
    read.done().await?.bytes(b"still there")?;
    Ok(())
}

async fn dispositions_that_are_fixed_are_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let process = lab.host("a")?.process().await?;
    process.dispose(Signal::SIGKILL, Disposition::Ignore).errno(Errno::EINVAL).await?;
    Ok(())
}
