//! Packet rules hit what they name, each for itself, and nothing else.

use lastack::prelude::*;

use crate::{holds, refused};

pub fn cases(family: &mut Family) {
    macro_rules! ruled {
        ($($name:ident)*) => { $(
            family.case(stringify!($name)).covers(["ZZ-11"]).source("lastack's own word")
                .waits(Duration::from_secs(2)).across(Ip::BOTH, $name);
        )* };
    }
    ruled! {
        the_first_is_dropped_and_no_other
        the_nth_is_dropped_and_no_other
        data_and_empty_segments_are_told_apart
        sequence_numbers_are_counted_from_the_syn
        probability_takes_some
        a_dropped_guard_lets_everything_through
        rules_and_a_black_hole_stand_side_by_side
        rules_lie_over_each_other
        three_hosts_are_still_joined
        what_cannot_match_is_refused
        a_rule_that_hits_nothing_fails
        each_rule_counts_for_itself
        an_unreachable_answer_carries_its_code
    }
}

async fn the_first_is_dropped_and_no_other(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rules = lab.rules([packets().from("a").carrying_data().first(1).are_dropped()]);
    let rules = rules.turn_on().await?;
    a.write("lost").ok().await?;
    b.read(9).bytes(b"lost").await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    lab.wire().expect(data().from("a").retransmitted(true).arrived(true)).await?;
    same("hits", vec![1], rules.lift().await?)
}

async fn the_nth_is_dropped_and_no_other(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rules = lab.rules([packets().from("a").carrying_data().nth(2).are_dropped()]);
    let rules = rules.turn_on().await?;
    for word in ["one", "two", "six"] {
        a.write(word).ok().await?;
        b.read(3).bytes(word.as_bytes()).await?;
    }
    lab.wire().expect(data().from("a").seq(1).arrived(true)).await?;
    lab.wire().expect(data().from("a").seq(4).arrived(false)).await?;
    lab.wire().expect(data().from("a").seq(7).retransmitted(false).arrived(true)).await?;
    same("hits", vec![1], rules.lift().await?)
}

async fn data_and_empty_segments_are_told_apart(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    // Time stamps make the header longer than it was in the handshake.
    let five = packets().from("a").payload(5..=5).are_dropped();
    // Only the first: a sender that hears nothing for long has room for one segment, its oldest.
    let acks = packets().from("b").pure_ack().first(1).are_dropped();
    let rules = lab.rules([five, acks]).turn_on().await?;
    a.write("four").ok().await?;
    b.read(9).bytes(b"four").await?;
    lab.wire().expect(pure_ack().from("b").arrived(false)).await?;
    a.write("fifth").ok().await?;
    lab.wire().expect(data().from("a").payload(5).arrived(false)).await?;
    b.write("data passes").ok().await?;
    a.read(64).bytes(b"data passes").await?;
    holds("both hit", rules.lift().await?.iter().all(|count| *count > 0))?;
    b.read(9).bytes(b"fifth").await.map(drop)
}

async fn sequence_numbers_are_counted_from_the_syn(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let second = packets().sent_by(&a).carrying_data().seq(4..=6).first(1).are_dropped();
    let rules = lab.rules([second]).turn_on().await?;
    for word in ["one", "two", "six"] {
        a.write(word).ok().await?;
        b.read(3).bytes(word.as_bytes()).await?;
    }
    lab.wire().expect(data().from("a").seq(4).arrived(false)).await?;
    same("swallowed", 1, lab.wire().count(Wire::start(), data().arrived(false)).await?)?;
    same("hits", vec![1], rules.counts()?)
}

async fn each_rule_counts_for_itself(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let fins = packets().from("b").flags(Flags::FIN).first(1).are_dropped();
    let data = packets().from("a").carrying_data().are_reset();
    let rules = lab.rules([fins, data]).turn_on().await?;
    same("before", vec![0, 0], rules.counts()?)?;
    b.close().ok().await?;
    a.read(1).eof().await?;
    same("after the FIN", vec![1, 0], rules.counts()?)?;
    a.write("refused").ok().await?;
    a.kernel().is_gone().await?;
    same("at last", vec![1, 1], rules.lift().await?)?;
    lab.wire().expect(rst().from_middle().to("a")).await.map(drop)
}

async fn an_unreachable_answer_carries_its_code(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let syns = packets().from("a").flags(Flags::SYN).are_refused(IcmpError::PortUnreachable);
    let _rules = lab.rules([syns]).turn_on().await?;
    let client = lab.host("a")?.process().await?;
    let address = lab.host("b")?.address(ip, PORT);
    let socket = client.socket(address).ok().await?;
    socket.connect(address).errno(Errno::ECONNREFUSED).await?;
    lab.wire().settle().await?;
    let about = |stray: &lastack::wire::Stray| stray.what.text.contains("port unreachable");
    holds("an ICMP error came", lab.wire().strays().iter().any(about))
}

