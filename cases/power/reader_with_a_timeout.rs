//! A reader's own time limit, SO_RCVTIMEO, tells it nothing of a dead peer: the read fails with
//! EAGAIN, and the connection is as it was.
//! Source: `socket(7)` SO_RCVTIMEO; `net/ipv4/tcp.c` `tcp_recvmsg_locked`.

use lastack::prelude::*;

const LIMIT: Duration = Duration::from_millis(700);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["OP-14"]).waits(Duration::from_secs(1));
    rule.source("socket(7) SO_RCVTIMEO; tcp.c tcp_recvmsg_locked");
    rule.case("receive_timeout_ends_the_read_and_not_the_connection").on_both_kinds(timed_read);
}

async fn timed_read(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    a.set(option::RCVTIMEO, LIMIT).ok().await?;
    let established = lab.wire().mark().await?;
    let _dead = lab.power_off("b").that_may_miss().now().await?;

    let window = Window::wheel([LIMIT], "SO_RCVTIMEO");
    a.read(1).errno(Errno::EAGAIN).await?.took_within(&window)?;
    a.kernel().is(State::Established)?;
    let error = a.get(option::ERROR).ok().await?;
    same("the pending error", 0, error)?;
    lab.wire().absent(established, any()).await
}
