//! TCP_USER_TIMEOUT goes from a listener to what it accepts, which acts on it.
//! Source: `net/core/sock.c` `sk_clone_lock`; tcp(7) TCP_USER_TIMEOUT.

use lastack::prelude::*;

const TIMEOUT: Duration = Duration::from_millis(500);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["UT-13"]).waits(Duration::from_secs(1));
    rule.source("sock.c sk_clone_lock; tcp(7) TCP_USER_TIMEOUT; accept(2)");
    rule.case("accepted_socket_inherits_the_user_timeout_and_acts_on_it")
        .across(Ip::BOTH, inherited);
}

async fn inherited(scene: Scene, ip: Ip) -> Result {
    let timeout = TIMEOUT.as_millis() as i32;
    let builder = scene.pair().ip(ip).option_on_listener(option::USER_TIMEOUT, timeout);
    let Pair { lab, a, b, .. } = builder.connect().await?;
    a.get(option::USER_TIMEOUT).await?.is(&0)?;
    b.get(option::USER_TIMEOUT).await?.is(&timeout)?;

    let _hole = lab.black_hole().open().await?;
    a.write("x").ok().await?;
    b.write("x").ok().await?;
    let read = b.read(1).await?.errno(Errno::ETIMEDOUT)?;
    let first = lab.wire().first_timeout("b", Wire::start()).await?;
    let window = Window::wheel([timers::user_timeout(TIMEOUT)], "TCP_USER_TIMEOUT");
    window.judge("the time from the first timeout was", read.ended().since(first.at()))?;
    // Whoever was not told keeps trying.
    a.kernel().is(State::Established)?;
    Ok(())
}
