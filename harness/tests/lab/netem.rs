//! Each setting of netem by its own mark on what gets through: datagrams, numbered and stamped
//! when they leave, and who received which of them when. Where chance is in it, the bounds are six
//! standard deviations wide unless said otherwise: about two failures in a thousand million.

use std::collections::{HashMap, HashSet};

use lastack::prelude::*;
use lastack::sys::qdisc::Counted;

use crate::holds;
use crate::shower::{Got, QUIET, Shower, numbers};

const MS: Duration = Duration::from_millis(1);
/// Fewer than the receive buffer of a datagram socket takes, should nobody read.
const MANY: u16 = 200;

pub fn cases(family: &mut Family) {
    macro_rules! with_netem {
        ($($name:ident)*) => {
            $(family.case(stringify!($name)).covers(["ZZ-40"]).source("sch_netem.c").waits(2 * QUIET).across(Ip::BOTH, $name);)*
        };
    }
    with_netem!(
        a_jitter_is_spread_as_its_distribution_says
        a_fully_correlated_jitter_overtakes_nobody
        a_loss_takes_its_share_of_all
        a_fully_correlated_loss_takes_all_or_nothing
        bursts_alternate_where_they_must
        bursts_change_their_mind_seldom
        a_duplicate_is_one_of_two
        a_fully_correlated_duplication_copies_all_or_nothing
        every_fifth_overtakes
        a_fully_correlated_reordering_is_of_all_or_nothing
        what_is_corrupt_never_reaches_a_socket
        a_fully_correlated_corruption_spoils_all_or_nothing
        overhead_and_cells_cost_time
        what_finds_no_room_is_lost
        a_change_acts_on_what_flows
        counters_know_what_waits
    );
    family
        .case("the_same_seed_takes_the_same")
        .covers(["ZZ-40"])
        .source("sch_netem.c")
        .needs([Need::Kernel(6, 6)])
        .waits(4 * QUIET)
        .across(Ip::BOTH, the_same_seed_takes_the_same);
}

/// Expects a number of things that happen to each of `of` with this probability.
fn share(what: &str, seen: usize, of: u16, probability: f64) -> Result {
    let (mean, of) = (f64::from(of) * probability, f64::from(of));
    let reach = 6.0 * (of * probability * (1.0 - probability)).sqrt();
    holds(&format!("{what}: {seen} of {of} is {mean:.0} ± {reach:.0}"), {
        (seen as f64 - mean).abs() <= reach
    })
}

async fn a_jitter_is_spread_as_its_distribution_says(scene: Scene, ip: Ip) -> Result {
    const MEAN: Duration = Duration::from_millis(170);
    const DEVIATION: Duration = Duration::from_millis(40);
    // How far before the mean some must lie, and none may, in standard deviations. A late machine
    // moves everything the other way. That some do: 200 draws of 20 %, 16 % and 8 %.
    for (kind, some, none) in [
        (Distribution::Uniform, 0.6, 1.0),
        (Distribution::Normal, 1.0, 4.0),
        (Distribution::Pareto, 0.5, 0.58),
    ] {
        let shower = Shower::over(&scene, ip).await?;
        let jitter = Netem::new().delay(MEAN).jitter_of(DEVIATION, kind);
        let path = shower.impair(jitter).await?;
        let all = shower.pour(MANY).await?;
        same("received", usize::from(MANY), all.len())?;
        let early = |far: f64| {
            let limit = MEAN - DEVIATION.mul_f64(far);
            all.iter().filter(|it| it.at.since(it.sent) < limit).count()
        };
        holds(&format!("{kind}: some are {some} deviations early"), early(some) > 0)?;
        same(&format!("{kind}: those {none} deviations early"), 0, early(none))?;
        path.lift().await?;
    }
    Ok(())
}

async fn a_fully_correlated_jitter_overtakes_nobody(scene: Scene, ip: Ip) -> Result {
    let jitter = || Netem::new().delay(100 * MS).jitter(80 * MS);
    for (netem, in_order) in [(jitter().delay_correlation(100.0), true), (jitter(), false)] {
        let shower = Shower::over(&scene, ip).await?;
        let path = shower.impair(netem).await?;
        let all = shower.pour(60).await?;
        same("received", 60, all.len())?;
        // By chance they would be in order once in 60! times.
        same("in order", in_order, numbers(&all).is_sorted())?;
        path.lift().await?;
    }
    Ok(())
}

async fn a_loss_takes_its_share_of_all(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let path = shower.impair(Netem::new().loss(30.0)).await?;
    let all = shower.pour(MANY).await?;
    share("lost", usize::from(MANY) - all.len(), MANY, 0.3)?;
    let counted = path.lift().await?;
    same(
        "the kernel's counts",
        (all.len() as u64, u64::from(MANY) - all.len() as u64),
        (counted.passed, counted.lost),
    )
}

