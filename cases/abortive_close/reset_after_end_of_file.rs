//! A reset that comes after the peer's FIN is a broken pipe, not a reset connection: a reader
//! never learns of it, a writer gets EPIPE and SIGPIPE at once.
//! Source: `net/ipv4/tcp_input.c` `tcp_reset` (CLOSE_WAIT); `tcp.c` `tcp_recvmsg_locked`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["AB-04"]).claims(["A37", "A38"]);
    rule.source("tcp_input.c tcp_reset; tcp.c tcp_recvmsg_locked; stream.c sk_stream_error");
    rule.case("reset_in_close_wait_is_a_broken_pipe_and_never_econnreset").across(
        (VIEWS, Ip::OVER).but(["read_over_ipv6", "poll_over_ipv6", "pending_error_over_ipv6"]),
        broken_pipe,
    );
}

#[derive(Clone, Copy)]
enum View {
    Write,
    Read,
    Poll,
    PendingError,
}

const VIEWS: [(&str, View); 4] = [
    ("write", View::Write),
    ("read", View::Read),
    ("poll", View::Poll),
    ("pending_error", View::PendingError),
];

async fn broken_pipe(scene: Scene, (view, ip): (View, Ip)) -> Result {
    let Pair { a, b, .. } = scene.pair().ip(ip).connect().await?;

    a.shut_wr().ok().await?;
    b.kernel().reaches(State::CloseWait).await?;
    a.reset().await?;
    b.kernel().is_gone().await?;

    match view {
        View::Write => {
            b.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
            b.read(100).eof().await?;
        }
        View::Read => {
            b.read(100).eof().await?;
            b.read(100).eof().await?;
            // Reading has not taken the error away.
            b.get(option::ERROR).await?.is(&(Errno::EPIPE as i32))?;
        }
        View::Poll => {
            let all = Events::ALL | Events::ERR | Events::HUP;
            b.poll(Events::ALL, None).await?.is(&all)?;
            b.read(100).eof().await?;
            b.poll(Events::ALL, None).await?.is(&all)?;
        }
        View::PendingError => {
            b.get(option::ERROR).await?.is(&(Errno::EPIPE as i32))?;
            b.get(option::ERROR).await?.is(&0)?;
            // The error is gone, the broken pipe is not.
            b.write("x").errno(Errno::EPIPE).await?.with_sigpipe()?;
        }
    }
    Ok(())
}
