//! Cables, interfaces and addresses: what a pulled one does, and that plugged in again all is as
//! before.

use lastack::{fault::Alteration, prelude::*};

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-20" on both kinds across Ip::BOTH,
        an_unplugged_host_has_no_carrier_and_gets_nothing
        a_dropped_guard_plugs_in_again
        a_direct_cable_is_pulled_and_plugged_in
        an_interface_set_down_comes_back_with_all_it_had
        a_removed_address_comes_back
        a_shrunk_interface_swallows_what_is_too_large
    );
    told!(family, "ZZ-20" across Ip::BOTH, a_cable_is_pulled_from_either_end);
    told!(family, "ZZ-20",
        a_fault_that_would_change_nothing_is_refused
        an_mtu_that_is_no_shrinking_is_refused
        a_small_mtu_takes_ipv6_away_for_a_while
        links_of_a_dead_host_are_refused
    );
}

async fn carrier(lab: &Lab, name: &str) -> Result<bool> {
    lab.host(name)?.has_carrier().await
}

/// Both ends can talk, now.
async fn talk(a: &End, b: &End) -> Result {
    a.write("there").ok().await?;
    b.read_until(5).ok().await?;
    b.write("back").ok().await?;
    a.read(64).bytes(b"back").await.map(drop)
}

async fn an_unplugged_host_has_no_carrier_and_gets_nothing(
    scene: Scene,
    kind: HostKind,
    ip: Ip,
) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let out = lab.unplug("b").now().await?;
    // A guest's card has no sense for it.
    same("b's carrier", kind == HostKind::Guest, carrier(&lab, "b").await?)?;
    same("a's carrier", true, carrier(&lab, "a").await?)?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    holds("it counts", !out.swallowed().await?.is_empty())?;
    out.plug_in().await?;
    same("b's carrier again", true, carrier(&lab, "b").await?)?;
    b.read(64).bytes(b"lost").await?;
    b.write("found").ok().await?;
    a.read(64).bytes(b"found").await.map(drop)
}

async fn a_dropped_guard_plugs_in_again(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    drop(lab.unplug("b").that_may_miss().now().await?);
    talk(&a, &b).await?;
    drop(lab.interface_down("b").await?);
    drop(lab.remove_address("b", ip).await?);
    drop(lab.shrink_mtu("b", 1300).await?);
    drop(lab.misroute("b", "a", Misroute::Deleted).await?);
    drop(lab.misdirect("b", "a").await?);
    talk(&a, &b).await
}

async fn a_cable_is_pulled_from_either_end(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let at_a = lab.unplug("a").that_may_miss().now().await?;
    let at_b = lab.unplug("b").that_may_miss().now().await?;
    at_a.plug_in().await?;
    same("carrier", (true, false), (carrier(&lab, "a").await?, carrier(&lab, "b").await?))?;
    at_b.plug_in().await?;
    talk(&a, &b).await
}

async fn a_direct_cable_is_pulled_and_plugged_in(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).direct().connect().await?;
    let out = lab.unplug("a").that_may_miss().now().await?;
    same("a's carrier", false, carrier(&lab, "a").await?)?;
    out.plug_in().await?;
    same("a's carrier again", true, carrier(&lab, "a").await?)?;
    talk(&a, &b).await?;
    lab.unplug("b").that_may_miss().now().await?.plug_in().await?;
    talk(&a, &b).await?;
    drop(lab.unplug("a").that_may_miss().now().await?);
    talk(&a, &b).await
}

async fn an_interface_set_down_comes_back_with_all_it_had(
    scene: Scene,
    kind: HostKind,
    ip: Ip,
) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    a.process.listen(a.host().address(ip, PORT)).await?;
    let there = a.host().address(ip, PORT);
    let down = lab.interface_down("b").await?;
    same("b's carrier", false, carrier(&lab, "b").await?)?;
    let stranger = b.process.socket(there).ok().await?;
    stranger.connect(there).errno(Errno::ENETUNREACH).await?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").retransmitted(true).arrived(false)).await?;
    down.lift().await?;
    same("b's carrier again", true, carrier(&lab, "b").await?)?;
    b.read_until(4).ok().await?;
    talk(&a, &b).await?;
    let stranger = b.process.socket(there).ok().await?;
    stranger.connect(there).ok().await
}