/// How many of a shower something happens to that has an even chance, with each the same fate as
/// the one before: all or none, which is chance once in 2^63 times, and in the long run both. The
/// first fate is the kernel's own draw (`init_crandom`), which no seed decides.
async fn all_or_nothing(
    scene: &Scene,
    ip: Ip,
    netem: Netem,
    happened: impl Fn(&[Got], &Counted) -> Result<u16>,
) -> Result {
    const SOME: u16 = 64;
    let (mut all, mut nothing) = (false, false);
    // Two failures in a thousand million, as everywhere here.
    for _ in 0..30 {
        let shower = Shower::over(scene, ip).await?;
        let path = shower.impair(netem.clone()).await?;
        let got = shower.pour(SOME).await?;
        let counted = path.lift().await?;
        match happened(&got, &counted)? {
            0 => nothing = true,
            SOME => all = true,
            some => {
                return Err(Error::mismatch("that many of 64", "all or none", some.to_string()));
            }
        }
        if all && nothing {
            return Ok(());
        }
    }
    Err(Error::mismatch("of thirty times", "both all and none", format!("all is {all}")))
}

async fn a_fully_correlated_loss_takes_all_or_nothing(scene: Scene, ip: Ip) -> Result {
    let netem = Netem::new().loss(50.0).loss_correlation(100.0);
    all_or_nothing(&scene, ip, netem, |got, counted| {
        same("the kernel's count", got.len() as u64, counted.passed)?;
        Ok(got.len() as u16)
    })
    .await
}

async fn bursts_alternate_where_they_must(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let model =
        GilbertElliott { to_bad: 100.0, to_good: 100.0, lost_in_bad: 100.0, lost_in_good: 0.0 };
    let path = shower.impair(Netem::new().loss_in_bursts(model)).await?;
    let all = shower.pour(20).await?;
    same("received", (0..20).step_by(2).collect(), numbers(&all))?;
    path.lift().await.map(drop)
}

async fn bursts_change_their_mind_seldom(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let model = GilbertElliott { to_bad: 2.0, to_good: 2.0, lost_in_bad: 100.0, lost_in_good: 0.0 };
    let path = shower.impair(Netem::new().loss_in_bursts(model)).await?;
    let got = numbers(&shower.pour(MANY).await?);
    let fates: Vec<_> = (0..MANY).map(|number| got.contains(&number)).collect();
    let changes = fates.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // Four on average, and more than thirty once in 10^17 times; were half of all lost one by one,
    // a hundred.
    holds("changes between lost and not", changes <= 30)?;
    path.lift().await.map(drop)
}

async fn a_duplicate_is_one_of_two(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let path = shower.impair(Netem::new().duplicate(50.0)).await?;
    let all = shower.pour(MANY / 2).await?;
    let mut times = HashMap::<_, usize>::new();
    for number in numbers(&all) {
        *times.entry(number).or_default() += 1;
    }
    same("numbers received", usize::from(MANY / 2), times.len())?;
    holds("once or twice", times.values().all(|times| *times <= 2))?;
    share("copies", all.len() - times.len(), MANY / 2, 0.5)?;
    same("passed", all.len() as u64, path.lift().await?.passed)
}

async fn a_fully_correlated_duplication_copies_all_or_nothing(scene: Scene, ip: Ip) -> Result {
    let netem = Netem::new().duplicate(50.0).duplicate_correlation(100.0);
    all_or_nothing(&scene, ip, netem, |got, _| {
        let numbers: HashSet<_> = numbers(got).into_iter().collect();
        Ok((got.len() - numbers.len()) as u16)
    })
    .await
}

async fn every_fifth_overtakes(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let path = shower.impair(Netem::new().delay(300 * MS).reorder(100.0).reorder_gap(5)).await?;
    let got = numbers(&shower.pour(20).await?);
    let others = (0..20).filter(|number| number % 5 != 4);
    same("in order of arrival", [4, 9, 14, 19].into_iter().chain(others).collect(), got)?;
    same("the kernel's count", 4, path.lift().await?.reordered)
}

async fn a_fully_correlated_reordering_is_of_all_or_nothing(scene: Scene, ip: Ip) -> Result {
    const LATE: Duration = Duration::from_millis(300);
    let netem = Netem::new().delay(LATE).reorder(50.0).reorder_correlation(100.0);
    all_or_nothing(&scene, ip, netem, |got, counted| {
        // Who overtakes is not held back, and nobody else comes early.
        let early = got.iter().filter(|it| it.at.since(it.sent) < LATE).count();
        holds("those that come early overtake", early as u64 <= counted.reordered)?;
        Ok(counted.reordered as u16)
    })
    .await
}

