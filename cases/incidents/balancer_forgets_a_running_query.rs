//! A query that runs for longer than a load balancer remembers an idle connection has nobody to
//! answer: the balancer resets the server, or drops its answer until the server gives up. The
//! client hears of neither and waits on, for a day if nobody stops it. When it speaks itself it is
//! reset, or goes through the same quarter of an hour.
//! Source: AWS documentation of network load balancers (idle timeout 350 s); Vertica documentation
//! of connection load balancing; `net/netfilter/nf_conntrack_proto_tcp.c`; `net/ipv4/tcp_timer.c`
//! `tcp_write_timeout`; ip-sysctl tcp_retries2.

use lastack::{prelude::*, process::Pending};

/// After how much silence the balancers of a large provider forget.
const FORGETS: Duration = Duration::from_secs(350);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["IN-05"]).needs([Need::VirtualTime]);
    rule.waits(timers::A_DAY);
    rule.source("AWS network load balancer, idle timeout; nf_conntrack_proto_tcp.c; tcp_retries2");
    rule.case("answer_to_a_query_that_a_balancer_forgot_never_reaches_the_client")
        .across([("reset", Strangers::Reset), ("dropped", Strangers::Drop)], never_answered);
}

const QUERY: &[u8] = b"SELECT everything";

async fn never_answered(scene: Scene, strangers: Strangers) -> Result {
    let lab = scene.lab().routed().build().await?;
    let balancer = lab.router_tracks().strict().strangers(strangers).idle_timeout(FORGETS);
    let balancer = balancer.turn_on().await?;
    let Pair { a: client, b: server, .. } = scene.pair().connect_in(&lab).await?;
    client.write(QUERY).ok().await?;
    server.read(100).bytes(QUERY).await?;
    client.kernel().is_acknowledged().await?;
    let answer = client.read(100).on("reader").blocks().await?;

    let running = lab.wire().mark().await?;
    balancer.forgets_within(2 * FORGETS).await?;
    lab.wire().absent(running, any()).await?;
    let waiting = server.read(1).on("reader").blocks().await?;
    speaks_unanswered(&lab, &server, waiting, strangers).await?;
    let answer = answer.stays_blocked(timers::A_DAY).await?;
    lab.wire().absent(running, any().to("a").arrived(true)).await?;
    let entry = client.kernel().is(State::Established)?;
    same("timer of the client", None, entry.timer)?;

    let late = lab.wire().mark().await?;
    speaks_unanswered(&lab, &client, answer, strangers).await?;
    lab.wire().absent(late, any().to("b").arrived(true)).await
}

/// What becomes of an end that says something across the balancer and waits in a read.
async fn speaks_unanswered(
    lab: &Lab,
    end: &End,
    reading: Pending<Vec<u8>>,
    strangers: Strangers,
) -> Result {
    let (wire, host) = (lab.wire(), end.host().name());
    let give_up = GiveUp::stock(end.rto().await?);
    let silence = wire.mark().await?;
    end.write("something").ok().await?;
    let told = reading.done().await?;
    let said = wire.expect(data().from(host).arrived(false)).after(silence).await?;
    if strangers == Strangers::Drop {
        return give_up
            .judge(&wire.retries_of(&said).await?, told.errno(Errno::ETIMEDOUT)?.ended());
    }
    told.errno(Errno::ECONNRESET)?;
    let reset = rst().from_middle().to(host);
    wire.exactly(silence, [data().from(host), reset]).await?;
    Ok(())
}
