//! A Rust panic is an ending like the others: unwinding exits with status 101 and `panic=abort`
//! raises SIGABRT, and the survivor sees the same FIN.
//! Source: `kernel/exit.c` `do_exit`; `std::panic`; rustc's `-C panic`.

use std::os::unix::process::ExitStatusExt;

use lastack::prelude::*;

/// `fixtures/panics.rs`, compiled with `-C panic=abort`.
const PANICS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/panics"));

pub fn cases(family: &mut Family) {
    let rule = family.rule(["PD-02"]).claims(["A41"]).source("exit.c do_exit; std::panic");
    rule.case("panic_that_unwinds_closes_with_a_fin").across(Ip::BOTH, unwinds);
    rule.case("panic_that_aborts_closes_with_a_fin")
        .source("exit.c do_exit; rustc -C panic=abort")
        .across(Ip::BOTH, aborts);
}

async fn unwinds(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let read = b.read(1).blocks().await?;

    let status = match a.process.panic().await? {
        WaitStatus::Exited(_, status) => Some(status),
        _ => None,
    };
    same("exit status", Some(101), status)?;

    read.done().await?.eof()?;
    b.kernel().is(State::CloseWait)?;
    lab.wire().expect(fin().from("a").empty()).await?;
    lab.wire().absent(Wire::start(), rst()).await
}

async fn aborts(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (host_a, host_b) = (lab.host("a")?, lab.host("b")?);
    let server = host_b.process_named("server").await?;
    let address = host_b.address(ip, PORT);
    let listener = server.listen(address).await?;

    // It connects, and panics over the first byte that it reads.
    let program = host_a.spawn_image("panics", PANICS, &[&address.to_string()])?;
    let socket = listener.accept().ok().await?;
    let peer = socket.peer().ok().await?;
    let b = End::new(socket, address, peer);
    b.write("!").ok().await?;

    b.read(1).eof().await?;
    same("signal", Some(Signal::SIGABRT as i32), program.wait().await?.signal())?;
    b.kernel().is(State::CloseWait)?;
    lab.wire().expect(fin().from("a").empty()).await?;
    lab.wire().absent(Wire::start(), rst()).await
}
