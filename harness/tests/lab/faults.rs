//! Faults hit what they should, let through what they should, and count.

use std::net::UdpSocket;

use lastack::{lab::LabBuilder, prelude::*};

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-10" across Ip::BOTH,
        a_black_hole_swallows_both_ways
        a_black_hole_swallows_one_way
        a_black_hole_swallows_datagrams_too
        a_black_hole_leaves_address_resolution_alone
        a_black_hole_with_address_resolution_hides_the_peer
        a_black_hole_swallows_only_what_it_is_for
        a_lifted_black_hole_lets_retransmissions_through
        a_dropped_black_hole_is_lifted
        a_socket_vanishes_without_a_word
        a_full_queue_refuses_and_has_room_again
    );
    told!(family, "ZZ-10", two_black_holes_lie_side_by_side);
    family
        .case("a_middlebox_refuses_data_with_a_reset")
        .covers(["ZZ-10"])
        .source("lastack's own word")
        .across(Ip::BOTH, a_middlebox_refuses_data_with_a_reset);
    family
        .case("a_socket_is_destroyed_from_outside")
        .covers(["ZZ-10"])
        .source("lastack's own word")
        .across(Ip::BOTH, a_socket_is_destroyed_from_outside);
}

async fn a_black_hole_swallows_both_ways(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().open().await?;
    a.write("there").ok().await?;
    b.write("back").ok().await?;
    for host in ["a", "b"] {
        lab.wire().expect(data().from(host).arrived(false)).await?;
    }
    let swallowed = hole.swallowed().await?;
    for host in ["a", "b"] {
        holds(host, swallowed.iter().any(|segment| segment.from == host))?;
    }
    holds("it counts them", hole.lift().await? >= swallowed.len())
}

async fn a_black_hole_swallows_one_way(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().from("a").open().await?;
    b.write("gets through").ok().await?;
    a.read(64).bytes(b"gets through").await?;
    lab.wire().expect(data().from("b").arrived(true)).await?;
    // What a answers is lost, whatever it is.
    lab.wire().expect(any().from("a").ack(13).arrived(false)).await?;
    same("from whom", true, hole.swallowed().await?.iter().all(|segment| segment.from == "a"))
}

async fn a_black_hole_swallows_datagrams_too(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let there = b.address(ip, 9);
    let bound = |address| move || UdpSocket::bind(address);
    let receiver = b.run(bound(there)).await?.context(|| "bind at b".to_owned())?;
    let sender = a.run(bound(a.address(ip, 9))).await?.context(|| "bind at a".to_owned())?;
    let send =
        |text: &str| sender.send_to(text.as_bytes(), there).context(|| format!("send {text}"));
    let hole = lab.black_hole().that_may_miss().open().await?;
    send("lost")?;
    hole.lift().await?;
    send("heard")?;
    let mut heard = [0; 64];
    let length = receiver.recv(&mut heard).context(|| "receive".to_owned())?;
    same("the first to arrive", "heard", String::from_utf8_lossy(&heard[..length]).as_ref())
}

/// A lab whose hosts find each other by asking, and give up after three tenths of a second.
fn asking(scene: &Scene) -> LabBuilder {
    let lab = scene.lab().neighbours(Neighbours::Learned);
    let lab = lab.sysctl("a", "net.ipv4.neigh.eth0.retrans_time_ms", 100);
    lab.sysctl("a", "net.ipv6.neigh.eth0.retrans_time_ms", 100)
}

async fn a_black_hole_leaves_address_resolution_alone(scene: Scene, ip: Ip) -> Result {
    let lab = asking(&scene).build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let hole = lab.black_hole().open().await?;
    let process = a.process().await?;
    let far = b.address(ip, PORT);
    let connect = process.socket(far).ok().await?.connect(far).blocks().await?;
    lab.wire().expect(syn().from("a").arrived(false)).await?;
    same("a's neighbour", Some(b.mac().to_vec()), a.rtnl()?.neighbour(b.ip(ip)).await?)?;
    let connect = connect.stays_blocked(Duration::from_millis(500)).await?;
    holds("it counts the SYN", hole.lift().await? >= 1)?;
    connect.done().await?.errno(Errno::ECONNREFUSED).map(drop)
}

