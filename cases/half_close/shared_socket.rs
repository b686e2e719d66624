//! shutdown() acts on the connection, not on the descriptor: whoever holds a copy, in the same
//! process or in a child, shuts it down for all holders at once. Closing a copy would not.
//! Source: shutdown(2); fork(2); `net/ipv4/af_inet.c` `inet_shutdown`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HC-11"]).claims(["B2"]);
    rule.source("shutdown(2); fork(2); af_inet.c inet_shutdown");
    rule.case("a_shutdown_through_one_copy_is_a_shutdown_for_all")
        .across(([("dup", Copied::ByDup), ("fork", Copied::ByFork)], Ip::BOTH), for_all);
}

#[derive(Clone, Copy)]
enum Copied {
    ByDup,
    ByFork,
}

async fn for_all(scene: Scene, (copied, ip): (Copied, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    let established = wire.mark().await?;
    let [copy, third] = match copied {
        Copied::ByDup => [a.dup().ok().await?, a.dup().ok().await?],
        Copied::ByFork => {
            let (child, sibling) =
                (a.process.fork("child").await?, a.process.fork("sibling").await?);
            [a.in_process(&child), a.in_process(&sibling)]
        }
    };

    third.close().ok().await?;
    wire.absent(established, any()).await?;

    copy.shut_wr().ok().await?;
    a.kernel().reaches(State::FinWait2).await?;
    b.read(100).eof().await?;
    a.write("too late").errno(Errno::EPIPE).await?.with_sigpipe()?;
    b.write("to either").ok().await?;
    a.read(100).bytes(b"to either").await?;
    wire.exactly(established, [fin().from("a").empty()]).among(fin().retransmitted(false)).await?;
    Ok(())
}
