//! Every socket option by name is read as it was set.

use lastack::prelude::*;
use lastack::process::option::{OptionValue, SocketOption};

use crate::{holds, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-08",
        numbers_are_read_as_set
        buffers_are_doubled
        structures_are_read_as_set
        what_can_only_be_read_is_read
        an_option_of_ones_own_is_one_line
        a_value_out_of_range_is_an_errno
        queues_are_counted
    );
}

async fn numbers_are_read_as_set(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    for (option, value) in [
        (option::KEEPALIVE, 1),
        (option::REUSEADDR, 1),
        (option::REUSEPORT, 1),
        (option::MARK, 7),
        (option::NODELAY, 1),
        (option::CORK, 1),
        (option::KEEPIDLE, 11),
        (option::KEEPINTVL, 12),
        (option::KEEPCNT, 13),
        (option::USER_TIMEOUT, 4500),
        (option::LINGER2, 30),
        (option::SYNCNT, 4),
        (option::RCVLOWAT, 100),
        (option::RECVERR, 1),
        (option::REPAIR, 1),
    ] {
        a.set(option, value).ok().await?;
        a.get(option).await?.is(&value)?;
    }
    Ok(())
}

async fn buffers_are_doubled(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    for option in [option::RCVBUF, option::SNDBUF] {
        a.set(option, 20_000).ok().await?;
        a.get(option).await?.is(&40_000)?;
    }
    Ok(())
}

async fn structures_are_read_as_set(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    for linger in [Linger::on(5), Linger::RESET, Linger::OFF] {
        a.set(option::LINGER, linger).ok().await?;
        a.get(option::LINGER).await?.is(&linger)?;
    }
    for option in [option::RCVTIMEO, option::SNDTIMEO] {
        let set = Duration::from_millis(200);
        a.set(option, set).ok().await?;
        let read = a.get(option).ok().await?;
        // Kept in jiffies, rounded up.
        holds("the time set", read >= set && read <= set + timers::JIFFY_AT_MOST)?;
    }
    a.read(1).errno(Errno::EAGAIN).await?;
    Ok(())
}

async fn what_can_only_be_read_is_read(scene: Scene) -> Result {
    let Pair { a, b, listener, .. } = scene.pair().connect().await?;
    a.get(option::ERROR).await?.is(&0)?;
    a.get(option::QUICKACK).ok().await?;
    same("the segment size", 1448, a.get(option::MAXSEG).ok().await?)?;
    let info = a.info().ok().await?;
    same("its state", Some(State::Established), info.state())?;
    same("its segment size", 1448, info.snd_mss())?;
    holds("its timeout", info.rto() >= timers::RTO_MIN)?;
    same("a listener's state", Some(State::Listen), listener.info().ok().await?.state())?;
    a.set(option::ERROR, 0).errno(Errno::ENOPROTOOPT).await?;
    same(
        "names",
        (b.local_address(), a.remote_address()),
        (a.peer().ok().await?, b.local().ok().await?),
    )
}

async fn an_option_of_ones_own_is_one_line(scene: Scene) -> Result {
    // TCP_NOTSENT_LOWAT, tcp(7).
    const NOTSENT_LOWAT: SocketOption<i32> = SocketOption::new(6, 25, "TCP_NOTSENT_LOWAT");
    let Pair { a, .. } = scene.pair().connect().await?;
    a.set(NOTSENT_LOWAT, 16_384).ok().await?;
    a.get(NOTSENT_LOWAT).await?.is(&16_384)?;
    same("its size", 4, <i32 as OptionValue>::ROOM)
}

async fn a_value_out_of_range_is_an_errno(scene: Scene) -> Result {
    let Pair { a, .. } = scene.pair().connect().await?;
    a.set(option::KEEPIDLE, 0).errno(Errno::EINVAL).await?;
    a.set(option::KEEPCNT, 1000).errno(Errno::EINVAL).await?;
    a.set(option::USER_TIMEOUT, -1).errno(Errno::EINVAL).await?;
    Ok(())
}

async fn queues_are_counted(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    a.write("12345").ok().await?;
    b.poll(Events::IN, None).ok().await?;
    b.unread().await?.is(&5)?;
    let _hole = lab.black_hole().from("a").open().await?;
    a.write("1234567").ok().await?;
    a.unacknowledged().await?.is(&7)?;
    a.unsent().await?.is(&0)?;
    Ok(())
}
