//! A simulated death and a real one leave the survivor with the same evidence: what its calls
//! said, what its kernel held, what it sent.

use lastack::prelude::*;

use crate::holds;

/// What the survivor does when the other machine dies: what the rows of the catalogue about a
/// dying peer are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Survivor {
    /// Reads, and lets keepalive watch.
    Idle,
    /// The same under a user timeout.
    IdleUnderUserTimeout,
    /// Writes, and reads.
    Writes,
    /// The same with keepalive on.
    WritesUnderKeepalive,
    /// The same under a user timeout.
    WritesUnderUserTimeout,
    /// Has written more than the other's window takes, and reads.
    ProbesTheWindow,
    /// Shuts its side down, and reads.
    ShutsDown,
    /// Closes.
    Closes,
    /// Connects anew.
    Connects,
}

use Survivor::*;

/// How the other machine dies, and whether the survivor's card loses its carrier by it where there
/// is no patch.
type Action = (Kill, bool);

const PANIC: Action = (Lab::panic, false);
const POWER_OFF: Action = (Lab::power_off, true);

const RETRIES: u32 = 2;
const ORPHAN_RETRIES: u32 = 1;
/// Over between two keepalive probes, and between two timeouts.
const USER_TIMEOUT: Duration = Duration::from_millis(1500);

/// More than the other machine has room for, less than the survivor has.
const MUCH: u32 = 20_000;

pub fn cases(family: &mut Family) {
    let both_ways = [
        ("panic_of_an_idle_peer", (PANIC, Idle)),
        ("panic_while_writing", (PANIC, Writes)),
        ("power_off_of_an_idle_peer", (POWER_OFF, Idle)),
        ("power_off_while_writing", (POWER_OFF, Writes)),
    ];
    // The two deaths differ in what becomes of the link, which is behind the patch here.
    let one_way = [
        ("panic_of_an_idle_peer_under_user_timeout", (PANIC, IdleUnderUserTimeout)),
        ("power_off_while_writing_under_keepalive", (POWER_OFF, WritesUnderKeepalive)),
        ("panic_while_writing_under_user_timeout", (PANIC, WritesUnderUserTimeout)),
        ("power_off_behind_a_closed_window", (POWER_OFF, ProbesTheWindow)),
        ("panic_before_shutdown", (PANIC, ShutsDown)),
        ("power_off_before_close", (POWER_OFF, Closes)),
        ("panic_before_connect", (PANIC, Connects)),
    ];
    for (name, direct, variants) in [
        ("a_simulated_death_is_like_a_real_one", false, [&both_ways[..], &one_way].concat()),
        ("a_simulated_death_is_like_a_real_one_on_one_cable", true, both_ways.to_vec()),
    ] {
        family
            .case(name)
            .covers(["ZZ-31"])
            .source("lastack's own word")
            .waits(Duration::from_secs(10))
            .across(variants, move |scene, (fate, survivor)| async move {
                let simulated = seen(&scene, HostKind::Namespace, direct, fate, survivor).await?;
                let real = seen(&scene, HostKind::Guest, direct, fate, survivor).await?;
                // Without carrier nothing leaves the survivor; else a connect sends two SYNs,
                // keepalive a probe and a reset, and whoever has something to say more than that.
                let silent = direct && fate.1;
                holds("it tried", silent || simulated.segments.len() >= 2)?;
                same("what the survivor saw", simulated, real)
            });
    }
}

