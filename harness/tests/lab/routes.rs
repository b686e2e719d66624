//! Routes that lead nowhere and neighbours that are not where they are believed to be.

use lastack::prelude::*;

use crate::{holds, told};

pub fn cases(family: &mut Family) {
    let ways = [
        ("deleted", (Misroute::Deleted, Errno::ENETUNREACH)),
        ("unreachable", (Misroute::Unreachable, Errno::EHOSTUNREACH)),
        ("prohibit", (Misroute::Prohibit, Errno::EACCES)),
        ("blackhole", (Misroute::Blackhole, Errno::EINVAL)),
    ];
    told!(family, "ZZ-21" across ways, a_misled_host_is_told_by_its_own_kernel);
    told!(family, "ZZ-21" across Ip::BOTH,
        a_misdirected_segment_is_taken_in_by_nobody
        nobody_answers_who_is_where
        a_host_in_doubt_asks
    );
}

async fn a_misled_host_is_told_by_its_own_kernel(
    scene: Scene,
    (how, errno): (Misroute, Errno),
) -> Result {
    let lab = scene.lab().build().await?;
    let process = lab.host("a")?.process().await?;
    let wrong = lab.misroute("a", "b", how).await?;
    for ip in [Ip::V4, Ip::V6] {
        let far = lab.host("b")?.address(ip, PORT);
        process.socket(far).ok().await?.connect(far).errno(errno).await?;
    }
    wrong.lift().await?;
    for ip in [Ip::V4, Ip::V6] {
        let far = lab.host("b")?.address(ip, PORT);
        process.socket(far).ok().await?.connect(far).errno(Errno::ECONNREFUSED).await?;
    }
    Ok(())
}

async fn a_misdirected_segment_is_taken_in_by_nobody(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wrong = lab.misdirect("a", "b").await?;
    a.write("stray").ok().await?;
    lab.wire().expect(data().from("a")).await?;
    lab.wire().expect(data().from("a").retransmitted(true)).await?;
    same("unread at b", 0, b.kernel().is(State::Established)?.receive_queue)?;
    wrong.lift().await?;
    b.read(64).bytes(b"stray").await.map(drop)
}

async fn nobody_answers_who_is_where(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().neighbours(Neighbours::Learned).build().await?;
    let silence = lab.swallow_address_resolution().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let process = a.process().await?;
    let far = b.address(ip, PORT);
    let connect = process.socket(far).ok().await?.connect(far).blocks().await?;
    let connect = connect.stays_blocked(Duration::from_millis(300)).await?;
    holds("it swallows questions", silence.swallowed().await? >= 1)?;
    lab.wire().absent(Wire::start(), any()).await?;
    holds("it counts", silence.lift().await? >= 1)?;
    // The next question is answered.
    connect.done().await?.errno(Errno::ECONNREFUSED)?;
    same("a's neighbour", Some(b.mac().to_vec()), a.rtnl()?.neighbour(b.ip(ip)).await?)
}

async fn a_host_in_doubt_asks(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } =
        scene.pair().ip(ip).neighbours(Neighbours::Learned).connect().await?;
    let family = if ip == Ip::V4 { "ipv4" } else { "ipv6" };
    a.host().set_sysctl(&format!("net.{family}.neigh.eth0.delay_first_probe_time"), "0")?;
    let before = lab.wire().strays().len();
    let doubt = lab.doubt("a", "b").await?;
    a.write("are you there?").ok().await?;
    b.read(64).bytes(b"are you there?").await?;
    let question = || lab.wire().strays()[before..].iter().any(|stray| stray.from == "a");
    for _ in 0..500 {
        if question() {
            return doubt.lift().await;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err(Error::mismatch("a, unsure of b", "asks who has its address", "asked nothing"))
}
