//! A connection to nobody fails by what the host knows: without a route at once and without a
//! packet; to a neighbour that does not answer when the host has asked three times where it is.
//! Source: `net/ipv4/tcp_ipv4.c` `tcp_v4_connect` (ip_route_connect); `net/core/neighbour.c`
//! `neigh_max_probes`, `neigh_timer_handler`; `net/ipv4/tcp_ipv4.c` `tcp_v4_err` (SYN_SENT).

use lastack::prelude::*;
use lastack::wire::{Kind, Stray};

const QUESTIONS: u32 = 3;
const APART: Duration = Duration::from_secs(1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["NF-25"]);
    rule.source("neighbour.c neigh_timer_handler; tcp_ipv4.c tcp_v4_err");
    rule.case("absent_neighbour_is_asked_for_three_times")
        .waits(Duration::from_secs(3))
        .across(Ip::BOTH, absent);
    rule.case("connect_without_a_route_fails_at_once")
        .covers(["NF-26"])
        .source("tcp_ipv4.c tcp_v4_connect; tcp_ipv6.c tcp_v6_connect")
        .across(Ip::BOTH, no_route);
}

async fn absent(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().neighbours(Neighbours::Learned).build().await?;
    let process = lab.host("a")?.process().await?;
    let nobody = if ip == Ip::V4 { "10.0.0.99:80" } else { "[fd00::99]:80" };
    let nobody = nobody.parse().expect("an address");

    let failed = process.socket(nobody).ok().await?.connect(nobody).errno(Errno::EHOSTUNREACH);
    let failed = failed.await?;

    Window::wheel([APART; QUESTIONS as usize], "three questions, a second after each")
        .judge("connect", failed.took())?;
    lab.wire().settle().await?;
    // A SYN sent again in the moment of the failure may begin anew with a question of its own.
    let mut asked = questions(&lab);
    let end = asked.first().map(|first| first.at().after(APART * QUESTIONS));
    asked.retain(|it| Some(it.at()) < end);
    same("questions", QUESTIONS as usize, asked.len())?;
    for two in asked.windows(2) {
        Window::wheel([APART], "retrans_time_ms").judge("gap", two[1].at().since(two[0].at()))?;
    }
    lab.wire().absent(Wire::start(), any()).await
}

async fn no_route(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().neighbours(Neighbours::Learned).build().await?;
    let process = lab.host("a")?.process().await?;
    let far = lab.host("b")?.address(ip, PORT);
    let _lost = lab.misroute("a", "b", Misroute::Deleted).await?;

    let failed = process.socket(far).ok().await?.connect(far).errno(Errno::ENETUNREACH).await?;

    // It asked nobody, so it waited for nothing.
    Window::new(Duration::ZERO, APART, "no question, no answer").judge("connect", failed.took())?;
    lab.wire().absent(Wire::start(), any()).await?;
    same("questions", 0, questions(&lab).len())
}

fn questions(lab: &Lab) -> Vec<Stray> {
    let mut strays = lab.wire().strays();
    strays.retain(|it| it.from == "a" && it.what.kind == Kind::Neighbour);
    strays
}