async fn a_removed_address_comes_back(scene: Scene, kind: HostKind, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let gone = lab.remove_address("b", ip).await?;
    let without = lab.wire().mark().await?;
    // It gets to b, and nobody there is meant.
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").retransmitted(true).arrived(true)).await?;
    lab.wire().absent(without, any().from("b")).await?;
    b.process
        .socket(a.remote_address())
        .ok()
        .await?
        .bind(b.host().address(ip, 4242))
        .errno(Errno::EADDRNOTAVAIL)
        .await?;
    gone.lift().await?;
    b.read_until(4).ok().await?;
    talk(&a, &b).await
}

async fn a_shrunk_interface_swallows_what_is_too_large(
    scene: Scene,
    kind: HostKind,
    ip: Ip,
) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).ip(ip).connect().await?;
    let shrunk = lab.shrink_mtu("b", 1280).await?;
    talk(&a, &b).await?;
    a.write_pattern(1400).ok().await?;
    // It is on the wire as far as the wire is looked at, and b's interface does not take it.
    let large = || data().from("a").payload(1400);
    lab.wire().expect(large()).await?;
    lab.wire().expect(large().retransmitted(true)).await?;
    shrunk.lift().await?;
    b.read_until(1400).ok().await.map(drop)
}

async fn a_small_mtu_takes_ipv6_away_for_a_while(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(Ip::V6).connect().await?;
    let shrunk = lab.shrink_mtu("b", 600).await?;
    let address = b.host().address(Ip::V6, 4242);
    let socket = b.process.socket(address).ok().await?;
    socket.bind(address).errno(Errno::EADDRNOTAVAIL).await?;
    shrunk.lift().await?;
    talk(&a, &b).await
}

async fn a_fault_that_would_change_nothing_is_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let out = lab.unplug("b").that_may_miss().now().await?;
    refused(lab.unplug("b").now().await, &["host b", "no carrier to lose"])?;
    refused(lab.interface_down("b").await, &["host b", "without carrier already"])?;
    out.plug_in().await?;
    let gone = lab.remove_address("a", Ip::V4).await?;
    refused(lab.remove_address("a", Ip::V4).await, &["host a", "10.0.0.1"])?;
    gone.lift().await?;
    let deleted = lab.misroute("a", "b", Misroute::Deleted).await?;
    refused(lab.misroute("a", "b", Misroute::Deleted).await, &["host a", "10.0.0.0/24"])?;
    deleted.lift().await?;
    lab.host("a")?.lose_network().await?;
    refused(lab.unplug("a").now().await, &["unplug host a", "No such device"])?;
    refused(lab.shrink_mtu("a", 1300).await, &["host a", "No such device"])?;
    refused(lab.host("a")?.lose_network().await, &["No such device"])?;
    refused(lab.unplug("z").now().await, &["no host z"])?;
    refused(lab.misroute("b", "z", Misroute::Deleted).await, &["no host z"])
}

async fn an_mtu_that_is_no_shrinking_is_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    for bytes in [0, 67, 1500, 9000] {
        refused(lab.shrink_mtu("a", bytes).await, &["host a", "no shrinking", "68 to 1499"])?;
    }
    lab.shrink_mtu("a", 68).await?.lift().await
}

async fn links_of_a_dead_host_are_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let held: Alteration = lab.remove_address("b", Ip::V4).await?;
    let _dead = lab.power_off("b").that_may_miss().now().await?;
    let dead = &["host b", "powered off"][..];
    refused(held.lift().await, dead)?;
    refused(lab.unplug("b").now().await, dead)?;
    refused(lab.interface_down("b").await, dead)?;
    refused(lab.shrink_mtu("b", 1300).await, dead)?;
    refused(lab.misdirect("b", "a").await, dead)?;
    refused(lab.misroute("b", "a", Misroute::Blackhole).await, dead)
}
