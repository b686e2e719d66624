//! A lingering close() returns when the peer's kernel has acknowledged the FIN: neither earlier,
//! when only the data is, nor later, when the peer closes.
//! Source: `net/core/stream.c` `sk_stream_wait_close`, `sk_stream_closing`.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(5);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-02"]).claims(["A11", "B38", "B39"]).waits(Duration::from_secs(1));
    rule.source("stream.c sk_stream_wait_close, sk_stream_closing; tcp.c __tcp_close");
    rule.case("lingering_close_returns_when_its_fin_is_acknowledged").across(Ip::BOTH, returns);
    rule.case("acknowledged_data_does_not_end_the_lingering")
        .claims(["A11", "B38"])
        .source("stream.c sk_stream_closing")
        .across(Ip::BOTH, data_alone);
}

async fn returns(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    a.write("last words").ok().await?;

    let close = a.close().await?.succeeds()?;
    // The application at b has neither read nor closed.
    b.kernel().is(State::CloseWait)?;
    a.kernel().is(State::FinWait2)?;
    let fin = lab.wire().expect(fin().from("a")).await?;
    let answer = lab.wire().expect(pure_ack().from("b").ack(fin.end())).after(&fin).await?;
    close.returned_after(&answer)?.took_within(&LINGER.cut_short())?;
    b.read(64).bytes(b"last words").await?;
    b.read(64).eof().await?;
    Ok(())
}

async fn data_alone(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    a.write("last words").ok().await?;
    a.kernel().is_acknowledged().await?;

    let hole = lab.black_hole().from("a").only(Flags::FIN).open().await?;
    let close = a.close().start().await?;
    // Long enough for the kernel to have tried twice.
    lab.wire().expect(fin().from("a").retransmitted(true)).await?;
    let close = close.blocked().await?;
    b.read(64).bytes(b"last words").await?;
    hole.lift().await?;

    let heard = fin().from("a").arrived(true);
    let heard = lab.wire().expect(heard).within(Duration::from_secs(5)).await?;
    let close = close.done().await?.succeeds()?;
    close.returned_after(&heard)?.took_within(&LINGER.cut_short())?;
    Ok(())
}
