//! Two faults on one way: the first takes the segment, and the second must not count it.

use lastack::prelude::*;

use crate::{holds, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-36" across Ip::BOTH,
        a_second_black_hole_takes_what_the_first_lets_through
        a_cable_behind_a_black_hole_takes_nothing
        a_cable_behind_packet_rules_takes_what_they_let_through
        packet_rules_behind_a_black_hole_take_nothing
        a_dead_host_behind_a_black_hole_is_sent_nothing
        a_host_that_died_in_its_sleep_is_sent_nothing
        address_resolution_is_taken_once
        of_two_router_faults_the_newer_takes_all
        a_dead_host_behind_a_router_that_drops_is_sent_nothing
    );
    family
        .case("a_total_loss_stands_between_black_hole_and_cable")
        .covers(["ZZ-36"])
        .source("lastack's own word")
        .across(Ip::BOTH, a_total_loss_stands_between_black_hole_and_cable);
}

/// Sends something, and waits until it is lost: for the first time, or again.
async fn loses(lab: &Lab, a: &End) -> Result {
    let before = lab.wire().mark().await?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).after(before).await.map(drop)
}

async fn loses_again(lab: &Lab) -> Result {
    let before = lab.wire().mark().await?;
    lab.wire().expect(data().from("a").arrived(false)).after(before).await.map(drop)
}

async fn a_second_black_hole_takes_what_the_first_lets_through(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let first = lab.black_hole().open().await?;
    let second = lab.black_hole().from("a").open().await?;
    loses(&lab, &a).await?;
    holds("the first took it", !first.swallowed().await?.is_empty())?;
    same("what the second took", 0, second.swallowed().await?.len())?;
    first.lift().await?;
    loses_again(&lab).await?;
    holds("the second took it", second.lift().await? >= 1)?;
    b.read(64).bytes(b"lost").await.map(drop)
}

async fn a_cable_behind_a_black_hole_takes_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    // The order on the way counts, not that of their coming.
    let out = lab.unplug("b").now().await?;
    let hole = lab.black_hole().from("a").open().await?;
    loses(&lab, &a).await?;
    same("what the cable took", 0, out.swallowed().await?.len())?;
    holds("the hole took it", hole.lift().await? >= 1)?;
    loses_again(&lab).await?;
    holds("the cable took it", !out.swallowed().await?.is_empty())
}

async fn a_cable_behind_packet_rules_takes_what_they_let_through(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let first = packets().from("a").carrying_data().first(1).are_dropped();
    let rules = lab.rules([first]).turn_on().await?;
    let out = lab.unplug("b").now().await?;
    loses(&lab, &a).await?;
    same("what the cable took", 0, out.swallowed().await?.len())?;
    loses_again(&lab).await?;
    same("what the rule took", vec![1], rules.counts()?)?;
    holds("the cable took it", !out.swallowed().await?.is_empty())
}

async fn packet_rules_behind_a_black_hole_take_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let dropped = packets().from("a").are_dropped();
    let rules = lab.rules([dropped]).that_may_miss().turn_on().await?;
    let hole = lab.black_hole().open().await?;
    loses(&lab, &a).await?;
    same("what the rule took", vec![0], rules.counts()?)?;
    holds("the hole took it", hole.lift().await? >= 1)
}

async fn a_dead_host_behind_a_black_hole_is_sent_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().open().await?;
    let dead = lab.power_off("b").now().await?;
    loses(&lab, &a).await?;
    same("what the dead was sent", 0, dead.sent_unacknowledged().await?.len())?;
    hole.lift().await?;
    lab.wire().expect(data().from("a").retransmitted(true)).await?;
    loses_again(&lab).await?;
    holds("it is sent that", !dead.sent_unacknowledged().await?.is_empty())
}

async fn a_host_that_died_in_its_sleep_is_sent_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let sleep = lab.suspend("b").await?;
    let dead = lab.power_off("b").that_may_miss().now().await?;
    loses(&lab, &a).await?;
    same("what the dead was sent", 0, dead.sent_unacknowledged().await?.len())?;
    holds("the sleeper was", !sleep.sent_unacknowledged().await?.is_empty())
}

async fn address_resolution_is_taken_once(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().neighbours(Neighbours::Learned).build().await?;
    let hole = lab.black_hole().from("a").with_address_resolution().open().await?;
    let silence = lab.swallow_address_resolution().await?;
    let process = lab.host("a")?.process().await?;
    let far = lab.host("b")?.address(ip, PORT);
    let connect = process.socket(far).ok().await?.connect(far).blocks().await?;
    let connect = connect.stays_blocked(Duration::from_millis(100)).await?;
    same("what the second took", 0, silence.swallowed().await?)?;
    hole.lift().await?;
    // The next question, a second after the first one.
    let connect = connect.stays_blocked(Duration::from_millis(1200)).await?;
    holds("the second took it", silence.lift().await? >= 1)?;
    connect.done().await?.errno(Errno::ECONNREFUSED).map(drop)
}

async fn of_two_router_faults_the_newer_takes_all(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().routed().ip(ip).connect().await?;
    let resets = lab.router_resets().from("a").that_may_miss().turn_on().await?;
    let drops = lab.router_drops().from("a").turn_on().await?;
    loses(&lab, &a).await?;
    // The kernel agrees: nobody was answered.
    lab.wire().absent(Wire::start(), rst()).await?;
    same("what the older took", 0, resets.hit().await?.len())?;
    holds("the newer took it", drops.lift().await? >= 1)?;
    lab.wire().expect(rst().from_middle().to("a")).await?;
    holds("the older took it", resets.lift().await? >= 1)
}

async fn a_dead_host_behind_a_router_that_drops_is_sent_nothing(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().routed().ip(ip).connect().await?;
    let drops = lab.router_drops().from("a").turn_on().await?;
    let dead = lab.power_off("b").that_may_miss().now().await?;
    loses(&lab, &a).await?;
    same("what the dead was sent", 0, dead.sent_unacknowledged().await?.len())?;
    holds("the router took it", drops.lift().await? >= 1)
}

async fn a_total_loss_stands_between_black_hole_and_cable(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, .. } = scene.pair().ip(ip).connect().await?;
    let out = lab.unplug("b").that_may_miss().now().await?;
    let loss = lab.impair(Netem::new().loss(100.0)).towards("b").turn_on().await?;
    let hole = lab.black_hole().from("a").open().await?;
    loses(&lab, &a).await?;
    same("what the loss took", 0, loss.hit().await?.len())?;
    holds("the hole took it", hole.lift().await? >= 1)?;
    loses_again(&lab).await?;
    same("what the cable took", 0, out.swallowed().await?.len())?;
    holds("the loss took it", !loss.hit().await?.is_empty())
}
