//! Impaired paths: what the settings say happens, the kernel's counters say so too, and what is
//! impossible is refused by name.

use lastack::prelude::*;
use tokio::time::Instant;

use crate::{holds, refused, told};

const MS: Duration = Duration::from_millis(1);

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-22", an_impossible_impairment_is_refused a_missing_netem_is_told a_port_s_counters_are_read);
    macro_rules! with_netem {
        ($($name:ident)*) => {
            $(family.case(stringify!($name)).covers(["ZZ-22"]).source("lastack's own word").across(Ip::BOTH, $name);)*
        };
    }
    with_netem!(
        a_delay_holds_back_one_way
        a_total_loss_swallows_everything
        a_change_replaces_everything
        copies_arrive_twice
        a_rate_spreads_segments_out
        bursts_lose_whole_rows
        a_second_impairment_is_refused
        a_lifted_impairment_leaves_the_path_well
    );
    family
        .case("every_setting_is_taken_by_the_kernel")
        .covers(["ZZ-22"])
        .source("lastack's own word")
        .run(every_setting_is_taken_by_the_kernel);
}

async fn an_impossible_impairment_is_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    for (netem, words) in [
        (Netem::new().loss(-3.0), "loss of -3 %"),
        (Netem::new().loss(101.0), "loss of 101 %"),
        (Netem::new().reorder(50.0), "reorder without delay"),
        (Netem::new(), "impair nothing"),
    ] {
        refused(lab.impair(netem).turn_on().await, &["impossible impairment", words])?;
    }
    let some = || Netem::new().delay(MS);
    refused(lab.impair(some()).from("z").turn_on().await, &["no host z"])?;
    refused(lab.impair(some()).from("a").towards("b").turn_on().await, &["say one of them"])?;
    let direct = scene.lab().direct().build().await?;
    refused(direct.impair(some()).turn_on().await, &["no patch"])?;
    let three = scene.lab().hosts(&["a", "b", "c"]).build().await?;
    refused(three.impair(some()).from("a").turn_on().await, &["more than one way"])?;
    // The lab is as usable as before.
    lab.black_hole().that_may_miss().open().await?.lift().await.map(drop)
}

/// Never a path that only looks impaired.
async fn a_missing_netem_is_told(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let there = Need::Netem.check().is_ok();
    match lab.impair(Netem::new().delay(MS)).that_may_miss().turn_on().await {
        Ok(on) => {
            same("netem is there", true, there)?;
            on.lift().await.map(drop)
        }
        error => {
            same("netem is there", false, there)?;
            let unmet = error.as_ref().err().and_then(Error::as_unmet);
            same("what is unmet", Some("netem"), unmet.map(|unmet| &*unmet.need))?;
            refused(error, &["impair what goes to host a", "sch_netem"])?;
            // Nothing is left behind: the path is still free to be impaired.
            refused(lab.impair(Netem::new().delay(MS)).turn_on().await, &["sch_netem"])
        }
    }
}

/// With a qdisc that every kernel has.
async fn a_port_s_counters_are_read(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let port = lab.patch()?.port_to("b")?.index;
    let rtnl = lab.patch()?.rtnl();
    refused(rtnl.counted(port).await, &["no root qdisc"])?;
    rtnl.put_root(port, "pfifo", &100_u32.to_ne_bytes(), 0x400).await?;
    a.write("counted").ok().await?;
    b.read(64).bytes(b"counted").await?;
    let counted = rtnl.counted(port).await?;
    holds("frames and bytes", counted.passed >= 1 && counted.bytes > 7)?;
    same("lost", 0, counted.lost)?;
    rtnl.delete_root(port).await?;
    refused(rtnl.counted(port).await, &["no root qdisc"])
}

async fn a_delay_holds_back_one_way(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let slow = lab.impair(Netem::new().delay(100 * MS)).from("a").turn_on().await?;
    a.write("late").ok().await?;
    b.read(64).bytes(b"late").await?;
    let late = lab.wire().expect(data().from("a").arrived(true)).await?;
    let took = late.arrived.map_or(Duration::ZERO, |arrived| arrived.since(late.at()));
    Window::at_least(100 * MS, "the delay").judge("on the way", took)?;
    // Acknowledged at once, and seen as such: the other way is free.
    let back = lab.wire().expect(any().from("b").arrived(true)).after(&late).await?;
    let took = back.arrived.map_or(Duration::MAX, |arrived| arrived.since(back.at()));
    holds("the way back is quick", took < 100 * MS)?;
    // A segment that is held back is not one that is lost.
    same("lost", 0, lab.wire().count(Wire::start(), data().arrived(false)).await?)?;
    holds("it counts", slow.lift().await?.passed >= 1)
}

async fn a_total_loss_swallows_everything(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let dead = lab.impair(Netem::new().loss(100.0)).turn_on().await?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    holds("seen on the wire", !dead.hit().await?.is_empty())?;
    let counted = dead.lift().await?;
    same("through", 0, counted.passed)?;
    holds("the kernel's own count", counted.lost >= 1)?;
    b.read(64).bytes(b"lost").await.map(drop)
}

