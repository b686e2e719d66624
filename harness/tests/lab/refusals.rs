//! A fault that cannot be is refused in words that name the fault and the host, and the lab is
//! none the worse for it.

use lastack::prelude::*;

use crate::{holds, refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-32",
        an_impossible_impairment_names_its_path
        a_rule_that_cannot_match_names_itself
        no_fault_befalls_the_dead
        an_interface_that_is_gone_is_told
        a_host_that_lost_an_address_dies_all_the_same
        a_process_that_does_not_stand_still_is_not_resumed
        a_refused_fault_need_not_hit_anything
    );
    told!(family, "ZZ-32" on both kinds,
        nobody_dies_twice
        a_sleeper_is_not_put_to_sleep_and_wakes_once
        who_dies_in_his_sleep_does_not_wake_up
        a_sleeper_panics_at_once
    );
}

/// Both ends can talk, now.
async fn usable(a: &End, b: &End) -> Result {
    a.write("there").ok().await?;
    b.read_until(5).ok().await?;
    b.write("back").ok().await?;
    a.read(64).bytes(b"back").await.map(drop)
}

async fn an_impossible_impairment_names_its_path(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    for (netem, words) in [
        (Netem::new().loss(-3.0), "loss of -3 %"),
        (Netem::new().loss(100.1), "loss of 100.1 %"),
        (Netem::new().duplicate(-1.0), "duplicate of -1 %"),
        (Netem::new().corrupt(f64::NAN), "corrupt of NaN %"),
        (Netem::new().reorder(50.0), "reorder without delay"),
    ] {
        let impair = || lab.impair(netem.clone());
        refused(impair().from("a").turn_on().await, &["impair the path from a", words])?;
        refused(impair().towards("a").turn_on().await, &["impair the path towards a", words])?;
        refused(impair().turn_on().await, &["impair the path both ways", words])?;
    }
    usable(&a, &b).await
}

async fn a_rule_that_cannot_match_names_itself(scene: Scene) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().connect().await?;
    let on = |rule| lab.rules([rule]).turn_on();
    let both = packets().from("a").flags(Flags::FIN).without(Flags::FIN);
    refused(on(both.are_dropped()).await, &["drop FIN", "from a", "cannot act", "ruled out"])?;
    let itself = packets().from("b").to("b");
    refused(on(itself.are_reset()).await, &["from b", "to b", "cannot act", "itself"])?;
    usable(&a, &b).await
}

/// Every fault there is, on a host that is dead, in the words of the fault.
async fn no_fault_befalls_the_dead(scene: Scene) -> Result {
    let lab = scene.lab().hosts(&["a", "b", "c"]).build().await?;
    let dead = lab.power_off("c").that_may_miss().now().await?;
    let is = "host c is powered off";
    refused(lab.power_off("c").now().await, &["power off host c", is])?;
    refused(lab.panic("c").now().await, &["panic host c", is])?;
    refused(lab.suspend("c").await, &["suspend host c", is])?;
    refused(lab.unplug("c").now().await, &["unplug host c", is])?;
    refused(lab.interface_down("c").await, &["host c (interface down)", is])?;
    refused(lab.remove_address("c", Ip::V4).await, &["host c (without address", is])?;
    refused(lab.shrink_mtu("c", 1300).await, &["host c (MTU 1300)", is])?;
    refused(lab.misdirect("c", "a").await, &["host c (wrong neighbour entry for a", is])?;
    refused(lab.doubt("c", "a").await, &["host c (stale neighbour entry for a)", is])?;
    let misrouted = lab.misroute("c", "a", Misroute::Prohibit).await;
    refused(misrouted, &["host c (route to a is prohibit)", is])?;
    refused(lab.black_hole().from("c").open().await, &["black hole from c", is])?;
    let reset = lab.reject_from("c").turn_on().await;
    refused(reset, &["turn on rule", "from c", is])?;
    let impaired = lab.impair(Netem::new().delay(Duration::from_millis(1)));
    refused(impaired.towards("c").turn_on().await, &["impair the path towards c", is])?;
    let port = |host: &str| Ok(lab.host(host)?.address(Ip::V4, PORT));
    let impostor = lab.impersonate_towards(port("a")?, port("c")?)?;
    refused(impostor.syn().send().await, &["forged SYN", is])?;
    // The others are as well as before, and so is it once it has booted.
    dead.boot().await?;
    impostor.syn().send().await?;
    for far in ["b", "c"] {
        let listener = lab.host(far)?.process().await?.listen(port(far)?).await?;
        let client = lab.host("a")?.process().await?.connect(port(far)?).await?;
        let server = listener.accept().ok().await?;
        client.write("there").ok().await?;
        server.read(64).bytes(b"there").await?;
    }
    Ok(())
}

