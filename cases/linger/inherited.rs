//! An accepted socket inherits SO_LINGER from its listener, as it does keepalive, the user
//! timeout and TCP_LINGER2. O_NONBLOCK belongs to the descriptor and is not inherited.
//! Source: `net/core/sock.c` `sk_clone_lock`, which copies the listener's socket; accept(2).

use lastack::prelude::*;

const LINGER: Linger = Linger::on(3);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-14"]).claims(["B34"]).source("sock.c sk_clone_lock; accept(2)");
    rule.case("accepted_socket_inherits_the_listeners_linger").across(Ip::BOTH, inherits);
}

async fn inherits(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let client = lab.host("a")?.process_named("client").await?;
    let server = lab.host("b")?.process_named("server").await?;
    let address = lab.host("b")?.address(ip, PORT);
    let numbers = [
        (option::KEEPALIVE, 1),
        (option::KEEPIDLE, 33),
        (option::USER_TIMEOUT, 4321),
        (option::LINGER2, 7),
    ];

    let listener = server.listen(address).await?;
    listener.set(option::LINGER, LINGER).ok().await?;
    for (option, value) in numbers {
        listener.set(option, value).ok().await?;
    }
    listener.nonblocking(true).ok().await?;
    client.connect(address).await?;
    listener.poll(Events::IN, None).await?.is(&Events::IN)?;
    let accepted = listener.accept().ok().await?;

    accepted.get(option::LINGER).await?.is(&LINGER)?;
    for (option, value) in numbers {
        accepted.get(option).await?.is(&value)?;
    }
    let _ = accepted.read(1).blocks().await?;
    Ok(())
}