async fn a_change_replaces_everything(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hard = Netem::new().delay(50 * MS).jitter(10 * MS).rate(Rate::bytes(1000)).corrupt(100.0);
    let mut path = lab.impair(hard).from("a").turn_on().await?;
    a.write("mangled").ok().await?;
    lab.wire().expect(data().from("a")).await?;
    path.change(Netem::new().loss(0.0)).await?;
    // Nothing of the old settings is left: no corruption, no rate, no delay.
    b.read(64).bytes(b"mangled").await?;
    let well = lab.wire().mark().await?;
    a.write_pattern(1000).ok().await?;
    b.read_until(1000).ok().await?;
    let quick = lab.wire().expect(data().from("a").arrived(true)).after(well).await?;
    let took = quick.arrived.map_or(Duration::MAX, |arrived| arrived.since(quick.at()));
    holds("at once", took < 50 * MS)
}

async fn copies_arrive_twice(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let twice = lab.impair(Netem::new().duplicate(100.0)).from("a").turn_on().await?;
    a.write("once").ok().await?;
    lab.wire().expect(data().from("a").arrived(true)).await?;
    lab.wire().expect(data().from_middle()).await?;
    b.read(64).bytes(b"once").await?;
    let _reading = b.read(64).start().await?.stays_blocked(100 * MS).await?;
    holds("it counts copies", !twice.hit().await?.is_empty())
}

async fn a_rate_spreads_segments_out(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let slow = lab.impair(Netem::new().rate(Rate::bytes(50_000))).from("a").turn_on().await?;
    let began = Instant::now();
    a.write_pattern(10_000).ok().await?;
    b.read_until(10_000).ok().await?;
    holds("10 kB at 50 kB/s take a fifth of a second", began.elapsed() >= 180 * MS)?;
    holds("bytes are counted", slow.counted().await?.bytes >= 10_000)
}

async fn bursts_lose_whole_rows(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    // Bad from the first frame on, and never good again.
    let model =
        GilbertElliott { to_bad: 100.0, to_good: 0.0, lost_in_bad: 100.0, lost_in_good: 0.0 };
    let bursts = lab.impair(Netem::new().loss_in_bursts(model)).from("a").turn_on().await?;
    a.write_pattern(4000).ok().await?;
    let again = || data().from("a").retransmitted(true).arrived(false);
    lab.wire().in_order(Wire::start(), [again(), again()], Duration::from_secs(3)).await?;
    // Changing over takes the first frame, which still gets through.
    let counted = bursts.lift().await?;
    holds("at most one gets through", counted.passed <= 1)?;
    holds("the others do not", counted.lost >= 4)
}

async fn a_second_impairment_is_refused(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, .. } = scene.pair().ip(ip).connect().await?;
    let netem = || Netem::new().duplicate(10.0);
    let first = lab.impair(netem()).towards("b").that_may_miss().turn_on().await?;
    for second in [lab.impair(netem()), lab.impair(netem()).from("a")] {
        refused(second.turn_on().await, &["what goes to host b is impaired already"])?;
    }
    let other = lab.impair(netem()).towards("a").that_may_miss().turn_on().await?;
    drop(first);
    lab.impair(netem()).from("a").that_may_miss().turn_on().await?.lift().await?;
    other.lift().await.map(drop)
}

async fn a_lifted_impairment_leaves_the_path_well(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    for _ in 0..3 {
        lab.impair(Netem::new().delay(MS)).that_may_miss().turn_on().await?.lift().await?;
        drop(lab.impair(Netem::new().loss(100.0)).that_may_miss().turn_on().await?);
    }
    a.write("well").ok().await?;
    b.read(64).bytes(b"well").await.map(drop)
}

async fn every_setting_is_taken_by_the_kernel(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let ten = Netem::new().delay(10 * MS);
    let model = GilbertElliott { to_bad: 1.0, to_good: 10.0, lost_in_bad: 70.0, lost_in_good: 0.1 };
    let cells = Rate { bytes: 1 << 33, overhead: 4, cell: 53, cell_overhead: 5 };
    let slot = Slot { packets: 3, bytes: 9000, ..Slot::between(MS, 5 * MS) };
    let slots_of = |distribution| Netem::new().slot(Slot { distribution, ..slot });
    let jittery = |kind| Netem::new().delay(10 * MS).jitter_of(MS, kind).delay_correlation(25.0);
    let all = [
        jittery(Distribution::Uniform),
        jittery(Distribution::Normal),
        jittery(Distribution::Pareto),
        Netem::new().loss(5.0).loss_correlation(25.0),
        Netem::new().loss_in_bursts(model),
        Netem::new().duplicate(5.0).duplicate_correlation(25.0),
        ten.clone().reorder(25.0).reorder_correlation(50.0).reorder_gap(5),
        Netem::new().corrupt(1.0).corrupt_correlation(25.0),
        Netem::new().rate(cells),
        slots_of(Distribution::Uniform),
        slots_of(Distribution::Normal),
        slots_of(Distribution::Pareto),
        Netem::new().slot(Slot::every(MS)),
        Netem::new().limit(3),
    ];
    let mut path = lab.impair(ten).that_may_miss().turn_on().await?;
    for netem in &all {
        path.change(netem.clone()).await?;
    }
    path.lift().await?;
    for netem in all {
        lab.impair(netem).that_may_miss().turn_on().await?.lift().await?;
    }
    Ok(())
}
