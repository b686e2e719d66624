//! Labs of every layout carry what they should, and nothing else.

use lastack::prelude::*;
use lastack::sys::packet::Tap;

use crate::{holds, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-01" across Ip::BOTH,
        a_patched_pair_talks
        two_hosts_on_one_cable_talk
        three_hosts_talk_and_hear_only_what_is_theirs
        permanent_neighbours_are_never_asked_for
        learned_neighbours_are_asked_for_and_learned
        no_frame_is_larger_than_the_mtu
    );
    told!(family, "ZZ-01",
        a_lab_is_gone_when_taken_down_and_another_can_follow
        two_labs_do_not_hear_each_other
    );
}

/// A byte there and a byte back, to the end of both directions.
async fn talk(pair: &Pair) -> Result {
    let Pair { a, b, .. } = pair;
    a.write("ping").ok().await?;
    b.read(64).bytes(b"ping").await?;
    b.write("pong").ok().await?;
    a.read(64).bytes(b"pong").await?;
    a.close().ok().await?;
    b.read(64).eof().await?;
    b.close().ok().await?;
    b.kernel().is_gone().await.map(drop)
}

async fn a_patched_pair_talks(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).connect().await?;
    talk(&pair).await?;
    // Each segment is seen twice, on its way into the patch and out of it.
    let wire = pair.wire();
    wire.settle().await?;
    let segments = wire.segments();
    holds("all arrived", segments.iter().all(|it| it.sent.is_some() && it.arrived >= it.sent))
}

async fn two_hosts_on_one_cable_talk(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).direct().connect().await?;
    talk(&pair).await?;
    let wire = pair.wire();
    wire.settle().await?;
    let segments = wire.segments();
    holds("all arrived", segments.iter().all(|it| it.sent.is_some() && it.arrived >= it.sent))
}

async fn three_hosts_talk_and_hear_only_what_is_theirs(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().hosts(&["left", "middle", "right"]).build().await?;
    let hosts = lab.hosts();
    for (from, to, other) in [(0, 1, 2), (1, 2, 0), (2, 0, 1)] {
        let (from, to, other) = (&hosts[from], &hosts[to], &hosts[other]);
        let mut tap = other.netns()?.enter(|| Tap::open(other.interface()))??;
        let address = to.address(ip, PORT);
        let listener = to.process_named("server").await?.listen(address).await?;
        let near = from.process_named("client").await?.connect(address).await?;
        let far = listener.accept().ok().await?;
        near.write("for you alone").ok().await?;
        far.read(64).bytes(b"for you alone").await?;
        // What a host sends to a group, such as a report of its own groups, is for all.
        let mut foreign = 0;
        tap.drain(|frame| foreign += usize::from(frame.bytes[0] & 1 == 0))?;
        same(&format!("frames at {} for others", other.name()), 0, foreign)?;
    }
    Ok(())
}

async fn permanent_neighbours_are_never_asked_for(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).connect().await?;
    talk(&pair).await?;
    pair.wire().settle().await?;
    same("questions on the wire", Vec::new(), questions(&pair))
}

async fn learned_neighbours_are_asked_for_and_learned(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().neighbours(Neighbours::Learned).build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    same("a's neighbour before", None, a.rtnl()?.neighbour(b.ip(ip)).await?)?;
    let pair = scene.pair().ip(ip).neighbours(Neighbours::Learned).connect().await?;
    let (a, b) = (pair.a.host(), pair.b.host());
    same("a's neighbour", Some(b.mac().to_vec()), a.rtnl()?.neighbour(b.ip(ip)).await?)?;
    same("b's neighbour", Some(a.mac().to_vec()), b.rtnl()?.neighbour(a.ip(ip)).await?)?;
    pair.wire().settle().await?;
    holds("somebody asked", !questions(&pair).is_empty())?;
    talk(&pair).await
}

/// Address resolution seen on the wire, that is: what asks for the address of one of the hosts.
fn questions(pair: &Pair) -> Vec<String> {
    let strays = pair.wire().strays().into_iter().map(|stray| stray.what.text);
    strays.filter(|text| text.contains("who has")).collect()
}

async fn no_frame_is_larger_than_the_mtu(scene: Scene, ip: Ip) -> Result {
    const BULK: u32 = 1 << 20;
    for mtu in [1500, 1280] {
        let lab = scene.lab().mtu(mtu).build().await?;
        let (a, b) = (lab.host("a")?, lab.host("b")?);
        let address = b.address(ip, PORT);
        let listener = b.process_named("server").await?.listen(address).await?;
        let near = a.process_named("client").await?.connect(address).await?;
        let far = listener.accept().ok().await?;
        let reading = far.read_to_end().on("reader").start().await?;
        near.write_pattern(BULK).await?.is(&(BULK as usize))?;
        near.close().ok().await?;
        let drained = reading.done().await?.ok()?;
        same("what arrived", (u64::from(BULK), true), (drained.bytes, drained.intact))?;

        lab.wire().settle().await?;
        let segments = lab.wire().segments();
        // Time stamps take 12 bytes of every segment's header.
        let headers = if ip == Ip::V4 { 20 } else { 40 } + 20 + 12;
        let largest = segments.iter().map(|segment| segment.payload).max().unwrap_or(0);
        same("the largest segment", mtu - headers, largest)?;
        let first = segments.iter().filter(|segment| !segment.retransmission);
        same("data on the wire", BULK, first.map(|segment| segment.payload).sum())?;
        lab.take_down();
    }
    Ok(())
}

async fn a_lab_is_gone_when_taken_down_and_another_can_follow(scene: Scene) -> Result {
    for _ in 0..3 {
        let pair = scene.pair().connect().await?;
        let _hole = pair.lab.black_hole().open().await?;
        pair.a.write("in flight").ok().await?;
        let server = pair.b.process.clone();
        pair.lab.clone().take_down();
        let end = server.wait().await?;
        holds(
            "its processes were killed",
            matches!(end, WaitStatus::Signaled(_, Signal::SIGKILL, _)),
        )?;
        for host in pair.lab.hosts() {
            same("its sockets", 0, host.sockets()?.len())?;
        }
    }
    Ok(())
}

async fn two_labs_do_not_hear_each_other(scene: Scene) -> Result {
    let (one, two) = (scene.pair().connect().await?, scene.pair().connect().await?);
    let quiet = two.wire().mark().await?;
    talk(&one).await?;
    two.wire().absent(quiet, any()).await?;
    talk(&two).await
}
