//! Only the close() of the last descriptor lingers: to close a duplicate, or one that a child
//! still shares, costs nothing and sends nothing.
//! Source: `fs/file_table.c` `fput`; `net/ipv4/af_inet.c` `inet_release`, called for the last
//! reference.

use lastack::prelude::*;

const LINGER: Linger = Linger::on(1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LI-10"]).claims(["A11", "B36"]).waits(Duration::from_secs(1));
    rule.source("file_table.c fput; af_inet.c inet_release");
    rule.case("duplicate_is_closed_without_lingering")
        .across(Ip::BOTH, |scene, ip| shared(scene, ip, false));
    rule.case("parent_does_not_linger_while_a_child_shares_the_socket")
        .covers(["LI-19"])
        .across(Ip::BOTH, |scene, ip| shared(scene, ip, true));
}

async fn shared(scene: Scene, ip: Ip, forked: bool) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    a.set(option::LINGER, LINGER).ok().await?;
    let other =
        if forked { a.in_process(&a.process.fork("child").await?) } else { a.dup().ok().await? };

    // Nobody answers, so whoever lingers does so to the end of the time.
    let hole = lab.black_hole().open().await?;
    a.write("last words").ok().await?;
    a.close().await?.succeeds()?.took_within(&LINGER.cut_short())?;
    a.kernel().is(State::Established)?;
    lab.wire().absent(Wire::start(), fin()).await?;

    other.close().await?.succeeds()?.took_within(&LINGER.used_up())?;
    lab.wire().expect(fin().from("a")).await?;
    a.kernel().is(State::FinWait1)?;
    hole.lift().await?;
    b.read(64).bytes(b"last words").await?;
    Ok(())
}
