//! A path that opens only now and then: each setting of netem's slots by its own mark on when
//! datagrams arrive.

use lastack::prelude::*;

use crate::holds;
use crate::shower::{QUIET, Shower};

const MS: Duration = Duration::from_millis(1);

pub fn cases(family: &mut Family) {
    macro_rules! with_netem {
        ($($name:ident)*) => {
            $(family.case(stringify!($name)).covers(["ZZ-44"]).source("sch_netem.c get_slot_next").waits(2 * QUIET).across(Ip::BOTH, $name);)*
        };
    }
    with_netem!(
        a_slot_lets_one_through_at_a_time
        a_slot_lets_so_many_bytes_through
        a_change_of_slots_keeps_nothing_of_the_old
    );
    // A hundred slots by the clock, none of which a wait of the machine's may shorten.
    let spread = [
        ("uniform", Distribution::Uniform),
        ("normal", Distribution::Normal),
        ("pareto", Distribution::Pareto),
    ];
    family
        .case("slots_are_spread_as_their_distribution_says")
        .covers(["ZZ-44"])
        .source("sch_netem.c get_slot_next")
        .needs([Need::VirtualTime])
        .waits(u32::from(SLOTS) * SLOT)
        .across(spread, slots_are_spread);
}

async fn a_slot_lets_one_through_at_a_time(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let slot = Slot { packets: 1, ..Slot::every(40 * MS) };
    let path = shower.impair(Netem::new().slot(slot)).await?;
    let arrivals = shower.arrivals(6).await?;
    for pair in arrivals.windows(2) {
        a_slot().judge("apart", pair[1].since(pair[0]))?;
    }
    path.lift().await.map(drop)
}

/// The slot counts from when the kernel took the one before out of its queue.
fn a_slot() -> Window {
    Window::at_least(30 * MS, "a slot, less a tick")
}

async fn a_slot_lets_so_many_bytes_through(scene: Scene, ip: Ip) -> Result {
    let mut shower = Shower::over(&scene, ip).await?;
    shower.length = 1000;
    // The second frame is begun with bytes left and gets through whole, the third waits.
    let slot = Slot { bytes: 1500, ..Slot::every(40 * MS) };
    let path = shower.impair(Netem::new().slot(slot)).await?;
    let arrivals = shower.arrivals(9).await?;
    for three in arrivals.windows(3) {
        a_slot().judge("the third from the first", three[2].since(three[0]))?;
    }
    let together = arrivals.windows(2).any(|pair| pair[1].since(pair[0]) < 30 * MS);
    holds("two come together", together)?;
    path.lift().await.map(drop)
}

async fn a_change_of_slots_keeps_nothing_of_the_old(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let spread = Slot { distribution: Distribution::Pareto, ..Slot::between(MS, 3 * MS) };
    let mut path = shower.impair(Netem::new().slot(Slot { packets: 3, ..spread })).await?;
    path.change(Netem::new().slot(Slot { packets: 1, ..Slot::every(40 * MS) })).await?;
    for pair in shower.arrivals(6).await?.windows(2) {
        a_slot().judge("apart", pair[1].since(pair[0]))?;
    }
    path.change(Netem::new().loss(0.0)).await?;
    let got = shower.pour(6).await?;
    let took = got.iter().map(|it| it.at.since(it.sent)).max().unwrap_or_default();
    holds("without slots nobody waits for one", got.len() == 6 && took < 40 * MS)?;
    path.lift().await.map(drop)
}

const SLOTS: u16 = 100;
const SLOT: Duration = Duration::from_millis(300);

async fn slots_are_spread(scene: Scene, distribution: Distribution) -> Result {
    const DEVIATION: Duration = Duration::from_millis(75);
    // By how many standard deviations some slots must be shorter than the mean, and none may. That
    // some are: 100 draws of 20 %, 16 % and 18 %. Other distributions than the right one would have
    // some of the latter: 100 draws of 11 %, and of 14 % where the bell curve is expected evenly.
    let (some, none) = match distribution {
        Distribution::Uniform => (0.6, 1.0),
        Distribution::Normal => (1.0, 4.0),
        Distribution::Pareto => (0.5, 0.58),
    };
    let shower = Shower::over(&scene, Ip::V4).await?;
    let slot = Slot { jitter: DEVIATION, distribution, packets: 1, ..Slot::every(SLOT) };
    let path = shower.impair(Netem::new().slot(slot)).await?;
    let arrivals = shower.arrivals(SLOTS + 1).await?;
    let short = |far: f64, late: Duration| {
        let limit = SLOT.saturating_sub(DEVIATION.mul_f64(far) + late);
        arrivals.windows(2).filter(|pair| pair[1].since(pair[0]) < limit).count()
    };
    holds(&format!("some are {some} deviations short"), short(some, Duration::ZERO) > 0)?;
    same(&format!("those {none} deviations short"), 0, short(none, 10 * MS))?;
    path.lift().await.map(drop)
}
