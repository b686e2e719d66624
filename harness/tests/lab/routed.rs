//! A router carries, answers, drops, translates and forgets as it is told.

use std::net::SocketAddr;

use lastack::prelude::*;

use crate::{holds, refused};

pub fn cases(family: &mut Family) {
    macro_rules! routed {
        ($($name:ident)*) => {$(
            family
                .case(stringify!($name))
                .covers(["ZZ-17"])
                .source("lastack's own word")
                .across(Ip::BOTH, $name);
        )*};
    }
    routed!(
        a_router_carries_both_ways_and_is_one_hop
        hosts_behind_a_router_are_learned_too
        a_dead_host_behind_a_router_boots_again
        a_patch_s_faults_are_refused_on_a_router
        an_impostor_s_words_are_forwarded
        a_router_answers_with_icmp_and_forwards_nothing
        a_router_lets_time_run_out
        a_router_drops_only_what_it_is_told
        a_router_resets_in_the_receiver_s_name
        impossible_router_faults_are_refused
        a_masqueraded_host_is_seen_as_the_router
        a_router_that_forgot_a_connection_resets_it
        an_idle_connection_is_forgotten
        impossible_tracking_is_refused
    );
}

async fn a_router_carries_both_ways_and_is_one_hop(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    a.write("there").ok().await?;
    b.read(64).bytes(b"there").await?;
    b.write("and back").ok().await?;
    a.read(64).bytes(b"and back").await?;
    lab.wire().absent(Wire::start(), any().arrived(false)).await?;
    lab.wire().absent(Wire::start(), any().from_middle()).await?;
    if ip == Ip::V4 {
        holds("it forwards", lab.router()?.counter("ForwDatagrams")? >= 5)?;
    }
    let (near, far) = (lab.router()?.address("a", ip)?, lab.router()?.address("b", ip)?);
    holds("its addresses differ", near != far && near != a.local_address().ip())
}

async fn hosts_behind_a_router_are_learned_too(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().routed().neighbours(Neighbours::Learned).ip(ip);
    let Pair { a, b, .. } = pair.connect().await?;
    a.write("there").ok().await?;
    b.read(64).bytes(b"there").await.map(drop)
}

async fn a_dead_host_behind_a_router_boots_again(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().routed().ip(ip).connect().await?;
    let dead = lab.power_off("b").now().await?;
    a.write("anyone?").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    dead.boot().await?;
    a.read(1).errno(Errno::ECONNRESET).await.map(drop)
}

async fn a_patch_s_faults_are_refused_on_a_router(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().routed().ip(ip).connect().await?;
    refused(lab.black_hole().open().await, &["no patch", "routed"])?;
    refused(lab.suspend("a").await, &["suspend host a", "no patch", "routed"])?;
    refused(lab.unplug("a").now().await, &["unplug host a", "routed"])?;
    refused(lab.reject_from("a").turn_on().await, &["no patch", "routed"])?;
    a.write("still there").ok().await.map(drop)
}

async fn an_impostor_s_words_are_forwarded(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    let forged = lab.impersonate(&a)?.data("not from a").send().await?;
    b.read(64).bytes(b"not from a").await?;
    same("it came over a's cable", ("a", false), (forged.from.as_str(), forged.from_middle()))?;
    let nobody = SocketAddr::new(lab.router()?.address("a", ip)?, 9);
    refused(lab.impersonate_towards(nobody, b.local_address()), &["no host", "impostor"])
}

async fn a_router_answers_with_icmp_and_forwards_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    let error = lab.router_answers(IcmpError::HostUnreachable).from("a").turn_on().await?;
    b.write("unharmed").ok().await?;
    a.read(64).bytes(b"unharmed").await?;
    a.write("lost").ok().await?;
    let lost = lab.wire().expect(data().from("a").arrived(false)).await?;
    let answers = lab.wire().strays();
    let quoting = answers.iter().filter(|stray| {
        stray.to == "a"
            && stray.sent.is_none()
            && stray.what.src == lab.router().and_then(|it| it.address("a", ip)).ok()
            && stray.what.quoted.is_some_and(|quoted| quoted.src_port == lost.src.port())
    });
    holds("it answers in its own name", quoting.count() >= 1)?;
    holds("it counts", error.lift().await? >= 1)?;
    b.read(64).bytes(b"lost").await.map(drop)
}

async fn a_router_lets_time_run_out(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().routed().ip(ip).connect().await?;
    let _loop = lab.router_answers(IcmpError::TimeExceeded).from("a").turn_on().await?;
    a.write("round and round").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    let said = lab.wire().strays().into_iter().any(|it| it.what.text.contains("time exceeded"));
    holds("it says so", said)
}

