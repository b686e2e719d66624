//! A reader that stops closes its window, and the sender asks ever more rarely whether it has
//! opened: the waits double, each answer says "still closed", and nothing comes to an end by it.
//! Source: RFC 9293 3.8.6.1; RFC 1122 4.2.2.17; `net/ipv4/tcp_output.c` `tcp_send_probe0`.

use lastack::prelude::*;

/// More than `b` has room for, less than `a` has.
const MUCH: u32 = 20_000;
/// `tcp_invalid_ratelimit` as it comes.
const ANSWERS_APART: Duration = Duration::from_millis(500);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["ZW-01"]).waits(Duration::from_secs(4));
    rule.source("RFC 9293 3.8.6.1; tcp_output.c tcp_send_probe0; tcp_timer.c tcp_probe_timer");
    rule.case("closed_window_is_probed_ever_more_rarely_and_without_end").across(Ip::BOTH, probed);
    rule.stock("window_that_stays_closed_for_a_day_is_probed_every_two_minutes")
        .source("RFC 1122 4.2.2.17; tcp_output.c tcp_send_probe0; tcp_timer.c tcp_probe_timer")
        .waits(timers::A_DAY)
        .run(for_a_day);
}

async fn probed(scene: Scene, ip: Ip) -> Result {
    let pair = scene.pair().ip(ip).small_window_at_b().connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let rto = a.rto().await?;

    let mut last = wire.expect(probe().from("a")).after(&closed).await?;
    for n in 1..=3 {
        let gap = timers::window_probe_gap(n, 15, rto, timers::RTO_MAX);
        let patience = Duration::from_secs(5);
        let next = wire.expect(probe().from("a").empty()).after(&last).within(patience).await?;
        let window = Window::wheel([gap], "tcpi_rto, doubled with each probe");
        window.judge(&format!("the wait after probe {n}"), next.at().since(last.at()))?;
        last = next;
    }

    // The last of them came long after any other, so nothing kept b from answering.
    wire.expect(pure_ack().from("b").window(0)).after(&last).await?;
    wire.absent(&closed, data().from("a")).await?;
    wire.absent(Wire::start(), ending()).await?;
    a.kernel().is(State::Established)?;
    b.kernel().is(State::Established)?;
    same("pending error", 0, a.get(option::ERROR).ok().await?)
}

async fn for_a_day(scene: Scene) -> Result {
    let pair = scene.pair().small_window_at_b().connect().await?;
    let closed = pair.close_window(MUCH).await?;
    let Pair { lab, a, b, .. } = pair;
    let wire = lab.wire();
    let rto = a.rto().await?;

    wire.never(&closed, ending()).for_(timers::A_DAY).await?;
    let morning = Stamp::now();
    let (ask, answer) = (probe().from("a").arrived(true), pure_ack().from("b").window(0));
    let all = wire.segments();
    let asked: Vec<_> = all.iter().filter(|it| ask.matches(it)).collect();
    let gap = |n| timers::window_probe_gap(n, timers::STOCK_RETRIES, rto, timers::RTO_MAX);
    for (n, pair) in (1..).zip(asked.windows(2)) {
        let window = Window::wheel([gap(n)], "tcpi_rto, doubled with each probe, and two minutes");
        window.judge(&format!("the wait after probe {n}"), pair[1].at().since(pair[0].at()))?;
        if gap(n - 1) > ANSWERS_APART {
            let between = all[pair[0].index..pair[1].index].iter();
            let answers = between.filter(|it| answer.matches(it)).count();
            same(&format!("answers to probe {n}"), 1, answers)?;
        }
    }
    let last = Window::wheel([timers::RTO_MAX], "two minutes at most");
    let last = Window { from: Duration::ZERO, ..last };
    last.judge("the time since the last probe", morning.since(asked[asked.len() - 1].at()))?;
    a.kernel().is(State::Established)?;
    same("pending error", 0, a.get(option::ERROR).ok().await?)?;

    b.read_until(MUCH.into()).await?.whole(MUCH.into())?;
    a.kernel().is_acknowledged().await?;
    wire.absent(Wire::start(), ending()).await
}
