//! A host that is a guest kernel is a host like any other, but for what it says it cannot do.

use lastack::prelude::*;

use crate::{holds, refused};

pub fn cases(family: &mut Family) {
    macro_rules! on_guests {
        ($($name:ident)*) => {
            $(family.case(stringify!($name)).covers(["ZZ-30"]).source("lastack's own word").waits(Duration::from_secs(5)).run($name);)*
        };
    }
    on_guests!(
        a_guest_s_processes_are_driven_like_any
        a_guest_carries_bulk_whole
        a_guest_answers_for_its_kernel
        a_guest_on_a_direct_cable_is_seen_at_both_ends
        a_guest_panics_and_boots_anew
        what_a_guest_cannot_do_it_refuses
        two_guests_talk
        a_guest_behind_a_router_talks
        a_guest_dies_once
        an_impostor_speaks_to_a_guest_and_for_it
        a_guest_s_own_queue_has_no_room
    );
    family
        .case("a_rule_for_what_a_guest_sends_hits")
        .covers(["ZZ-30"])
        .source("lastack's own word")
        .waits(Duration::from_secs(5))
        .run(a_rule_for_what_a_guest_sends_hits);
}

async fn a_guest_s_processes_are_driven_like_any(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().guest("b").connect().await?;
    let reading = b.read(10).on("reader").blocks().await?;
    a.write("hello").ok().await?;
    let heard = reading.done().await?.bytes(b"hello")?;
    holds("the guest's clock is the machine's", heard.ended() <= Stamp::now())?;
    b.host().process_named("mortal").await?.end_by(ProcessEnd::Crash).await?;
    let other = b.host().process_named("other").await?;
    other.interrupt_on(Signal::SIGUSR1).ok().await?;
    let listener = other.listen(b.host().address(Ip::V4, 81)).await?;
    let accepting = listener.accept().on("waiter").blocks().await?;
    accepting.signal(Signal::SIGUSR1)?.done().await?.errno(Errno::EINTR)?;
    other.stop().await?;
    other.resume()?;
    other.kill().await?;
    refused(other.socket(b.local_address()).await, &["other"])?;
    b.process.kill().await?;
    a.read(1).eof().await.map(drop)
}

async fn a_guest_carries_bulk_whole(scene: Scene) -> Result {
    const BYTES: u32 = 1 << 20;
    let Pair { lab, a, b, .. } = scene.pair().guest("b").connect().await?;
    for (from, to) in [(&a, &b), (&b, &a)] {
        let draining = to.read_until(BYTES.into()).on("reader").start().await?;
        let mut written = 0;
        while written < BYTES {
            let place = u64::from(written);
            written += from.write_pattern_from(place, BYTES - written).ok().await? as u32;
        }
        draining.done().await?.whole(BYTES.into())?;
    }
    // What the guest sends is cut into segments in the guest, as on a wire.
    lab.wire().settle().await?;
    let longest = lab.wire().segments().iter().map(|segment| segment.payload).max();
    holds("no segment is larger than the MTU", longest <= Some(1460))?;
    // A message many times the line's buffer comes through it as it was.
    a.write([7; 40_000]).ok().await?;
    b.kernel().has_unread(40_000).await?;
    b.read(40_000).bytes(&[7; 40_000]).await.map(drop)
}

async fn a_guest_answers_for_its_kernel(scene: Scene) -> Result {
    let knob = "net.ipv4.tcp_retries2";
    let Pair { a, b, .. } = scene.pair().guest("b").sysctl("b", knob, 7).connect().await?;
    let host = b.host();
    same("a knob set by the lab", "7", host.sysctl(knob)?.as_str())?;
    host.set_sysctl(knob, "8")?;
    same("a knob set by the case", "8", host.sysctl(knob)?.as_str())?;
    same("the machine's own", "15", a.host().sysctl(knob)?.as_str())?;
    refused(host.sysctl("net.no.such"), &["net.no.such", "no such sysctl"])?;
    refused(host.sysctl("kernel.panic"), &["unknown sysctl"])?;
    holds("a counter", host.counter("TCPOrigDataSent")? < 100)?;
    same("its sockets", 2, host.sockets()?.len())?;
    same("its connection", b.remote_address(), b.kernel().is(State::Established)?.remote)
}