/// The survivor's evidence, but for the time it took, and for how often it repeated itself.
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
    (kill, dark): Action,
    survivor: Survivor,
) -> Result<Seen> {
    let keepalive = matches!(survivor, Idle | IdleUnderUserTimeout | WritesUnderKeepalive);
    let mut pair = scene
        .pair()
        .kind("b", kind)
        .sysctl("a", "net.ipv4.tcp_retries2", RETRIES)
        .sysctl("a", "net.ipv4.tcp_orphan_retries", ORPHAN_RETRIES)
        .sysctl("a", "net.ipv4.tcp_syn_retries", 1)
        .sysctl("a", "net.ipv4.tcp_syn_linear_timeouts", 0)
        .option_on_a(option::KEEPIDLE, 1)
        .option_on_a(option::KEEPINTVL, 1)
        .option_on_a(option::KEEPCNT, 2);
    if matches!(survivor, IdleUnderUserTimeout | WritesUnderUserTimeout) {
        pair = pair.option_on_a(option::USER_TIMEOUT, USER_TIMEOUT.as_millis() as i32);
    }
    if survivor == ProbesTheWindow {
        pair = pair.small_window_at_b();
    }
    if direct {
        pair = pair.direct();
    }
    let pair = pair.connect().await?;
    let rto = pair.a.rto().await?;
    let (mut results, mut states) = (Vec::new(), Vec::new());
    if survivor == ProbesTheWindow {
        pair.close_window(MUCH).await?;
    }
    let Pair { lab, a, .. } = pair;
    let mut before = lab.wire().mark().await?;

    let _dead = kill(&lab, "b").that_may_miss().now().await?;

    // What a survivor does before its kernel has noticed the carrier is its own luck.
    let card = a.host().rtnl()?;
    while direct && dark && card.is_operational(a.host().interface()).await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // What the other machine still answered before it died is its own luck, too.
    if survivor == ProbesTheWindow {
        lab.wire().settle().await?;
        let segments = lab.wire().segments();
        before = segments.iter().rfind(|it| it.from == "b").map_or(before, Mark::from);
    }
    // Counted from here, however long it took to die.
    a.set(option::KEEPALIVE, i32::from(keepalive)).ok().await?;
    states.push(state(&a)?);
    match survivor {
        Writes | WritesUnderKeepalive | WritesUnderUserTimeout => {
            results.push(format!("{:?}", a.write("hello?").await?.answer()));
        }
        ShutsDown => results.push(format!("{:?}", a.shut_wr().await?.answer())),
        Closes => results.push(format!("{:?}", a.close().await?.answer())),
        Connects => {
            let socket = a.process.socket(a.remote_address()).ok().await?;
            results.push(format!("{:?}", socket.connect(a.remote_address()).await?.answer()));
            results.push(format!("{:?}", socket.connect(a.remote_address()).await?.answer()));
        }
        Idle | IdleUnderUserTimeout | ProbesTheWindow => {}
    }
    let silent = direct && dark;
    match survivor {
        Connects => {}
        Closes => {
            states.push(state(&a)?);
            let gone = a.kernel().is_gone().await?;
            let fins = lab.wire().retries_of(&lab.wire().expect(fin().from("a")).await?).await?;
            GiveUp::of(ORPHAN_RETRIES, rto).judge_sighting(&fins, &gone)?;
        }
        _ => {
            let reading = a.read(1).on("reader").blocks().await?;
            states.push(state(&a)?);
            let told = reading.done().await?;
            gave_up(&lab, survivor, silent, (before, rto), told.ended()).await?;
            results.push(format!("{:?}", told.answer()));
            states.push(state(&a)?);
            results.push(format!("{:?}", a.read(1).await?.answer()));
            results.push(format!("{:?}", a.write("still?").await?.answer()));
            results.push(format!("{:?}", a.poll(Events::ALL, None).await?.answer()));
            results.push(format!("{:?}", a.get(option::ERROR).await?.answer()));
        }
    }

    lab.wire().settle().await?;
    let segments = lab.wire().segments();
    let seen = segments.iter().filter(|segment| Mark::from(*segment) > before).map(|segment| {
        // Where in the dark it was lost is nothing the survivor can see.
        let Segment { from, retransmission, probe, .. } = segment;
        format!("{from}: {} again: {retransmission} probe: {probe}", segment.headline())
    });
    let mut segments: Vec<_> = seen.collect();
    // How often it was sent again depends on the timeout, and that on how long the handshake took:
    // each number has been judged by its own.
    segments.dedup_by(|again, last| again == last && last.contains("again: true"));
    Ok(Seen { results, states, segments })
}

/// Judges when a survivor that sends something again and again was told, and how often it was sent
/// by then.
async fn gave_up(
    lab: &Lab,
    survivor: Survivor,
    silent: bool,
    (before, rto): (Mark, Duration),
    told: Stamp,
) -> Result {
    let wire = lab.wire();
    let first = match survivor {
        Writes | WritesUnderKeepalive | WritesUnderUserTimeout => data().from("a"),
        ShutsDown => fin().from("a"),
        _ => return Ok(()),
    };
    if silent {
        return wire.absent(before, first).await;
    }
    let retries = wire.retries_of(&wire.expect(first).after(before).await?).await?;
    if survivor == WritesUnderUserTimeout {
        let lasted = told.since(retries.first_timeout().at());
        return Window::wheel([USER_TIMEOUT], "TCP_USER_TIMEOUT").judge("it lasted", lasted);
    }
    GiveUp::of(RETRIES, rto).judge(&retries, told)
}

/// The survivor's socket, and what its timer is for.
fn state(a: &End) -> Result<String> {
    let entry = a.kernel().now()?;
    Ok(entry.map_or("gone".to_owned(), |entry| {
        let timer = entry.timer.map(|(timer, ..)| timer);
        format!("{} {timer:?} {} unsent", entry.state, entry.send_queue)
    }))
}
