//! Calls that only some scenarios need: taking a connection apart, an epoll that lasts, splice both
//! ways, a zombie, a pause.

use lastack::prelude::*;

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-46" across Ip::BOTH, a_socket_taken_apart_can_connect_again);
    told!(family, "ZZ-46",
        an_epoll_that_lasts_tells_an_edge_once
        an_epoll_that_lasts_watches_several_sockets
        splice_moves_bytes_into_a_socket
        a_zombie_is_seen_and_still_collected
        a_forked_zombie_is_its_parents
        a_call_that_returns_does_not_block
        a_pause_takes_its_time
    );
    family
        .case("a_guest_leaves_no_zombie")
        .covers(["ZZ-46"])
        .source("lastack's own word")
        .waits(Duration::from_secs(5))
        .run(a_guest_leaves_no_zombie);
}

/// Long enough to tell waiting from not waiting.
const MOMENT: Option<Duration> = Some(Duration::from_millis(20));

async fn a_socket_taken_apart_can_connect_again(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.disconnect().ok().await?;
    // An established connection ends by a reset (`tcp_disconnect`, `tcp_need_reset`).
    lab.wire().expect(rst().from("a")).await?;
    b.read(1).errno(Errno::ECONNRESET).await?;
    a.peer().errno(Errno::ENOTCONN).await?;
    let listener = b.process.listen(b.host().address(ip, 81)).await?;
    a.connect(b.host().address(ip, 81)).ok().await?;
    let second = listener.accept().ok().await?;
    a.write("again").ok().await?;
    second.read(64).bytes(b"again").await.map(drop)
}

async fn an_epoll_that_lasts_tells_an_edge_once(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let epoll = b.process.epoll().ok().await?;
    epoll.add(&b, Events::IN | Events::EDGE).ok().await?;
    epoll.wait(MOMENT).await?.is(&vec![])?;
    let waiting = epoll.wait(None).blocks().await?;
    a.write("one").ok().await?;
    waiting.done().await?.is(&vec![(b.fd(), Events::IN)])?;
    // What lies there unread is no edge; more of it is.
    epoll.wait(MOMENT).await?.is(&vec![])?;
    a.write("two").ok().await?;
    epoll.wait(None).await?.is(&vec![(b.fd(), Events::IN)])?;
    // By level it is told of again and again.
    epoll.modify(&b, Events::IN).ok().await?;
    for _ in 0..2 {
        epoll.wait(MOMENT).await?.is(&vec![(b.fd(), Events::IN)])?;
    }
    epoll.remove(&b).ok().await?;
    epoll.wait(MOMENT).await?.is(&vec![])?;
    epoll.remove(&b).errno(Errno::ENOENT).await?;
    epoll.close().ok().await?;
    epoll.wait(MOMENT).errno(Errno::EBADF).await.map(drop)
}

async fn an_epoll_that_lasts_watches_several_sockets(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let listener = b.process.listen(b.host().address(Ip::V4, 81)).await?;
    let epoll = b.process.epoll().ok().await?;
    epoll.add(&b, Events::IN | Events::RDHUP).ok().await?;
    epoll.add(&listener, Events::IN).ok().await?;
    a.process.connect(b.host().address(Ip::V4, 81)).await?;
    epoll.wait(None).await?.is(&vec![(listener.fd(), Events::IN)])?;
    a.close().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    let both = vec![(listener.fd(), Events::IN), (b.fd(), Events::IN | Events::RDHUP)];
    epoll.wait(None).await?.is(&both).map(drop)
}

async fn splice_moves_bytes_into_a_socket(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.splice_out("through a pipe").await?.is(&14)?;
    b.read(64).bytes(b"through a pipe").await?;
    let bytes: Vec<u8> = (0..200_000_u32).map(|place| (place % 251) as u8).collect();
    let reading = b.read_until(200_000).start().await?;
    a.splice_out(&bytes).await?.is(&200_000)?;
    reading.done().await?.whole(200_000)?;
    b.close().ok().await?;
    a.kernel().reaches(State::CloseWait).await?;
    a.splice_out("to nobody").ok().await?;
    a.read(1).eof().await.map(drop)
}

async fn a_zombie_is_seen_and_still_collected(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let reading = a.read(1).blocks().await?;
    a.process.signal(Signal::SIGKILL)?;
    let killed = |status| matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _));
    holds("killed", killed(a.process.becomes_zombie().await?))?;
    // Neither a second look nor a call that finds it dead takes it away.
    refused(reading.done().await, &["was killed by SIGKILL"])?;
    holds("killed", killed(a.process.becomes_zombie().await?))?;
    same("its state", "Z", state(a.process.pid()).as_str())?;
    // It holds no socket any more.
    b.read(1).eof().await?;
    holds("killed", killed(a.process.wait().await?))?;
    same("its state", "", state(a.process.pid()).as_str())
}

async fn a_forked_zombie_is_its_parents(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let parent = lab.host("a")?.process().await?;
    let child = parent.fork("child").await?;
    child.signal(Signal::SIGTERM)?;
    let ended = |status| matches!(status, WaitStatus::Signaled(_, Signal::SIGTERM, _));
    holds("ended", ended(child.becomes_zombie().await?))?;
    same("its state", "Z", state(child.pid()).as_str())?;
    holds("ended", ended(child.wait().await?))?;
    same("its state", "", state(child.pid()).as_str())
}

/// The state of a process, as `ps` writes it; nothing if there is none of this number.
fn state(pid: i32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.chars().take(1).collect()
}

async fn a_call_that_returns_does_not_block(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write("there").ok().await?;
    b.kernel().has_unread(5).await?;
    refused(b.read(64).blocks().await, &["read(5, 64)", "blocks", "5 \"there\""])?;
    let reading = b.read(64).blocks().await?;
    a.write("more").ok().await?;
    reading.done().await?.bytes(b"more").map(drop)
}

async fn a_pause_takes_its_time(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let time = Duration::from_millis(50);
    holds("it has passed", a.pause(time).await?.took() >= time)?;
    // On a thread of its own it keeps nobody waiting.
    let pausing = b.pause(Duration::from_secs(60)).on("pauser").blocks().await?;
    b.write("meanwhile").ok().await?;
    a.read(64).bytes(b"meanwhile").await?;
    drop(pausing);
    Ok(())
}

async fn a_guest_leaves_no_zombie(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().guest("b").connect().await?;
    refused(b.process.becomes_zombie().await, &["host b is a guest kernel", "uncollected"])
}
