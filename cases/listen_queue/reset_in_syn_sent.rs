//! A connecting client believes a reset only when that acknowledges its SYN: a bare reset, or one
//! that acknowledges something else, could be from anybody.
//! Source: RFC 9293 3.10.7.3; `net/ipv4/tcp_input.c` `tcp_rcv_synsent_state_process`.

use lastack::prelude::*;

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LQ-07"]).waits(Duration::from_millis(200));
    rule.source("RFC 9293 3.10.7.3; tcp_input.c tcp_rcv_synsent_state_process");
    rule.case("connecting_client_believes_a_reset_that_acknowledges_its_syn")
        .across(Ip::BOTH, only_that);
}

async fn only_that(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let wire = lab.wire();
    let client = lab.host("a")?.process().await?;
    let address = lab.host("b")?.address(ip, PORT);
    let _lost = lab.black_hole().from("a").open().await?;
    let socket = client.socket(address).ok().await?;
    let connect = socket.connect(address).on("connector").blocks().await?;
    let source = socket.local().ok().await?;
    let kernel = SocketView::new(client.host(), source, address);
    wire.expect(syn().from("a")).await?;

    let impostor = lab.impersonate_towards(address, source)?;
    let bare = impostor.rst().send().await?;
    // A wrong acknowledgement lets Linux ask again early (TCP_TIMEOUT_MIN), for it could be about
    // an earlier connection.
    for wrong in [0, 2] {
        impostor.rst_ack().ack(wrong).send().await?;
    }
    let connect = connect.stays_blocked(Duration::from_millis(200)).await?;
    kernel.is(State::SynSent)?;
    wire.absent(&bare, ending().from("a")).await?;

    let reset = impostor.rst_ack().ack(1).send().await?;
    connect.done().await?.errno(Errno::ECONNREFUSED)?.returned_after(&reset)?;
    kernel.is_gone().await?;
    same("forged", 4, impostor.sent())
}
