//! Cases that expect something else than what happens, one for each kind of expectation.

use std::time::Instant;

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
    family.case("redundant_black_hole").covers(id).source("here").run(redundant_hole);
    family.case("redundant_unplug").covers(id).source("here").run(redundant_unplug);
    family.case("fails_behind_a_black_hole").covers(id).source("here").run(behind_a_hole);
    family.case("returns_instead_of_blocking").covers(id).source("here").run(returns);
    family.case("too_early").covers(id).source("here").run(too_early);
    family.case("too_late").covers(id).source("here").run(too_late);
    family.case("a_segment_that_should_be_absent").covers(id).source("here").run(not_absent);
    family.case("a_call_that_should_be_blocked").covers(id).source("here").run(not_blocked);
    family.case("wrong_value").covers(id).source("here").run(wrong_value);
    family.case("less_than_the_whole").covers(id).source("here").run(less_than_whole);
    family.case("bytes_instead_of_the_end").covers(id).source("here").run(no_end);
    family.case("no_signal_where_one_should_be").covers(id).source("here").run(no_signal);
    family.case("a_signal_where_none_should_be").covers(id).source("here").run(a_signal);
    family.case("returns_before_the_segment").covers(id).source("here").run(returns_before);
    family.case("retries_too_often").covers(id).source("here").run(too_often);
    family.case("beyond_a_limit").covers(id).source("here").run(beyond_a_limit);
    family.case("after_very_many_calls").covers(id).source("here").waits(MANY_TAKE).run(many);
}

/// How often [`many`] opens a socket and closes it, and how long that takes.
pub const ROUNDS: usize = 20_000;
const MANY_TAKE: Duration = Duration::from_secs(5);

async fn wrong_errno(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;
    let read = b.read(1).blocks().await?;
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

async fn redundant_hole(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let _all = lab.black_hole().open().await?;
    let _again = lab.black_hole().from("a").open().await?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await.map(drop)
}

async fn redundant_unplug(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let _out = lab.unplug("b").now().await?;
    let _all = lab.rules([packets().from("a").are_dropped()]).turn_on().await?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await.map(drop)
}

async fn too_late(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.set(option::RCVTIMEO, Duration::from_secs(2)).ok().await?;
    let at_once = Window::wheel([Duration::from_millis(100)], "a tenth of a second");
    a.read(1).errno(Errno::EAGAIN).await?.took_within(&at_once)?;
    Ok(())
}

async fn not_absent(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let established = lab.wire().mark().await?;
    a.reset().await?;
    b.kernel().is_gone().await?;
    lab.wire().absent(established, rst().from("a").arrived(true)).await
}

async fn not_blocked(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write("here it is").ok().await?;
    b.kernel().has_any_unread().await?;
    let _pending = b.read(64).blocks().await?;
    Ok(())
}

async fn wrong_value(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.get(option::KEEPALIVE).await?.is(&1)?;
    Ok(())
}

async fn less_than_whole(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write_pattern(1000).ok().await?;
    a.shut_wr().ok().await?;
    b.read_to_end().await?.whole(1001)?;
    Ok(())
}

async fn no_end(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.write("goes on").ok().await?;
    b.read(64).eof().await?;
    Ok(())
}

async fn no_signal(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.write("heard").await?.with_sigpipe()?;
    Ok(())
}

async fn a_signal(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.shut_wr().ok().await?;
    a.write("after the end").errno(Errno::EPIPE).await?.without_signal()?;
    Ok(())
}

async fn returns_before(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let written = a.write("first").await?;
    a.shut_wr().ok().await?;
    let end = lab.wire().expect(fin().from("a")).await?;
    written.returned_after(&end)?;
    Ok(())
}

/// By a timeout three times as long it would have had to end after two retransmissions.
async fn too_often(scene: Scene) -> Result {
    let pair = scene.pair().sysctl("a", "net.ipv4.tcp_retries2", 2).connect().await?;
    let _hole = pair.lab.black_hole().open().await?;
    let unacknowledged = pair.write_unacknowledged(Errno::ETIMEDOUT).await?;
    unacknowledged.judge(&GiveUp::of(2, 3 * unacknowledged.rto))
}

async fn beyond_a_limit(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    let written = a.write("seven b").ok().await?;
    check("bytes written", written, less_than(7))
}

async fn many(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        a.process.socket(b.local_address()).ok().await?.close().ok().await?;
    }
    println!("went round for {} ms", began.elapsed().as_millis());
    check("rounds", ROUNDS, less_than(ROUNDS))
}
