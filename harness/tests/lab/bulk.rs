//! Any number of bytes is written and read, or refused before anything happens: no call is cut, and
//! none ends its process.

use lastack::prelude::*;

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-45" across SIZES, each_way_to_write_takes_any_size);
    told!(family, "ZZ-45",
        a_read_brings_whatever_there_is
        what_repeats_itself_is_written_as_it_is
        what_no_process_can_hold_is_refused_before_anything_happens
    );
    family
        .case("a_guest_takes_a_megabyte_and_refuses_more")
        .covers(["ZZ-45"])
        .source("lastack's own word")
        .waits(Duration::from_secs(10))
        .run(a_guest_takes_a_megabyte_and_refuses_more);
}

/// `MSG_WAITALL`.
const WAITALL: i32 = 0x100;

/// What one packet between a case and its agents cannot carry, and what no socket's buffer holds.
const SIZES: [(&str, usize); 3] =
    [("bytes_170_000", 170_000), ("bytes_1_000_000", 1_000_000), ("bytes_20_000_000", 20_000_000)];

/// Bytes that cannot be described in fewer: they repeat themselves only after many (xorshift,
/// Marsaglia 2003).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let some: Vec<u8> = std::iter::repeat_with(next).take(12_500).flatten().collect();
    let mut bytes = some.repeat(length / some.len() + 1);
    bytes.truncate(length);
    bytes
}

async fn each_way_to_write_takes_any_size(scene: Scene, length: usize) -> Result {
    // Inside one host: no tap could keep up with so much.
    let lab = scene.lab().build().await?;
    let (host, address) = (lab.host("a")?, lab.host("a")?.address(Ip::V4, PORT));
    let listener = host.process_named("reader").await?.listen(address).await?;
    let a = host.process_named("writer").await?.connect(address).await?;
    let b = listener.accept().ok().await?;
    let bytes = noise(length);
    let max = u32::try_from(length).expect("a size of this test");
    let halves = bytes.split_at(length / 2);
    for write in
        [a.write(&bytes), a.send(&bytes, 0), a.writev(&[halves.0, halves.1]), a.sendfile(&bytes)]
    {
        let reading = b.recv(max, WAITALL).start().await?;
        write.await?.is(&length)?;
        let read = reading.done().await?.ok()?;
        holds("what was written is what was read", read == bytes)?;
    }
    // Nothing has ended meanwhile.
    b.poll(Events::RDHUP, Some(Duration::ZERO)).await?.is(&Events::NONE).map(drop)
}

async fn a_read_brings_whatever_there_is(scene: Scene) -> Result {
    const THERE: u32 = 150_000;
    let roomy = scene.pair().option_on_listener(option::RCVBUF, 400_000);
    let Pair { a, b, .. } = roomy.connect().await?;
    a.write_pattern(THERE).await?.is(&(THERE as usize))?;
    b.kernel().has_unread(THERE).await?;
    let got = b.read(u32::MAX).ok().await?;
    same("what one read brings", THERE as usize, got.len())
}

async fn what_repeats_itself_is_written_as_it_is(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    for bytes in [vec![7; 300_000], b"twelve bytes".repeat(25_000)] {
        let reading = b.recv(300_000, WAITALL).start().await?;
        a.write(&bytes).await?.is(&300_000)?;
        let read = reading.done().await?.ok()?;
        holds("what was written is what was read", read == bytes)?;
    }
    Ok(())
}

async fn what_no_process_can_hold_is_refused_before_anything_happens(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let beyond = a.write_pattern(u32::MAX).await;
    refused(beyond, &["a/client: write(4, 4294967295)", "takes 1073741824 in one call"])?;
    a.write("still here").ok().await?;
    b.read(64).bytes(b"still here").await.map(drop)
}

async fn a_guest_takes_a_megabyte_and_refuses_more(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().guest("b").connect().await?;
    for length in [170_000, 1_000_000] {
        let bytes = noise(length);
        let max = u32::try_from(length).expect("a size of this test");
        for (from, to) in [(&a, &b), (&b, &a)] {
            let reading = to.recv(max, WAITALL).start().await?;
            from.write(&bytes).await?.is(&length)?;
            let read = reading.done().await?.ok()?;
            holds("what was written is what was read", read == bytes)?;
        }
    }
    refused(
        b.write(noise(2_000_000)).await,
        &["2000000 bytes sent to the process", "write_pattern"],
    )?;
    refused(b.write_pattern(1 << 30).await, &["1073741824 bytes in the memory of the process"])?;
    // More than there is memory.
    refused(b.read(u32::MAX).await, &["no memory", "nothing has happened"])?;
    let reading = a.read_until(4_000_000).start().await?;
    b.write_pattern(4_000_000).await?.is(&4_000_000)?;
    reading.done().await?.whole(4_000_000).map(drop)
}
