//! Every way to move bytes moves them, and every outcome says what came of it and when.

use lastack::prelude::*;

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-09",
        each_way_to_write_writes
        each_way_to_read_reads
        flags_are_the_kernels
        a_megabyte_stays_whole
        outcomes_say_when
        a_pending_call_can_be_given_up_on
        a_call_on_a_busy_thread_is_refused_unless_queued
        a_wrong_descriptor_is_an_errno
    );
}

/// `MSG_PEEK` and `MSG_DONTWAIT`.
const PEEK: i32 = 0x2;
const DONTWAIT: i32 = 0x40;

/// For what takes no time.
const AMPLE: Duration = Duration::from_secs(5);

async fn each_way_to_write_writes(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write("write ").await?.is(&6)?;
    a.send("send ", 0).await?.is(&5)?;
    a.writev(&[b"wri", b"tev", b"", b" "]).await?.is(&7)?;
    a.sendfile("sendfile").await?.is(&8)?;
    a.close().ok().await?;
    let mut all = Vec::new();
    loop {
        let part = b.read(64).ok().await?;
        if part.is_empty() {
            break;
        }
        all.extend(part);
    }
    same("all", "write send writev sendfile", String::from_utf8_lossy(&all).as_ref())
}

async fn each_way_to_read_reads(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write("0123456789").ok().await?;
    let all_there = |queue| queue == 10;
    b.kernel()
        .until("10 bytes", |it| it.as_ref().is_some_and(|it| all_there(it.receive_queue)), AMPLE)
        .await?;
    b.recv(4, PEEK).bytes(b"0123").await?;
    b.read(4).bytes(b"0123").await?;
    b.recv(2, 0).bytes(b"45").await?;
    b.splice(64).await?.is(&4)?;
    b.recv(1, DONTWAIT).errno(Errno::EAGAIN).await?;
    a.close().ok().await?;
    b.splice(64).await?.is(&0)?;
    b.read(1).eof().await?;
    Ok(())
}

async fn flags_are_the_kernels(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    // MSG_OOB: the last byte is urgent, and not among the others.
    a.send("ab!", 0x1).await?.is(&3)?;
    b.poll(Events::IN, None).ok().await?;
    b.read(64).bytes(b"ab").await?;
    b.recv(1, 0x1).bytes(b"!").await?;
    Ok(())
}

async fn a_megabyte_stays_whole(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let reading = b.read_to_end().start().await?;
    a.write_pattern(1 << 19).await?.is(&(1 << 19))?;
    a.write_pattern_from(1 << 19, 1 << 19).await?.is(&(1 << 19))?;
    a.close().ok().await?;
    let drained = reading.done().await?.ok()?;
    same("what came", (1 << 20, true, None), (drained.bytes, drained.intact, drained.error))?;

    // And one that does not is told.
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write_pattern(100).ok().await?;
    a.write_pattern_from(101, 100).ok().await?;
    a.close().ok().await?;
    let drained = b.read_to_end().ok().await?;
    same("what came", (200, false), (drained.bytes, drained.intact))
}

async fn outcomes_say_when(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let read = b.read(64).blocks().await?;
    let written = a.write("now").await?;
    let read = read.done().await?;
    let segment = lab.wire().expect(data().from("a")).await?;
    let (sent, arrived) = (segment.sent, segment.arrived);
    holds("sent inside the write", sent.is_some_and(|at| at >= written.began()))?;
    holds("read after it arrived", arrived.is_some_and(|at| at <= read.ended()))?;
    holds("the read began before", read.began() <= written.began())?;
    holds("and ended after", read.ended() >= written.began())
}

async fn a_pending_call_can_be_given_up_on(scene: Scene) -> Result {
    let Pair { b, .. } = scene.pair().connect().await?;
    let read = b.read(1).blocks().await?;
    let moment = Duration::from_millis(20);
    let given_up = read.done_within(moment).await;
    refused(given_up.map(drop), &["b/server: read(5, 1)", "returns within 20ms", "still blocked"])
}

async fn a_wrong_descriptor_is_an_errno(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.close().ok().await?;
    a.close().errno(Errno::EBADF).await?;
    a.read(1).errno(Errno::EBADF).await?;
    a.get(option::ERROR).errno(Errno::EBADF).await?;
    a.poll(Events::IN, None).await?.is(&Events(0x20))?; // POLLNVAL
    Ok(())
}

async fn a_call_on_a_busy_thread_is_refused_unless_queued(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let reading = a.read(1).blocks().await?;
    refused(a.unread().ok().await, &["still in read("])?;
    a.unread().on("another").await?.is(&0)?;
    let closing = a.close().queued().start();
    let (closing, _) = try_join!(closing, b.write("x").ok())?;
    reading.done().await?.bytes(b"x")?;
    closing.done().await?.ok()
}