async fn probability_takes_some(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let some = packets().from("a").carrying_data().with_probability(0.2).are_dropped();
    let rules = lab.rules([some]).turn_on().await?;
    // Some 60 segments: that none is taken happens once in a million times.
    a.write_pattern(90_000).ok().await?;
    b.read_until(90_000).await?.whole(90_000)?;
    let hits = rules.lift().await?[0];
    let all = lab.wire().count(Wire::start(), data().from("a")).await?;
    holds("some but not all", hits > 0 && hits < all as u64)
}

async fn a_dropped_guard_lets_everything_through(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    {
        let all = packets().from("a").carrying_data().are_dropped();
        let _rules = lab.rules([all]).turn_on().await?;
        a.write("one").ok().await?;
        lab.wire().expect(data().from("a").arrived(false)).await?;
    }
    b.read(9).bytes(b"one").await.map(drop)
}

async fn rules_and_a_black_hole_stand_side_by_side(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let hole = lab.black_hole().from("a").only(Flags::PSH).open().await?;
    let fins = packets().from("a").flags(Flags::FIN).without(Flags::PSH).first(1).are_dropped();
    let rules = lab.rules([fins]).turn_on().await?;
    a.write("lost").ok().await?;
    lab.wire().expect(data().from("a").arrived(false)).await?;
    a.shut_wr().ok().await?;
    lab.wire().expect(fin().from("a").empty().arrived(false)).await?;
    holds("the hole swallowed", hole.lift().await? >= 1)?;
    b.read(9).bytes(b"lost").await?;
    b.read(9).eof().await?;
    same("the rule hit", vec![1], rules.lift().await?)?;
    // Both again, the other way about: the port is still wired by rules.
    let hole = lab.black_hole().from("a").open().await?;
    b.write("heard").ok().await?;
    lab.wire().expect(any().from("a").ack(6).arrived(false)).await?;
    hole.lift().await.map(drop)
}

async fn rules_lie_over_each_other(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let first = packets().from("a").payload(1..=1).first(1).are_dropped();
    let second = packets().from("a").payload(2..=2).first(1).are_dropped();
    let first = lab.rules([first]).turn_on().await?;
    let second = lab.rules([second]).turn_on().await?;
    a.write("1").ok().await?;
    b.read(9).bytes(b"1").await?;
    same("the first", vec![1], first.lift().await?)?;
    a.write("22").ok().await?;
    b.read(9).bytes(b"22").await?;
    same("the second", vec![1], second.lift().await?)
}

async fn three_hosts_are_still_joined(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().hosts(&["a", "b", "c"]).neighbours(Neighbours::Learned).build().await?;
    let lost = packets().to("b").flags(Flags::SYN).first(1).are_dropped();
    let rules = lab.rules([lost]).turn_on().await?;
    let client = lab.host("a")?.process().await?;
    for name in ["c", "b"] {
        let server = lab.host(name)?.process().await?;
        let address = server.host().address(ip, PORT);
        let listener = server.listen(address).await?;
        client.connect(address).await?;
        listener.accept().ok().await?;
    }
    lab.wire().expect(syn().from("a").port(PORT).arrived(false)).await?;
    same("hits", vec![1], rules.lift().await?)
}

async fn what_cannot_match_is_refused(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let on = |rule| lab.rules([rule]).turn_on();
    refused(lab.rules([]).turn_on().await, &["no packet rule"])?;
    refused(on(packets().from("z").are_dropped()).await, &["no host z", "a, b"])?;
    let both = packets().flags(Flags::RST).without(Flags::RST).are_dropped();
    refused(on(both).await, &["drop RST", "cannot act", "ruled out"])?;
    refused(on(packets().with_probability(1.5).are_dropped()).await, &["probability"])?;
    let death = lab.power_off("b").that_may_miss().now().await?;
    refused(on(packets().from("b").are_dropped()).await, &["drop packets from b", "host b"])?;
    drop((death, a, b));
    Ok(())
}

/// Asked of the book itself; that a case fails by it is the runner's own test.
async fn a_rule_that_hits_nothing_fails(scene: Scene, ip: Ip) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let rst = packets().from("a").flags(Flags::RST).are_dropped();
    let idle = lab.rules([rst]).that_may_miss().turn_on().await?;
    a.write("passes").ok().await?;
    b.read(9).bytes(b"passes").await?;
    same("hits", vec![0], idle.lift().await?)
}
