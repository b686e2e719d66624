//! What connection tracking calls invalid, because it has lost the connection or because the
//! segment is outside the window, it does not translate. Where no rule drops it, it gets through
//! under its own address; the receiver knows of no such connection and resets it, and the reset
//! finds its way back: a connection ends with ECONNRESET though both ends were well.
//! Source: `net/netfilter/nf_conntrack_proto_tcp.c` `tcp_in_window`; `net/netfilter/nf_nat_core.c`
//! `nf_nat_inet_fn` (no entry, no translation); nf_conntrack-sysctl.rst tcp_be_liberal; kubernetes
//! issue 74839; RFC 9293 3.5.2 group 1.

use lastack::prelude::*;

/// Far beyond any window here.
const BEYOND: u32 = 10_000_000;

pub fn cases(family: &mut Family) {
    let causes = [("forgotten", Cause::Forgotten), ("out_of_window", Cause::OutOfWindow)];
    let rule = family.rule(["NF-23"]);
    rule.source("nf_nat_core.c nf_nat_inet_fn; kubernetes issue 74839; RFC 9293 3.5.2");
    rule.case("untranslated_segment_gets_its_sender_reset").across((causes, Ip::BOTH), reset);
    rule.case("segment_out_of_the_window_is_harmless_where_it_is_dropped_or_translated")
        .source("nf_conntrack_proto_tcp.c tcp_in_window (tcp_be_liberal); RFC 9293 3.10.7.4")
        .across(([("dropped", Cure::Dropped), ("liberal", Cure::Liberal)], Ip::BOTH), harmless);
}

/// What makes a segment invalid.
#[derive(Clone, Copy)]
enum Cause {
    Forgotten,
    OutOfWindow,
}

#[derive(Clone, Copy)]
enum Cure {
    Dropped,
    Liberal,
}

async fn reset(scene: Scene, (cause, ip): (Cause, Ip)) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").strict().turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let established = lab.wire().mark().await?;
    match cause {
        Cause::Forgotten => {
            nat.forget().await?;
            a.write("hello?").ok().await?;
        }
        Cause::OutOfWindow => {
            lab.impersonate(&a)?.data("hello?").seq(BEYOND).send().await?;
        }
    }

    a.kernel().is_gone().await?;
    a.read(1).errno(Errno::ECONNRESET).await?;
    let sent = data().from("a").arrived(true);
    let reset = rst().without(Flags::ACK).from("b").arrived(true);
    lab.wire().in_order(established, [sent, reset], Duration::from_secs(1)).await?;
    // The connection that b does know is another one, with the router's address.
    same("unread by the server", 0, b.unread().ok().await?)?;
    b.kernel().is(State::Established)?;
    Ok(())
}

async fn harmless(scene: Scene, (cure, ip): (Cure, Ip)) -> Result {
    let lab = scene.lab().routed().build().await?;
    let nat = lab.router_tracks().masquerading("a").strict();
    let nat = match cure {
        Cure::Dropped => nat.strangers(Strangers::Drop),
        Cure::Liberal => nat.liberal(),
    };
    let _nat = nat.turn_on().await?;
    let Pair { a, b, .. } = scene.pair().ip(ip).connect_in(&lab).await?;
    let established = lab.wire().mark().await?;
    let stranger = lab.impersonate(&a)?.data("hello?").seq(BEYOND).send().await?;

    a.write("well").ok().await?;
    b.read(64).bytes(b"well").await?;
    b.write("and so am I").ok().await?;
    a.read(64).bytes(b"and so am I").await?;
    lab.wire().absent(established, ending()).await?;
    // Translated, the stranger is answered by an acknowledgement of what b does have.
    let through = any().that("the stranger", move |it| it.index == stranger.index).arrived(true);
    let through = lab.wire().count(established, through).await?;
    same("strangers that arrived", usize::from(matches!(cure, Cure::Liberal)), through)
}