async fn a_router_drops_only_what_it_is_told(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    let drops = lab.router_drops().from("a").only(Flags::PSH).longer_than(600).turn_on().await?;
    a.write("short").ok().await?;
    b.read(64).bytes(b"short").await?;
    b.write_pattern(1000).ok().await?;
    lab.wire().expect(data().from("b").payload(1000).arrived(true)).await?;
    a.write_pattern(1000).ok().await?;
    lab.wire().expect(data().from("a").payload(1000).arrived(false)).await?;
    let errors = lab.wire().strays().into_iter().filter(|it| it.what.quoted.is_some()).count();
    same("it says nothing, errors", 0, errors)?;
    holds("it drops long data only", drops.hit().await?.iter().all(|it| it.payload == 1000))
}

async fn a_router_resets_in_the_receiver_s_name(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    let _resets = lab.router_resets().from("a").only(Flags::PSH).turn_on().await?;
    a.write("refused").ok().await?;
    lab.wire().expect(rst().from_middle().to("a")).await?;
    a.read(1).errno(Errno::ECONNRESET).await?;
    b.kernel().is(State::Established).map(drop)
}

async fn impossible_router_faults_are_refused(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().routed().ip(ip).connect().await?;
    refused(lab.router_drops().from("c").turn_on().await, &["no host c", "a, b"])?;
    let unknown = IcmpError::V4(16);
    refused(lab.router_answers(unknown).turn_on().await, &["no ICMP unreachable code 16"])?;
    refused(lab.router_drops().longer_than(70_000).turn_on().await, &["70000"])?;
    let patched = scene.pair().ip(ip).connect().await?;
    refused(patched.lab.router_drops().turn_on().await, &["router drops", "routed()"])?;
    a.write("works").ok().await?;
    b.read(9).bytes(b"works").await.map(drop)
}

async fn a_masqueraded_host_is_seen_as_the_router(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let outside = lab.router()?.address("b", ip)?;
    same("b's peer", outside, b.remote_address().ip())?;
    same("a's own address", a.host().ip(ip), a.local_address().ip())?;
    a.write("there").ok().await?;
    b.read(64).bytes(b"there").await?;
    b.write("and back").ok().await?;
    a.read(64).bytes(b"and back").await?;
    same("connections", 1, nat.known()?)?;
    // One story, though the addresses differ on the two sides.
    lab.wire().absent(Wire::start(), any().arrived(false)).await?;
    lab.wire().absent(Wire::start(), any().from_middle()).await?;
    lab.wire().expect(data().from("a").to("b").seq(1)).await.map(drop)
}

async fn a_router_that_forgot_a_connection_resets_it(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").turn_on().await?;
    let Pair { b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    nat.forget().await?;
    same("connections", 0, nat.known()?)?;
    b.write("hello?").ok().await?;
    lab.wire().expect(rst().from_middle().to("b")).await?;
    b.read(1).errno(Errno::ECONNRESET).await?;
    lab.wire().absent(Wire::start(), data().arrived(true)).await
}

async fn an_idle_connection_is_forgotten(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let idle = Duration::from_secs(1);
    let tracking = lab.router_tracks().idle_timeout(idle).turn_on().await?;
    let Pair { a, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    a.write("once").ok().await?;
    a.kernel().is_acknowledged().await?;
    lab.wire().settle().await?;
    let last = lab.wire().segments().last().expect("a handshake was seen").at();
    let forgotten = tracking.forgets_within(Duration::from_secs(4)).await?;
    tracking
        .idle_window(idle, Duration::from_secs(4))
        .judge("the entry lived", forgotten.since(last))?;
    a.kernel().is(State::Established)?;
    tracking.lift().await
}

async fn impossible_tracking_is_refused(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().routed().build().await?;
    let tracks = || lab.router_tracks();
    let half = Duration::from_millis(1500);
    refused(tracks().idle_timeout(half).turn_on().await, &["whole number", "1.5s"])?;
    refused(tracks().masquerading("c").turn_on().await, &["no host c"])?;
    let nat = tracks().masquerading("a").that_may_miss().turn_on().await?;
    refused(nat.forget().await, &["knew of none"])?;
    refused(tracks().turn_on().await, &["tracks connections already", "lift that first"])?;
    nat.lift().await?;
    let _other_way = tracks().turn_on().await?;
    scene.pair().ip(ip).connect_in(&lab).await.map(drop)
}
