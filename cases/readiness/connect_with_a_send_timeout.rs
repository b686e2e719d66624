//! SO_SNDTIMEO ends a connect() that takes too long, but not the attempt: the call fails with
//! EINPROGRESS as if it had been non-blocking, the kernel goes on sending SYNs, and the attempt
//! ends when it would have ended anyway. Who has parked in poll is told then.
//! Source: `net/ipv4/af_inet.c` `__inet_stream_connect`, `inet_wait_for_connect`; socket(7)
//! SO_SNDTIMEO; `net/ipv4/tcp_timer.c` `tcp_write_timeout`; ip-sysctl tcp_syn_retries,
//! tcp_syn_linear_timeouts.

use lastack::prelude::*;

/// `SO_SNDTIMEO` of the client.
const PATIENCE: Duration = Duration::from_secs(1);
/// `tcp_syn_retries` as it comes.
const RETRIES: u32 = 6;
/// `tcp_syn_linear_timeouts` as it comes, where there is such a thing.
const LINEAR: u32 = 4;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PV-10"]).needs([Need::VirtualTime]).waits(Duration::from_secs(135));
    rule.source("af_inet.c __inet_stream_connect; socket(7); tcp_timer.c tcp_write_timeout");
    rule.case("connect_attempt_outlives_its_send_timeout_by_two_minutes")
        .needs([Need::Kernel(6, 5)])
        .across(Ip::BOTH, |scene, ip| outlives(scene, ip, LINEAR, 11));
    rule.case("connect_attempt_before_linear_timeouts_outlives_its_send_timeout_by_two_minutes")
        .needs([Need::Before(6, 5)])
        .waits(Duration::from_secs(131))
        .across(Ip::BOTH, |scene, ip| outlives(scene, ip, 0, 7));
}

async fn outlives(scene: Scene, ip: Ip, linear: u32, syns: usize) -> Result {
    let lab = scene.lab().build().await?;
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    server.listen(address).await?;
    let socket = client.socket(address).ok().await?;
    socket.set(option::SNDTIMEO, PATIENCE).ok().await?;
    let window = Window::wheel([PATIENCE], "SO_SNDTIMEO");

    let _silence = lab.black_hole().open().await?;
    socket.connect(address).errno(Errno::EINPROGRESS).await?.took_within(&window)?;
    let attempt = End::new(socket.clone(), socket.local().ok().await?, address);
    attempt.kernel().is(State::SynSent)?;
    socket.polls_as(Events::NONE).await?;
    // Who asks again waits as long again, for the same attempt.
    socket.connect(address).errno(Errno::EALREADY).await?.took_within(&window)?;

    let parked = socket.poll(Events::ALL, None).on("poller").blocks().await?;
    let woken = parked.done().await?.is(&(Events::ALL | Events::ERR | Events::HUP))?;
    let (expected, end) = timers::connect(RETRIES, linear);
    let sent = lab.wire().exactly(Wire::start(), vec![syn().from("a"); syns]).await?;
    let waits = expected.windows(2).map(|pair| pair[1] - pair[0]);
    let window = Window::wheel(waits.chain([end - expected[syns - 1]]), "every SYN's wait");
    window.judge("the attempt ended after", woken.ended().since(sent[0].at()))?;

    attempt.kernel().is_gone().await?;
    socket.get(option::ERROR).await?.is(&(Errno::ETIMEDOUT as i32))?;
    // A reader could take it for a connection that was made and ended.
    socket.read(1).eof().await?;
    Ok(())
}
