//! A simulated death and a real one leave the survivor with the same evidence: what its calls
//! said, what its kernel held, what it sent.

use lastack::prelude::*;

use crate::holds;

type Kill = fn(&Lab, &str) -> Death;

/// What the survivor does when the other machine dies.
#[derive(Debug, Clone, Copy)]
enum Survivor {
    /// Reads, and lets keepalive watch.
    Idle,
    /// Writes, and reads.
    Writes,
}

pub fn cases(family: &mut Family) {
    // The second of each: whether the survivor's card loses its carrier when there is no patch.
    let deaths: [(&'static str, (Kill, bool, Survivor)); 4] = [
        ("panic_of_an_idle_peer", (Lab::panic, false, Survivor::Idle)),
        ("panic_while_writing", (Lab::panic, false, Survivor::Writes)),
        ("power_off_of_an_idle_peer", (Lab::power_off, true, Survivor::Idle)),
        ("power_off_while_writing", (Lab::power_off, true, Survivor::Writes)),
    ];
    for (name, direct) in [
        ("a_simulated_death_is_like_a_real_one", false),
        ("a_simulated_death_is_like_a_real_one_on_one_cable", true),
    ] {
        family
            .case(name)
            .covers(["ZZ-31"])
            .source("lastack's own word")
            .needs([Need::Guest])
            .waits(Duration::from_secs(10))
            .across(deaths, move |scene, (kill, dark, survivor)| async move {
                let simulated =
                    seen(&scene, HostKind::Namespace, direct, (kill, dark), survivor).await?;
                let real = seen(&scene, HostKind::Guest, direct, (kill, dark), survivor).await?;
                // Without carrier nothing leaves the survivor; else two probes and a reset do, or
                // the data and what is sent again.
                let silent = direct && dark;
                holds("it tried", silent || simulated.segments.len() > 2)?;
                same("what the survivor saw", simulated, real)
            });
    }
}

/// The survivor's evidence, but for the time it took.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    results: Vec<String>,
    states: Vec<String>,
    segments: Vec<String>,
}

async fn seen(
    scene: &Scene,
    kind: HostKind,
    direct: bool,
    (kill, dark): (Kill, bool),
    survivor: Survivor,
) -> Result<Seen> {
    let mut pair = scene
        .pair()
        .kind("b", kind)
        .sysctl("a", "net.ipv4.tcp_retries2", 2)
        .option_on_a(option::KEEPALIVE, i32::from(matches!(survivor, Survivor::Idle)))
        .option_on_a(option::KEEPIDLE, 1)
        .option_on_a(option::KEEPINTVL, 1)
        .option_on_a(option::KEEPCNT, 2);
    if direct {
        pair = pair.direct();
    }
    let Pair { lab, a, .. } = pair.connect().await?;
    let (mut results, mut states) = (Vec::new(), Vec::new());
    let before = lab.wire().mark().await?;

    let _dead = kill(&lab, "b").that_may_miss().now().await?;

    // What a survivor does before its kernel has noticed the carrier is its own luck.
    let card = a.host().rtnl()?;
    while direct && dark && card.is_operational(a.host().interface()).await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    states.push(state(&a)?);
    if matches!(survivor, Survivor::Writes) {
        results.push(format!("{:?}", a.write("hello?").await?.answer()));
    }
    let reading = a.read(1).on("reader").start().await?.blocked().await?;
    states.push(state(&a)?);
    results.push(format!("{:?}", reading.done().await?.answer()));
    states.push(state(&a)?);
    results.push(format!("{:?}", a.read(1).await?.answer()));
    results.push(format!("{:?}", a.write("still?").await?.answer()));
    results.push(format!("{:?}", a.poll(Events::ALL, None).await?.answer()));
    results.push(format!("{:?}", a.get(option::ERROR).await?.answer()));

    lab.wire().settle().await?;
    let segments = lab.wire().segments();
    let seen = segments.iter().filter(|segment| Mark::from(*segment) > before).map(|segment| {
        // Where in the dark it was lost is nothing the survivor can see.
        let Segment { from, retransmission, probe, .. } = segment;
        format!("{from}: {} again: {retransmission} probe: {probe}", segment.headline())
    });
    let segments = seen.collect();
    Ok(Seen { results, states, segments })
}

/// The survivor's socket, and what its timer is for.
fn state(a: &End) -> Result<String> {
    let entry = a.kernel().now()?;
    Ok(entry.map_or("gone".to_owned(), |entry| {
        let timer = entry.timer.map(|(timer, ..)| timer);
        format!("{} {timer:?} {} unsent", entry.state, entry.send_queue)
    }))
}
