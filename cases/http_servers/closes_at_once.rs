//! A server that has read the whole request, answered and was asked to close has nothing to linger
//! for: it closes at once, as nginx does. What is left of it waits a minute for the client's FIN,
//! and bytes that the client sends late are reset, in that minute by what is left and after it by
//! a kernel that has forgotten. The answer can be read either way.
//! Source: nginx `ngx_http_finalize_connection` (lingering_close on); `net/ipv4/tcp.c`
//! `__tcp_close`; `net/ipv4/tcp_minisocks.c` `tcp_timewait_state_process` (data in FIN_WAIT2);
//! ip-sysctl tcp_fin_timeout.

use lastack::prelude::*;

#[derive(Clone, Copy, PartialEq)]
enum Late {
    WithinTheMinute,
    AfterTheMinute,
}

pub fn cases(family: &mut Family) {
    let rule = family.rule(["HT-01"]).needs([Need::VirtualTime]).waits(timers::FIN_TIMEOUT);
    rule.source(
        "nginx ngx_http_finalize_connection; tcp_minisocks.c; ip-sysctl tcp_fin_timeout (60)",
    );
    rule.case("late_bytes_are_reset_and_the_answer_of_a_server_that_closed_at_once_is_read")
        .across(
            [("within_the_minute", Late::WithinTheMinute), ("after_it", Late::AfterTheMinute)],
            closes,
        );
}

async fn closes(scene: Scene, late: Late) -> Result {
    let (request, answer) = (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK");
    let Pair { lab, a: client, b: server, .. } = scene.pair().connect().await?;
    let rto = server.rto().await?;

    client.write(request).ok().await?;
    server.read(1000).bytes(request).await?;
    server.write(answer).ok().await?;
    server.close().ok().await?;
    let left = server.kernel().reaches(State::FinWait2).await?;
    same("its descriptors", Some(0), left.entry.map(|entry| entry.inode))?;
    let fin = lab.wire().expect(fin().from("b")).await?;
    let heard = pure_ack().from("a").ack(fin.end()).arrived(true);
    let heard = lab.wire().expect(heard).after(&fin).await?;

    match late {
        Late::WithinTheMinute => {
            let most = timers::FIN_TIMEOUT - Duration::from_secs(5);
            lab.wire().never(&heard, any()).for_(most).await?;
            server.kernel().is(State::FinWait2)?;
        }
        Late::AfterTheMinute => {
            let gone = server.kernel().runs_out_within(2 * timers::FIN_TIMEOUT).await?;
            let window =
                Window::wheel([timers::fin_wait2(timers::FIN_TIMEOUT, rto)], "tcp_fin_timeout");
            gone.judge("what was left was gone after", &window, heard.at())?;
            lab.wire().absent(&heard, any()).await?;
        }
    }
    // The answer, and one for the FIN.
    client.kernel().has_unread(answer.len() as u32 + 1).await?;
    client.kernel().is(State::CloseWait)?;
    client.write("GET /again").await?.ok()?;
    lab.wire().expect(rst().from("b").arrived(true)).after(&heard).await?;
    server.kernel().is_gone().await?;
    client.kernel().is_gone().await?;

    client.write("GET /again").errno(Errno::EPIPE).await?.with_sigpipe()?;
    client.read(1000).bytes(answer).await?;
    client.read(1000).eof().await?;
    Ok(())
}
