//! Forged segments arrive, are believed, and are seen for what they are.

use lastack::prelude::*;

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-12" across Ip::BOTH,
        forged_data_is_read
        a_forged_reset_is_believed
        a_forged_syn_opens_no_second_connection
        a_stranger_may_be_invented
        an_impossible_impostor_is_refused
    );
}

async fn forged_data_is_read(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.write("true").ok().await?;
    b.read(9).bytes(b"true").await?;
    let impostor = lab.impersonate(&a)?;
    // Of odd length, so that the checksum has a last byte alone.
    let seen = impostor.data("false").send().await?;
    b.read(9).bytes(b"false").await?;
    holds("made in the middle", seen.from_middle())?;
    same("where", (5, 1, 5), (seen.seq, seen.ack, seen.payload))?;
    holds("with time stamps", seen.options.timestamps.is_some())?;
    lab.wire().expect(pure_ack().from("b").ack(10)).after(&seen).await?;
    same("sent", 1, impostor.sent())?;
    same("bad checksums", 0, b.host().counter("InCsumErrors")?)
}

async fn a_forged_reset_is_believed(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let read = a.read(1).blocks().await?;
    lab.impersonate(&b)?.rst().send().await?;
    read.done().await?.errno(Errno::ECONNRESET)?;
    b.kernel().is(State::Established).map(drop)
}

async fn a_forged_syn_opens_no_second_connection(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let forged = lab.impersonate(&a)?.syn().seq(1).send().await?;
    let answer = lab.wire().expect(pure_ack().from("b").ack(1)).after(&forged).await?;
    same("connections", (0, 0), (forged.connection, answer.connection))?;
    b.kernel().is(State::Established).map(drop)
}

async fn a_stranger_may_be_invented(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (from, to) = (lab.host("a")?.address(ip, 4000), lab.host("b")?.address(ip, PORT));
    let forged = lab.impersonate_towards(from, to)?.syn().send().await?;
    let refusal = lab.wire().expect(rst().from("b").ack(1)).after(&forged).await?;
    same("connection", forged.connection, refusal.connection)
}

async fn an_impossible_impostor_is_refused(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (from, to) = (lab.host("a")?.address(ip, 4000), lab.host("b")?.address(ip, PORT));
    let other = if ip == Ip::V4 { Ip::V6 } else { Ip::V4 };
    let across = lab.host("a")?.address(other, 4000);
    refused(lab.impersonate_towards(across, to).map(drop), &["address family"])?;
    let outside = if ip == Ip::V4 { "192.0.2.1:80" } else { "[2001:db8::1]:80" };
    let outside = outside.parse().expect("an address");
    refused(lab.impersonate_towards(from, outside).map(drop), &["no host of this lab"])?;
    let impostor = lab.impersonate_towards(from, to)?;
    refused(impostor.pure_ack().send().await, &["has sent nothing"])?;
    let long = vec![0; 70_000];
    impostor.syn().send().await?;
    refused(impostor.data(long).send().await, &["70000 bytes", "packet"])
}