async fn a_black_hole_with_address_resolution_hides_the_peer(scene: Scene, ip: Ip) -> Result {
    let lab = asking(&scene).build().await?;
    let _hole = lab.black_hole().with_address_resolution().open().await?;
    let process = lab.host("a")?.process().await?;
    let far = lab.host("b")?.address(ip, PORT);
    process.socket(far).ok().await?.connect(far).errno(Errno::EHOSTUNREACH).await?;
    lab.wire().absent(Wire::start(), any()).await?;
    // Narrowed to some segments, it hides the peer all the same.
    let lab = asking(&scene).build().await?;
    let narrow = lab.black_hole().only(Flags::RST).with_address_resolution();
    let _hole = narrow.open().await?;
    let process = lab.host("a")?.process().await?;
    process.socket(far).ok().await?.connect(far).errno(Errno::EHOSTUNREACH).await.map(drop)
}

async fn a_black_hole_swallows_only_what_it_is_for(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().from("a").only(Flags::FIN).open().await?;
    a.write("data passes").ok().await?;
    b.read(64).bytes(b"data passes").await?;
    a.close().ok().await?;
    lab.wire().expect(fin().from("a").arrived(false)).await?;
    b.write("so does this").ok().await?;
    lab.wire().expect(data().from("b").arrived(true)).await?;
    let swallowed = hole.swallowed().await?;
    holds("the FIN", !swallowed.is_empty())?;
    holds("and nothing but FINs", swallowed.iter().all(|it| it.flags.contains(Flags::FIN)))
}

async fn a_full_queue_refuses_and_has_room_again(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let start = lab.wire().mark().await?;
    let full = lab.full_queue("a").await?;
    refused(lab.full_queue("a").await, &["host a", "full queue"])?;
    a.write("waits").ok().await?;
    b.write("heard all the same").ok().await?;
    a.read(64).bytes(b"heard all the same").await?;
    holds("it counts", full.refused().await? >= 1)?;
    lab.wire().absent(start, data().from("a")).await?;
    holds("and still does", full.lift().await? >= 1)?;
    b.read(64).bytes(b"waits").await?;
    // Dropped, it is lifted as well.
    let full = lab.full_queue("a").await?;
    a.write("once more").ok().await?;
    drop(full);
    b.read(64).bytes(b"once more").await.map(drop)
}

async fn a_lifted_black_hole_lets_retransmissions_through(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().from("a").open().await?;
    a.write("at last").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    holds("it swallowed", hole.lift().await? >= 1)?;
    b.read(64).bytes(b"at last").await?;
    lab.wire().expect(data().from("a").retransmitted(true).arrived(true)).await.map(drop)
}

async fn a_dropped_black_hole_is_lifted(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    {
        let _hole = lab.black_hole().open().await?;
        a.write("one").ok().await?;
        lab.wire().expect(data().from("a").arrived(false)).await?;
    }
    // Nothing is lost any more: what is sent now arrives, the first time it is sent.
    let open = lab.wire().mark().await?;
    b.write("back").ok().await?;
    a.read(64).bytes(b"back").await?;
    lab.wire().expect(data().from("b").arrived(true)).after(open).await.map(drop)
}

async fn two_black_holes_lie_side_by_side(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let from_a = lab.black_hole().from("a").only(Flags::PSH).open().await?;
    let from_b = lab.black_hole().from("b").only(Flags::PSH).open().await?;
    a.write("lost").ok().await?;
    b.write("lost").ok().await?;
    for host in ["a", "b"] {
        lab.wire().expect(data().from(host).arrived(false)).await?;
    }
    holds("the first swallowed", from_a.lift().await? >= 1)?;
    b.read(64).bytes(b"lost").await?;
    holds("the second swallowed", from_b.lift().await? >= 1)?;
    a.read(64).bytes(b"lost").await?;
    Ok(())
}

async fn a_middlebox_refuses_data_with_a_reset(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let reject = lab.reject_from("a").turn_on().await?;
    let read = a.read(1).on("reader").blocks().await?;
    a.write("refused").ok().await?;
    read.done().await?.errno(Errno::ECONNRESET)?;
    lab.wire().expect(rst().from_middle().to("a")).await?;
    b.kernel().is(State::Established)?;
    holds("it refused", reject.counts()?[0] >= 1)?;
    reject.lift().await.map(drop)
}

async fn a_socket_is_destroyed_from_outside(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    let read = a.read(1).blocks().await?;
    a.host().destroy(&a.kernel().is(State::Established)?)?;
    read.done().await?.errno(Errno::ECONNABORTED)?;
    b.kernel().is_gone().await.map(drop)
}

async fn a_socket_vanishes_without_a_word(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let before = lab.wire().mark().await?;
    a.vanish().ok().await?;
    same("a's socket", true, a.kernel().now()?.is_none())?;
    lab.wire().absent(before, any()).await?;
    b.kernel().is(State::Established).map(drop)
}
