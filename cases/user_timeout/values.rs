//! TCP_USER_TIMEOUT is off unless set, and takes any number of milliseconds that is not negative.
//! Source: `net/ipv4/tcp.c` `do_tcp_setsockopt`; tcp(7).

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-12"]).waits(Duration::from_secs(2));
    rule.source("tcp.c do_tcp_setsockopt TCP_USER_TIMEOUT; tcp(7)");
    rule.case("negative_user_timeout_is_refused").across(Ip::BOTH, refused);
    rule.case("user_timeout_of_zero_takes_it_back")
        .source("tcp_timer.c retransmits_timed_out; tcp(7)")
        .across(Ip::BOTH, taken_back);
}

const TIMEOUT: Duration = Duration::from_millis(500);

async fn refused(scene: Scene, ip: Ip) -> Result {
    let Pair { a, b, listener, .. } = scene.pair().ip(ip).connect().await?;
    let fresh = a.process.socket(a.local_address()).ok().await?;
    for socket in [&a as &Socket, &b, &listener, &fresh] {
        socket.get(option::USER_TIMEOUT).await?.is(&0)?;
        for value in [1, i32::MAX, 4321] {
            socket.set(option::USER_TIMEOUT, value).ok().await?;
            socket.get(option::USER_TIMEOUT).await?.is(&value)?;
        }
        for value in [-1, i32::MIN] {
            socket.set(option::USER_TIMEOUT, value).errno(Errno::EINVAL).await?;
        }
        socket.get(option::USER_TIMEOUT).await?.is(&4321)?;
    }
    Ok(())
}

async fn taken_back(scene: Scene, ip: Ip) -> Result {
    let timeout = TIMEOUT.as_millis() as i32;
    let builder = scene.pair().ip(ip).option_on_a(option::USER_TIMEOUT, timeout);
    let Pair { lab, a, b, .. } = builder.connect().await?;
    a.set(option::USER_TIMEOUT, 0).ok().await?;

    // The write, its tail loss probe, and three timeouts, the last six after the first.
    let hole = lab.black_hole().open().await?;
    a.write("x").ok().await?;
    let lost = vec![data().from("a").arrived(false); 5];
    let sent = lab.wire().in_order(Wire::start(), lost, 8 * TIMEOUT).await?;
    let lasted = sent[4].at().since(sent[2].at());
    check("it outlived the user timeout", lasted, more_than(TIMEOUT))?;
    hole.lift().await?;
    b.read(1).bytes(b"x").await?;
    a.kernel().is(State::Established)?;
    Ok(())
}
