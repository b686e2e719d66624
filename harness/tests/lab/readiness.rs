//! Poll, epoll and select tell the same of a socket, and wait for it.

use lastack::prelude::*;

use crate::told;

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-07",
        nothing_is_ready_before_its_time
        each_way_to_wait_is_woken_by_data
        the_end_of_a_stream_is_told
        a_full_window_is_not_writable
        a_socket_that_does_not_block_says_so
    );
}

/// Long enough to tell waiting from not waiting.
const MOMENT: Option<Duration> = Some(Duration::from_millis(20));

async fn nothing_is_ready_before_its_time(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().connect().await?;
    b.poll(Events::IN, MOMENT).await?.is(&Events::NONE)?;
    b.epoll(Events::IN, MOMENT).await?.is(&Events::NONE)?;
    b.select(MOMENT).await?.is(&(false, true, false))?;
    b.poll(Events::OUT, None).await?.is(&Events::OUT)?;
    b.epoll(Events::OUT, None).await?.is(&Events::OUT)?;
    Ok(())
}

async fn each_way_to_wait_is_woken_by_data(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let polling = b.poll(Events::IN, None).on("poll").blocks().await?;
    let epolling = b.epoll(Events::IN, None).on("epoll").blocks().await?;
    a.write("wake up").ok().await?;
    polling.done().await?.is(&Events::IN)?;
    epolling.done().await?.is(&Events::IN)?;
    b.select(None).await?.is(&(true, true, false))?;
    Ok(())
}

async fn the_end_of_a_stream_is_told(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    let ended = Events::IN | Events::RDHUP;
    b.poll(Events::IN | Events::RDHUP, None).await?.is(&ended)?;
    b.epoll(Events::IN | Events::RDHUP, None).await?.is(&ended)?;
    b.shut_wr().ok().await?;
    b.kernel().is_gone().await?;
    b.poll(Events::NONE, None).await?.is(&Events::HUP)?;
    b.epoll(Events::NONE, None).await?.is(&Events::HUP)?;
    Ok(())
}

async fn a_full_window_is_not_writable(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().small_window_at_b().connect().await?;
    a.nonblocking(true).ok().await?;
    let mut written = 0;
    // What is acknowledged late makes room once more.
    while a.poll(Events::OUT, MOMENT).ok().await? != Events::NONE {
        while let Ok(count) = a.write_pattern_from(written, 65_536).await?.answer() {
            written += *count as u64;
        }
    }
    a.select(MOMENT).await?.is(&(false, false, false))?;
    let drained = b.read_until(written).ok().await?;
    same("what was written", (written, true), (drained.bytes, drained.intact))?;
    a.poll(Events::OUT, None).await?.is(&Events::OUT)?;
    Ok(())
}

async fn a_socket_that_does_not_block_says_so(scene: Scene) -> Result {
    let Pair { b, listener, .. } = scene.pair().connect().await?;
    b.nonblocking(true).ok().await?;
    b.read(1).errno(Errno::EAGAIN).await?;
    b.nonblocking(false).ok().await?;
    listener.nonblocking(true).ok().await?;
    listener.accept().errno(Errno::EAGAIN).await?;
    let address = b.remote_address();
    let connecting = b.process.nonblocking_socket(address).ok().await?;
    connecting.connect(address).errno(Errno::EINPROGRESS).await?;
    // Nobody listens there.
    connecting.poll(Events::OUT, None).await?.is(&(Events::OUT | Events::ERR | Events::HUP))?;
    connecting.get(option::ERROR).await?.is(&(Errno::ECONNREFUSED as i32))?;
    connecting.get(option::ERROR).await?.is(&0)?;
    Ok(())
}
