//! What a rule holds waits in the patch, loses nothing, and goes when it is let go.

use lastack::prelude::*;

use crate::{holds, refused};

pub fn cases(family: &mut Family) {
    macro_rules! held {
        ($($name:ident)*) => { $(
            family.case(stringify!($name)).covers(["ZZ-19"]).source("lastack's own word").waits(Duration::from_secs(2)).across(Ip::BOTH, $name);
        )* };
    }
    held! {
        what_is_held_waits_and_comes_in_its_order
        what_comes_after_the_release_waits_no_more
        two_held_fins_cross
        a_retransmission_overtakes_what_is_held
        a_full_segment_is_held_like_any
        a_lifted_rule_lets_go_and_so_does_a_dropped_one
        each_of_three_hosts_gets_what_is_its_own
        only_what_holds_can_be_released
        a_rule_that_holds_nothing_fails
    }
}

async fn what_is_held_waits_and_comes_in_its_order(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::NODELAY, 1).ok().await?;
    let rules = lab.rules([packets().from("a").carrying_data().are_held()]).turn_on().await?;
    let start = lab.wire().mark().await?;
    let words = ["one", "two", "six"];
    for word in words {
        a.write(word).ok().await?;
    }
    lab.wire().never(start, data().arrived(true)).for_(Duration::from_millis(300)).await?;
    holds("they wait, and what was sent again", rules.held().await? >= 3)?;
    // The other way nothing is held.
    b.write("meanwhile").ok().await?;
    a.read(64).bytes(b"meanwhile").await?;

    holds("they are let go", rules.release().await? >= 3)?;
    same("held", 0, rules.held().await?)?;
    same("bytes", 9, b.read_until(9).ok().await?.bytes)?;
    let sent = lab.wire().count(start, data().from("a")).await?;
    same("lost", 0, lab.wire().count(start, data().from("a").arrived(false)).await?)?;
    same("hits", vec![sent as u64], rules.counts()?)?;
    let arrivals = lab.wire().segments().into_iter().filter(|it| it.from == "a" && it.payload > 0);
    let stamps: Vec<_> = arrivals.filter_map(|it| it.arrived).collect();
    holds("in their order", stamps.is_sorted())?;
    a.kernel().is_acknowledged().await.map(drop)
}

async fn what_comes_after_the_release_waits_no_more(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rules = lab.rules([packets().from("a").carrying_data().are_held()]).turn_on().await?;
    a.write("before").ok().await?;
    let read = b.read(64).blocks().await?;
    rules.release().await?;
    read.done().await?.bytes(b"before")?;
    a.write("after").ok().await?;
    b.read(64).bytes(b"after").await?;
    a.kernel().is_acknowledged().await?;
    holds("it is hit all the same", rules.lift().await?[0] >= 2)
}

/// What no rule that drops can bring about: each end has sent its FIN before it gets the other's,
/// and none was sent twice.
async fn two_held_fins_cross(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let fins = packets().flags(Flags::FIN).are_held();
    let rules = lab.rules([fins]).turn_on().await?;
    a.shut_wr().ok().await?;
    b.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait1).await?;
    b.kernel().reaches(State::FinWait1).await?;
    rules.release().await?;
    a.kernel().reaches(State::TimeWait).await?;
    b.kernel().reaches(State::TimeWait).await?;
    for host in ["a", "b"] {
        let crossing = lab.wire().expect(fin().from(host).ack(1).arrived(true)).await?;
        same("sent for the first time", false, crossing.retransmission)?;
    }
    lab.wire().absent(Wire::start(), any().arrived(false)).await
}

async fn a_retransmission_overtakes_what_is_held(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rules = lab.rules([packets().from("a").carrying_data().first(1).are_held()]);
    let rules = rules.turn_on().await?;
    a.write("delayed").ok().await?;
    let again = lab.wire().expect(data().from("a").retransmitted(true).arrived(true)).await?;
    b.read(64).bytes(b"delayed").await?;
    same("held", 1, rules.release().await?)?;
    let late = lab.wire().expect(data().from("a").retransmitted(false).arrived(true)).await?;
    holds("it arrives after the other", late.arrived > again.arrived)?;
    // The copy is told as one, and nobody reads it twice.
    let told = any().from("b").that("a word on the copy", move |it| it.sent > late.arrived);
    lab.wire().expect(told).await?;
    a.write("next").ok().await?;
    b.read(64).bytes(b"next").await.map(drop)
}

async fn a_full_segment_is_held_like_any(scene: Scene, ip: Ip) -> Result {
    const MUCH: u32 = 12_000;
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rules = lab.rules([packets().from("a").payload(1000..).are_held()]).turn_on().await?;
    let start = lab.wire().mark().await?;
    a.write_pattern(MUCH).ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).after(start).await?;
    rules.release().await?;
    b.read_until(MUCH.into()).await?.whole(MUCH.into())?;
    same("lost", 0, lab.wire().count(start, data().from("a").arrived(false)).await?)
}

async fn a_lifted_rule_lets_go_and_so_does_a_dropped_one(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let held = || lab.rules([packets().from("a").carrying_data().are_held()]).turn_on();
    let rules = held().await?;
    a.write("lifted").ok().await?;
    let read = b.read(64).blocks().await?;
    rules.lift().await?;
    read.done().await?.bytes(b"lifted")?;
    let rules = held().await?;
    a.write("dropped").ok().await?;
    let read = b.read(64).blocks().await?;
    drop(rules);
    read.done().await?.bytes(b"dropped")?;
    a.kernel().is_acknowledged().await?;
    same("lost", 0, lab.wire().count(Wire::start(), any().arrived(false)).await?)
}

async fn each_of_three_hosts_gets_what_is_its_own(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().hosts(&["a", "b", "c"]).build().await?;
    let rules = lab.rules([packets().flags(Flags::SYN).without(Flags::ACK).are_held()]);
    let rules = rules.turn_on().await?;
    let mut waiting = Vec::new();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
        let address = lab.host(to)?.address(ip, PORT);
        let server = lab.host(to)?.process().await?;
        let listener = server.listen(address).await?;
        let client = lab.host(from)?.process().await?;
        let socket = client.socket(address).ok().await?;
        let connecting = socket.connect(address).blocks().await?;
        waiting.push((connecting, listener, socket));
    }
    check("SYNs that waited", rules.release().await?, at_least(3))?;
    for (connecting, listener, socket) in waiting {
        connecting.done().await?.ok()?;
        let peer = listener.accept().ok().await?.peer().ok().await?;
        same("who is connected", socket.local().ok().await?, peer)?;
    }
    Ok(())
}

async fn only_what_holds_can_be_released(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rules = lab.rules([packets().from("a").carrying_data().first(1).are_dropped()]);
    let rules = rules.turn_on().await?;
    refused(rules.release().await, &["drop data from a", "none of them holds"])?;
    refused(rules.held().await, &["none of them holds"])?;
    let large = scene.lab().mtu(65_535).build().await?;
    let all = large.rules([packets().are_held()]);
    refused(all.turn_on().await, &["up to 65535 bytes", "cannot be held"])?;
    a.write("x").ok().await?;
    b.read(1).bytes(b"x").await.map(drop)
}

async fn a_rule_that_holds_nothing_fails(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let resets = packets().from("a").flags(Flags::RST).are_held();
    let idle = lab.rules([resets]).that_may_miss().turn_on().await?;
    a.write("x").ok().await?;
    b.read(1).bytes(b"x").await?;
    same("hits", vec![0], idle.lift().await?)
}
