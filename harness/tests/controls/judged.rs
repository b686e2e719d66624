//! Cases that expect something else than what happens, one for each kind of expectation.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let id = ["ZZ-01"];
    family.case("wrong_errno").covers(id).source("here").across(Ip::BOTH, wrong_errno);
    family.case("wrong_bytes").covers(id).source("here").run(wrong_bytes);
    family.case("an_error_where_none_should_be").covers(id).source("here").run(unforeseen);
    family.case("missing_segment").covers(id).source("here").run(missing_segment);
    family.case("segments_in_another_order").covers(id).source("here").run(another_order);
    family.case("forbidden_segment").covers(id).source("here").across(Ip::BOTH, forbidden);
    family.case("a_segment_too_many").covers(id).source("here").run(too_many);
    family.case("wrong_state").covers(id).source("here").run(wrong_state);
    family.case("a_state_that_never_comes").covers(id).source("here").run(no_such_state);
    family.case("idle_black_hole").covers(id).source("here").run(idle_black_hole);
    family.case("black_hole_for_others").covers(id).source("here").run(hole_for_others);
    family.case("fails_behind_a_black_hole").covers(id).source("here").run(behind_a_hole);
    family.case("returns_instead_of_blocking").covers(id).source("here").run(returns);
    family.case("too_early").covers(id).source("here").run(too_early);
}

async fn wrong_errno(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    let read = b.read(1).start().await?.blocked().await?;
    a.reset().await?;
    read.done().await?.errno(Errno::EPIPE)?;
    Ok(())
}

async fn wrong_bytes(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write("what was sent").ok().await?;
    b.read(64).bytes(b"what was wanted").await?;
    Ok(())
}

async fn unforeseen(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.shut_wr().ok().await?;
    a.write("after the end").ok().await?;
    Ok(())
}

async fn missing_segment(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let established = lab.wire().mark().await?;
    a.close().ok().await?;
    lab.wire().expect(fin().from("a")).after(established).await?;
    lab.wire().expect(rst()).after(established).within(Duration::from_millis(200)).await?;
    Ok(())
}

async fn another_order(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let established = lab.wire().mark().await?;
    a.shut_wr().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    let order = [fin().from("b"), fin().from("a")];
    lab.wire().in_order(established, order, Duration::from_millis(200)).await?;
    Ok(())
}

async fn forbidden(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let established = lab.wire().mark().await?;
    a.reset().await?;
    lab.wire().never(established, rst()).for_(Duration::from_secs(5)).await
}

async fn too_many(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let established = lab.wire().mark().await?;
    a.close().ok().await?;
    b.read(1).eof().await?;
    b.close().ok().await?;
    b.kernel().is_gone().await?;
    lab.wire().exactly(established, [fin().from("a")]).among(fin()).await?;
    Ok(())
}

async fn wrong_state(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.kernel().is(State::CloseWait)?;
    Ok(())
}

async fn no_such_state(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    a.kernel().reaches_within(State::TimeWait, Duration::from_millis(300)).await?;
    Ok(())
}

async fn idle_black_hole(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let hole = lab.black_hole().open().await?;
    drop(hole);
    a.write("nothing in the way").ok().await?;
    Ok(())
}

async fn hole_for_others(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let _hole = lab.black_hole().from("b").only(Flags::RST).open().await?;
    a.write("ordinary").ok().await?;
    b.read(64).bytes(b"ordinary").await?;
    Ok(())
}

async fn behind_a_hole(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let _hole = lab.black_hole().open().await?;
    a.write("swallowed").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    // Long enough for a's next retransmission to be due when the guard is dropped.
    b.kernel().reaches_within(State::CloseWait, Duration::from_secs(2)).await?;
    Ok(())
}

async fn returns(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.close().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    let _pending = b.read(1).start().await?.stays_blocked(Duration::from_secs(5)).await?;
    Ok(())
}

async fn too_early(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    let lingers = Window::wheel([Duration::from_secs(30)], "SO_LINGER of 30 s");
    a.close().await?.took_within(&lingers)?;
    Ok(())
}
