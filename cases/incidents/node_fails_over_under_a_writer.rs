//! A client that goes on writing to a node that has failed over, where nothing answers any more,
//! hangs for a quarter of an hour: every write succeeds, and keepalive, however it is tuned, is
//! silent for as long as data is on its way. What helps is TCP_USER_TIMEOUT.
//! Source: redis/lettuce issues 1428, 1466, 2082; `net/ipv4/tcp_timer.c` `tcp_keepalive_timer`
//! ("It is alive without keepalive"), `tcp_write_timeout`, `tcp_clamp_rto_to_user_timeout`;
//! ip-sysctl tcp_retries2; tcp(7) TCP_USER_TIMEOUT.

use lastack::prelude::*;

/// A command of the client's, and the time to the next.
const COMMAND: &[u8] = b"PING\r\n";
const PAUSE: Duration = Duration::from_secs(60);

/// As tuned by who has been bitten before, and the user timeout that goes with it.
const TUNED: Keepalive = Keepalive::new(10, 5, 3);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IN-01"]).needs([Need::VirtualTime]).waits(Duration::from_secs(940));
    rule.source("lettuce#1466; tcp_timer.c tcp_keepalive_timer, tcp_write_timeout; tcp_retries2");
    rule.case("writer_to_a_node_that_failed_over_hangs_for_a_quarter_of_an_hour_despite_keepalive")
        .across([("stock", Keepalive::STOCK), ("tuned", TUNED)], hangs);
    rule.case("user_timeout_tells_a_writer_of_a_failed_over_node_in_its_time")
        .source("lettuce#2082; tcp_timer.c tcp_clamp_rto_to_user_timeout; tcp(7) TCP_USER_TIMEOUT")
        .waits(TUNED.end())
        .run(told_in_time);
}

/// The client's conversation is one-sided from here on: two commands answered, and then none.
async fn fails_over(client: &End, node: &End, lab: &Lab) -> Result<impl Sized> {
    for _ in 0..2 {
        client.write(COMMAND).ok().await?;
        node.read(100).bytes(COMMAND).await?;
        node.write("+PONG\r\n").ok().await?;
        client.read(100).bytes(b"+PONG\r\n").await?;
    }
    node.kernel().is_acknowledged().await?;
    lab.black_hole().open().await
}

async fn hangs(scene: Scene, keepalive: Keepalive) -> Result {
    let pair = scene.pair().keepalive_on_a(keepalive).connect().await?;
    let Pair { lab, a: client, b: node, .. } = pair;
    let _gone = fails_over(&client, &node, &lab).await?;
    let rto = client.rto().await?;
    let end = GiveUp::stock(rto);
    let silence = lab.wire().mark().await?;

    let mut reading = client.read(100).on("reader").blocks().await?;
    for _ in 0..end.limit.as_secs() / PAUSE.as_secs() {
        client.write(COMMAND).await?.is(&COMMAND.len())?;
        reading = reading.stays_blocked(PAUSE).await?;
    }
    let told = reading.done().await?.errno(Errno::ETIMEDOUT)?;
    let first = lab.wire().expect(data().from("a")).after(silence).await?;
    end.judge(&lab.wire().retries_of(&first).await?, told.ended())?;
    // Nothing but the first command, again and again, and no question whether anybody is there.
    let alone = first.payload;
    let other = any().from("a").that("of anything else", move |it| it.payload != alone);
    lab.wire().absent(silence, other).await?;
    same("keepalive probes", 0, client.host().counter("TCPKeepAlive")?)?;
    client.write(COMMAND).errno(Errno::EPIPE).await?.with_sigpipe()?;
    node.kernel().is(State::Established)?;
    Ok(())
}

async fn told_in_time(scene: Scene) -> Result {
    let timeout = TUNED.end();
    let pair = scene.pair().keepalive_on_a(TUNED);
    let pair = pair.option_on_a(option::USER_TIMEOUT, timeout.as_millis() as i32);
    let Pair { lab, a: client, b: node, .. } = pair.connect().await?;
    let _gone = fails_over(&client, &node, &lab).await?;
    let silence = lab.wire().mark().await?;

    client.write(COMMAND).ok().await?;
    let told = client.read(100).errno(Errno::ETIMEDOUT).await?;
    let first = lab.wire().first_timeout("a", silence).await?;
    let window = Window::wheel([timers::user_timeout(timeout)], "TCP_USER_TIMEOUT");
    window.judge("it was told after", told.ended().since(first.at()))?;
    same("keepalive probes", 0, client.host().counter("TCPKeepAlive")?)
}