async fn what_is_corrupt_never_reaches_a_socket(scene: Scene, ip: Ip) -> Result {
    let mut shower = Shower::over(&scene, ip).await?;
    shower.length = 200;
    let path = shower.impair(Netem::new().corrupt(100.0)).await?;
    let all = shower.pour(MANY).await?;
    // What no checksum covers: six bytes of the sender's hardware address, of IPv6's header four
    // and a half. Of 262 bytes that is eight frames in two hundred, and more than thirty once in
    // 10^9 times.
    holds("next to nothing is received", all.len() <= 30)?;
    holds("all of it right", all.iter().all(|it| it.whole))?;
    path.lift().await.map(drop)
}

async fn a_fully_correlated_corruption_spoils_all_or_nothing(scene: Scene, ip: Ip) -> Result {
    let netem = Netem::new().corrupt(50.0).corrupt_correlation(100.0);
    all_or_nothing(&scene, ip, netem, |got, _| {
        let whole = got.iter().filter(|it| it.whole).count();
        // Of 74 bytes (94 with IPv6) six are the sender's hardware address and four and a half the
        // label of IPv6, and who flips a bit there spoils nothing: seven of 64, and more than
        // thirty once in 10^11 times. Where every second is whole, so are more than 30, mostly.
        Ok(if whole <= 30 { 64 } else { 64 - whole as u16 })
    })
    .await
}

async fn overhead_and_cells_cost_time(scene: Scene, ip: Ip) -> Result {
    let plain = Rate::bytes(100_000);
    let heavy = Rate { overhead: 1000, ..plain };
    // A frame of a thousand bytes and its headers fills eleven cells.
    let cells = Rate { cell: 100, cell_overhead: 100, ..plain };
    for (rate, each) in [(plain, 1000), (heavy, 2000), (cells, 2200)] {
        let mut shower = Shower::over(&scene, ip).await?;
        shower.length = 1000;
        let path = shower.impair(Netem::new().rate(rate)).await?;
        let all = shower.pour(20).await?;
        same("received", 20, all.len())?;
        let took = all[19].at.since(all[0].sent);
        let least = Duration::from_micros(20 * each * 10);
        Window::at_least(least, format!("{each} bytes each")).judge("twenty datagrams", took)?;
        path.lift().await?;
    }
    Ok(())
}

async fn what_finds_no_room_is_lost(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let path = shower.impair(Netem::new().delay(300 * MS).limit(5)).await?;
    let all = shower.pour(20).await?;
    same("received", (0..5).collect(), numbers(&all))?;
    same("the kernel's count", 15, path.lift().await?.lost)
}

async fn a_change_acts_on_what_flows(scene: Scene, ip: Ip) -> Result {
    const FLOW: u16 = 400;
    let shower = Shower::over(&scene, ip).await?;
    let mut path = shower.impair(Netem::new().loss(0.0)).await?;
    let got = shower.pour_while(FLOW, MS, async {
        while path.counted().await?.passed < 50 {
            tokio::time::sleep(MS).await;
        }
        path.change(Netem::new().loss(100.0)).await?;
        while path.counted().await?.lost < 50 {
            tokio::time::sleep(MS).await;
        }
        path.change(Netem::new().loss(0.0)).await
    });
    let got = numbers(&got.await?);
    let lost = path.lift().await?.lost;
    holds("the first and the last came", got.contains(&0) && got.contains(&(FLOW - 1)))?;
    let holes: Vec<_> =
        got.windows(2).filter(|pair| pair[1] != pair[0] + 1).map(|it| it[1] - it[0] - 1).collect();
    same("holes", vec![lost], holes.iter().map(|hole| u64::from(*hole)).collect())?;
    holds("a hole of fifty at least", lost >= 50)
}

async fn counters_know_what_waits(scene: Scene, ip: Ip) -> Result {
    let shower = Shower::over(&scene, ip).await?;
    let path = shower.impair(Netem::new().delay(Duration::from_secs(60))).await?;
    let all = shower.pour(7).await?;
    same("received", Vec::new(), numbers(&all))?;
    let counted = path.counted().await?;
    same("waiting, passed, lost", (7, 0, 0), (counted.waiting, counted.passed, counted.lost))?;
    path.lift().await.map(drop)
}

async fn the_same_seed_takes_the_same(scene: Scene, ip: Ip) -> Result {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let shower = Shower::over(&scene, ip).await?;
        let path = shower.impair(Netem::new().loss(50.0).seed(seed)).await?;
        runs.push(numbers(&shower.pour(64).await?));
        path.lift().await?;
    }
    // By chance the first would hold, and the second fail, once in 2^64 times.
    same("what the same seed lets through", &runs[1], &runs[0])?;
    holds("another seed lets through others", runs[1] != runs[2])
}