async fn a_guest_on_a_direct_cable_is_seen_at_both_ends(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().direct().guest("b").connect().await?;
    b.write("there").ok().await?;
    a.read(64).bytes(b"there").await?;
    lab.wire().settle().await?;
    let segments = lab.wire().segments();
    holds("all arrived", segments.iter().all(|it| it.sent.is_some() && it.arrived >= it.sent))
}

async fn a_guest_panics_and_boots_anew(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().guest("b").connect().await?;
    let reading = b.read(1).on("reader").blocks().await?;
    let outage = lab.panic("b").that_may_miss().now().await?;
    refused(reading.done().await, &["b/server", "died with its machine"])?;
    refused(b.process.wait().await, &["whole machine has died"])?;
    refused(b.host().sockets(), &["b has panicked"])?;
    outage.boot().await?;
    same("what it remembers", 0, b.host().sockets()?.len())?;
    a.write("anyone?").ok().await?;
    a.read(1).errno(Errno::ECONNRESET).await.map(drop)
}

async fn what_a_guest_cannot_do_it_refuses(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().guest("b").connect().await?;
    let words = ["host b is a guest kernel"];
    refused(b.process.fork("child").await, &words)?;
    refused(b.process.exec_again().await, &words)?;
    refused(b.process.join(&b.process).await, &words)?;
    refused(b.host().run(|| ()).await, &words)?;
    refused(b.host().spawn(std::process::Command::new("true")), &words)?;
    refused(b.host().netns(), &words)?;
    refused(b.host().lose_network().await, &words)?;
    refused(b.host().destroy(&b.kernel().is(State::Established)?), &words)?;
    let typo = scene.lab().guest("c").build().await;
    refused(typo, &["host c", "guest", "not in the lab"])?;
    // And is none the worse for it.
    a.write("still there?").ok().await?;
    b.read(64).bytes(b"still there?").await.map(drop)
}

async fn two_guests_talk(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().guest("a").guest("b").ip(Ip::V6).connect().await?;
    a.write("ping").ok().await?;
    b.read(64).bytes(b"ping").await?;
    b.close().ok().await?;
    a.read(64).eof().await.map(drop)
}

async fn a_guest_behind_a_router_talks(scene: Scene) -> Result {
    for ip in [Ip::V4, Ip::V6] {
        let Pair { a, b, .. } = scene.pair().routed().guest("b").ip(ip).connect().await?;
        b.write("from afar").ok().await?;
        a.read(64).bytes(b"from afar").await?;
    }
    Ok(())
}

async fn an_impostor_speaks_to_a_guest_and_for_it(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().guest("b").connect().await?;
    lab.impersonate(&a)?.data("false").send().await?;
    b.read(9).bytes(b"false").await?;
    // Behind a router it speaks where the guest's card is.
    let Pair { lab, a, b, .. } = scene.pair().guest("b").routed().connect().await?;
    lab.impersonate(&b)?.data("false").send().await?;
    a.read(9).bytes(b"false").await.map(drop)
}

async fn a_guest_s_own_queue_has_no_room(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().guest("b").connect().await?;
    let before = lab.wire().mark().await?;
    let full = lab.full_queue("b").await?;
    b.write("at last").ok().await?;
    holds("it refuses", full.refused().await? > 0)?;
    lab.wire().absent(before, any()).await?;
    full.lift().await?;
    a.read(64).bytes(b"at last").await.map(drop)
}

async fn a_rule_for_what_a_guest_sends_hits(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().guest("b").connect().await?;
    let rules = lab.rules([packets().from("b").carrying_data().first(1).are_dropped()]);
    let rules = rules.turn_on().await?;
    b.write("at last").ok().await?;
    a.read(64).bytes(b"at last").await?;
    lab.wire().expect(data().from("b").arrived(false)).await?;
    same("hits", vec![1], rules.lift().await?)
}

async fn a_guest_dies_once(scene: Scene) -> Result {
    let lab = scene.lab().guest("b").build().await?;
    let (card, routes) = (lab.host("b")?.interface(), lab.host("b")?.rtnl()?);
    holds("its card", routes.is_running(card).await?)?;
    let outage = lab.power_off("b").that_may_miss().now().await?;
    // Who still speaks to it is not left waiting.
    refused(routes.is_running(card).await, &["Host is down"])?;
    refused(lab.power_off("b").now().await, &["b is powered off"])?;
    refused(lab.panic("b").now().await, &["b is powered off"])?;
    refused(lab.host("b")?.process().await, &["b is powered off"])?;
    outage.boot().await?;
    lab.host("b")?.process().await.map(drop)
}
