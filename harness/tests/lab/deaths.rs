//! What each death looks like on the wire, and what each is not: a process that ends says goodbye
//! or slams the door, one that hangs is answered for by its kernel, a machine that dies is silent,
//! and one that sleeps is late.

use lastack::prelude::*;

use crate::{holds, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-33" on both kinds,
        a_process_that_ends_says_goodbye_whatever_ended_it
        a_process_that_ends_with_unread_data_slams_the_door
        a_hung_process_is_answered_for_until_its_window_is_full
        a_powered_off_machine_is_silent_and_so_is_its_link
        a_panicked_machine_is_silent_and_holds_its_link
        a_booted_machine_knows_of_nothing
        a_sleeping_machine_is_silent_and_then_only_late
    );
}

async fn a_process_that_ends_says_goodbye_whatever_ended_it(
    scene: Scene,
    kind: HostKind,
) -> Result {
    let lab = scene.lab().kind("b", kind).build().await?;
    for (_, ending) in ProcessEnd::ALL {
        let before = lab.wire().mark().await?;
        let Pair { a, b, .. } = scene.pair().connect_in(&lab).await?;
        b.process.end_by(ending).await?;
        a.read(1).eof().await?;
        lab.wire().expect(fin().from("b").empty().arrived(true)).after(before).await?;
        lab.wire().absent(before, rst()).await?;
        b.kernel().reaches(State::FinWait2).await?;
        a.close().ok().await?;
        b.kernel().reaches(State::TimeWait).await?;
        a.kernel().is_gone().await?;
    }
    Ok(())
}

async fn a_process_that_ends_with_unread_data_slams_the_door(
    scene: Scene,
    kind: HostKind,
) -> Result {
    let lab = scene.lab().kind("b", kind).build().await?;
    for (_, ending) in ProcessEnd::ALL {
        let before = lab.wire().mark().await?;
        let Pair { a, b, .. } = scene.pair().connect_in(&lab).await?;
        a.write("unread").ok().await?;
        b.kernel().has_unread(6).await?;
        b.process.end_by(ending).await?;
        a.read(1).errno(Errno::ECONNRESET).await?;
        lab.wire().expect(rst().from("b").arrived(true)).after(before).await?;
        lab.wire().absent(before, fin()).await?;
        b.kernel().is_gone().await?;
    }
    Ok(())
}

async fn a_hung_process_is_answered_for_until_its_window_is_full(
    scene: Scene,
    kind: HostKind,
) -> Result {
    const MUCH: u32 = 20_000;
    let pair = scene.pair().kind("b", kind).small_window_at_b().connect().await?;
    let reading = pair.b.read_until(MUCH.into()).on("reader").blocks().await?;
    pair.b.process.stop().await?;
    let hung = pair.lab.wire().mark().await?;
    pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    wire.expect(pure_ack().from("b").window(0).arrived(true)).after(hung).await?;
    wire.expect(probe().from("a").arrived(true)).after(hung).await?;
    wire.absent(hung, data().from("b")).await?;
    wire.absent(hung, ending()).await?;
    a.kernel().is(State::Established)?;
    b.process.resume()?;
    reading.done().await?.whole(MUCH.into()).map(drop)
}

/// Whether the middle's end of `b`'s cable has a link.
async fn link_to_b(lab: &Lab) -> Result<bool> {
    let patch = lab.patch()?;
    patch.rtnl().is_operational(patch.port_to("b")?.index).await
}

/// Nothing comes of `b`'s death by itself, and nothing of what is said to it.
async fn silent(lab: &Lab, a: &End, death: Death) -> Result<lastack::fault::Outage> {
    let before = lab.wire().mark().await?;
    let dead = death.now().await?;
    lab.wire().absent(before, any()).await?;
    a.kernel().is(State::Established)?;
    holds("a keeps its link", a.host().has_carrier().await?)?;
    a.write("hello?").ok().await?;
    let again = data().from("a").retransmitted(true);
    lab.wire().in_order(before, [data().from("a"), again.clone(), again], 5 * SECOND).await?;
    lab.wire().absent(before, any().from("b")).await?;
    holds("it counts", dead.sent_unacknowledged().await?.len() >= 3)?;
    Ok(dead)
}

const SECOND: Duration = Duration::from_secs(1);

async fn a_powered_off_machine_is_silent_and_so_is_its_link(
    scene: Scene,
    kind: HostKind,
) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    let dead = silent(&lab, &a, lab.power_off("b")).await?;
    same("b's link", false, link_to_b(&lab).await?)?;
    let lost = dead.sent_unacknowledged().await?;
    holds("nothing arrived", lost.iter().all(|segment| segment.arrived.is_none()))
}

async fn a_panicked_machine_is_silent_and_holds_its_link(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    let dead = silent(&lab, &a, lab.panic("b")).await?;
    same("b's link", true, link_to_b(&lab).await?)?;
    let lost = dead.sent_unacknowledged().await?;
    holds("all got to its card", lost.iter().all(|segment| segment.arrived.is_some()))
}

async fn a_booted_machine_knows_of_nothing(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).connect().await?;
    let before = lab.wire().mark().await?;
    lab.power_off("b").that_may_miss().now().await?.boot().await?;
    same("b's sockets", 0, b.host().sockets()?.len())?;
    lab.wire().absent(before, any()).await?;
    a.write("anyone?").ok().await?;
    a.read(1).errno(Errno::ECONNRESET).await?;
    let answer = [data().from("a").arrived(true), rst().from("b").arrived(true)];
    lab.wire().exactly(before, answer).await?;
    // And is a machine like any.
    let Pair { a, b, .. } = scene.pair().connect_in(&lab).await?;
    b.write("news").ok().await?;
    a.read(64).bytes(b"news").await.map(drop)
}

async fn a_sleeping_machine_is_silent_and_then_only_late(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).connect().await?;
    let reading = b.read(64).on("reader").blocks().await?;
    let before = lab.wire().mark().await?;
    let sleep = lab.suspend("b").await?;
    a.write("wake up").ok().await?;
    let again = || data().from("a").retransmitted(true);
    let lost = [data().from("a"), again(), again()].map(|it| it.arrived(false));
    lab.wire().in_order(before, lost, 5 * SECOND).await?;
    lab.wire().absent(before, any().from("b").arrived(true)).await?;
    same("b's link", true, link_to_b(&lab).await?)?;
    holds("it counts", sleep.sent_unacknowledged().await?.len() >= 3)?;
    sleep.resume().await?;
    reading.done().await?.bytes(b"wake up")?;
    lab.wire().expect(again().arrived(true)).after(before).await?;
    lab.wire().absent(before, ending()).await
}
