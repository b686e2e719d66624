//! Who has received a FIN believes a reset at the FIN's own number, too: some stacks do not count
//! their FIN when they reset after it. One number earlier is outside the window and ignored.
//! Source: `net/ipv4/tcp_input.c` `tcp_reset_check`, `tcp_reset` (CLOSE_WAIT: EPIPE).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-13"]).source("tcp_input.c tcp_reset_check, tcp_reset");
    rule.case("reset_at_the_number_of_the_fin_is_believed").across(Ip::BOTH, one_less);
}

async fn one_less(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    b.write("last words").ok().await?;
    b.shut_wr().ok().await?;
    a.read(100).bytes(b"last words").await?;
    a.kernel().reaches(State::CloseWait).await?;
    let fin = lab.wire().expect(fin().from("b")).await?;
    let next = fin.end();
    lab.wire().expect(pure_ack().from("a").ack(next)).await?;

    let impostor = lab.impersonate(&b)?;
    let too_early = impostor.rst().seq(next - 2).send().await?;
    lab.wire().never(&too_early, any()).for_(Duration::from_millis(100)).await?;
    a.kernel().is(State::CloseWait)?;

    let reset = impostor.rst().seq(next - 1).send().await?;
    a.kernel().is_gone().await?;
    a.write("too late").await?.errno(Errno::EPIPE)?.with_sigpipe()?;
    a.read(100).eof().await?;
    lab.wire().absent(&reset, any()).await
}