async fn an_interface_that_is_gone_is_told(scene: Scene) -> Result {
    let lab = scene.lab().hosts(&["a", "b", "c"]).build().await?;
    lab.host("c")?.lose_network().await?;
    let is = "No such device";
    refused(lab.power_off("c").now().await, &["power off host c", is])?;
    refused(lab.panic("c").now().await, &["panic host c", is])?;
    refused(lab.unplug("c").now().await, &["unplug host c", is])?;
    refused(lab.interface_down("c").await, &["host c (interface down)", is])?;
    refused(lab.shrink_mtu("c", 1300).await, &["host c (MTU 1300)", is])?;
    refused(lab.remove_address("c", Ip::V4).await, &["host c (without address", is])?;
    refused(lab.misdirect("c", "a").await, &["host c (wrong neighbour entry for a", is])?;
    let Pair { a, b, .. } = scene.pair().connect_in(&lab).await?;
    usable(&a, &b).await
}

async fn a_host_that_lost_an_address_dies_all_the_same(scene: Scene) -> Result {
    let Pair { lab, a, .. } = scene.pair().connect().await?;
    let _without = lab.remove_address("b", Ip::V6).await?;
    let dead = lab.panic("b").now().await?;
    a.write("hello?").ok().await?;
    lab.wire().expect(data().from("a").retransmitted(true)).await?;
    lab.wire().absent(Wire::start(), rst()).await?;
    dead.boot().await?;
    a.read(1).errno(Errno::ECONNRESET).await.map(drop)
}

async fn a_process_that_does_not_stand_still_is_not_resumed(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    refused(b.process.resume(), &["resume process b/server", "does not stand still"])?;
    b.process.stop().await?;
    b.process.resume()?;
    usable(&a, &b).await
}

/// What was refused on the way is not held against the case at its end: this one passes.
async fn a_refused_fault_need_not_hit_anything(scene: Scene) -> Result {
    let lab = scene.lab().direct().build().await?;
    let _dead = lab.panic("b").that_may_miss().now().await?;
    // Whose end of the cable would have to be pulled.
    refused(lab.unplug("a").now().await, &["unplug host a", "b has panicked"])
}

async fn nobody_dies_twice(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    let dead = lab.power_off("b").that_may_miss().now().await?;
    refused(lab.power_off("b").now().await, &["power off host b", "b is powered off"])?;
    refused(lab.panic("b").now().await, &["panic host b", "b is powered off"])?;
    dead.boot().await?;
    let panicked = lab.panic("b").now().await?;
    refused(lab.power_off("b").now().await, &["power off host b", "b has panicked"])?;
    a.write("hello?").ok().await?;
    lab.wire().expect(data().from("a").retransmitted(true)).await?;
    panicked.boot().await?;
    a.read(1).errno(Errno::ECONNRESET).await.map(drop)
}

async fn a_sleeper_is_not_put_to_sleep_and_wakes_once(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().kind("b", kind).connect().await?;
    let sleep = lab.suspend("b").await?;
    refused(lab.suspend("b").await, &["suspend host b", "b sleeps"])?;
    refused(b.process.resume(), &["resume process b/server", "b sleeps"])?;
    if kind == HostKind::Guest {
        // Nobody is there to answer, and nobody waits for it.
        refused(b.kernel().now(), &["guest kernel of host b", "it sleeps", "resume"])?;
        refused(lab.remove_address("b", Ip::V4).await, &["host b", "b sleeps"])?;
    }
    sleep.resume().await?;
    usable(&a, &b).await?;
    lab.suspend("b").await?.resume().await?;
    usable(&a, &b).await
}

async fn who_dies_in_his_sleep_does_not_wake_up(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    let sleep = lab.suspend("b").await?;
    // What a sends until b is woken up ends before it comes to b.
    let dead = lab.power_off("b").that_may_miss().now().await?;
    a.write("hello?").ok().await?;
    lab.wire().expect(data().from("a").retransmitted(true)).await?;
    refused(sleep.resume().await, &["resume host b", "b is powered off"])?;
    dead.boot().await?;
    // The path is whole: the new kernel is asked, and answers.
    a.read(1).errno(Errno::ECONNRESET).await.map(drop)
}

async fn a_sleeper_panics_at_once(scene: Scene, kind: HostKind) -> Result {
    let Pair { lab, a, .. } = scene.pair().kind("b", kind).connect().await?;
    let sleep = lab.suspend("b").await?;
    let asleep = lab.wire().mark().await?;
    let began = Stamp::now();
    let dead = lab.panic("b").now().await?;
    // A kernel that is waited for in vain is waited for for twenty seconds.
    holds("at once", Stamp::now().since(began) < Duration::from_secs(10))?;
    drop(sleep);
    // Its card still holds the link, and nobody is behind it.
    a.write("hello?").ok().await?;
    lab.wire().expect(data().from("a").retransmitted(true)).await?;
    lab.wire().absent(asleep, any().from("b")).await?;
    dead.boot().await?;
    a.read(1).errno(Errno::ECONNRESET).await.map(drop)
}
