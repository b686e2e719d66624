//! A FIN needs no room: it counts behind data that fill the window, and since Linux 6.10 at a closed
//! one. Data do. A segment that they make end beyond the window is dropped whole since Linux 6.17,
//! its FIN with it, and answered with what is still expected; before that it was taken whole. Where
//! nothing lies unread it is taken by any of them.
//! Source: `net/ipv4/tcp_input.c` `tcp_sequence`, `tcp_validate_incoming` (`BEYOND_WINDOW`),
//! `tcp_data_queue`; kernel commits 2bd99aef1b19 (tcp: accept bare FIN packets under memory
//! pressure) and 9ca48d616ed7 (tcp: do not accept packets beyond window); RFC 9293 3.4, 3.10.7.4.

use lastack::prelude::*;

/// What fits one packet, over IPv6, too.
const MOST: u32 = 1400;

pub fn cases(family: &mut Family) {
    let older = [("ipv4_before_linux_6_17", Ip::V4), ("ipv6_before_linux_6_17", Ip::V6)];
    let rule = family.rule(["ZW-10"]).source("tcp_input.c tcp_sequence, tcp_data_queue");
    // Linux 6.17 itself counts the FIN's number among what must fit, until 1e3bb184e941 undid that.
    rule.case("fin_behind_data_that_fill_the_window_counts")
        .needs([Need::Kernel(6, 18)])
        .across(Ip::BOTH, |scene, ip| counts(scene, ip, MOST))
        .more()
        .needs([Need::Before(6, 17)])
        .across(older, |scene, ip| counts(scene, ip, MOST));
    rule.case("fin_at_a_closed_window_counts")
        .source("tcp_input.c tcp_sequence, tcp_data_queue (a bare FIN)")
        .needs([Need::Kernel(6, 10), Need::Kernel(6, 18)])
        .across(Ip::BOTH, |scene, ip| counts(scene, ip, 0))
        .more()
        .source("tcp_input.c tcp_sequence, tcp_data_queue (a bare FIN)")
        .needs([Need::Kernel(6, 10), Need::Before(6, 17)])
        .across(older, |scene, ip| counts(scene, ip, 0));
    rule.case("fin_at_a_closed_window_was_dropped_before_linux_6_10")
        .source("tcp_input.c tcp_data_queue (Linux 6.9); RFC 9293 3.4")
        .needs([Need::Before(6, 10)])
        .across(Ip::BOTH, too_early);
    rule.case("segment_that_ends_beyond_the_window_is_dropped_whole")
        .source("tcp_input.c tcp_sequence, tcp_validate_incoming (BEYOND_WINDOW)")
        .needs([Need::Kernel(6, 17)])
        .across(Ip::BOTH, dropped);
    rule.case("segment_that_ends_beyond_the_window_was_taken_whole_before_linux_6_17")
        .source("tcp_input.c tcp_sequence, tcp_data_queue (Linux 6.16)")
        .needs([Need::Before(6, 17)])
        .across(Ip::BOTH, taken);
    rule.case("segment_that_ends_beyond_the_window_is_taken_where_nothing_is_unread")
        .source("tcp_input.c tcp_sequence (sk_receive_queue), tcp_try_rmem_schedule")
        .across(Ip::BOTH, alone);
}

/// A pair, with so much unread at `b` that the rest of its window fits one packet.
struct Filled {
    pair: Pair,
    /// What is unread.
    unread: u32,
    /// What the window has left.
    left: u32,
}

impl Filled {
    /// With no more left than this.
    async fn up_to(scene: &Scene, ip: Ip, most: u32) -> Result<Self> {
        let pair = scene.pair().ip(ip).option_on_listener(option::RCVBUF, 8192).connect().await?;
        let (mut unread, mut left) = (0, pair.wire().expect(syn_ack()).await?.window);
        while left > most {
            // The window opens again by some of what is written, as long as there is room.
            let more = (left - most / 2).min(MOST);
            pair.a.write_pattern_from(unread.into(), more).ok().await?;
            unread += more;
            left = pair.wire().expect(any().from("b").ack(1 + unread)).await?.window;
        }
        pair.b.kernel().has_unread(unread).await?;
        Ok(Self { pair, unread, left })
    }

    /// A segment with a FIN, and so much data before it.
    async fn fin_behind(&self, data: u32) -> Result<Segment> {
        let impostor = self.pair.lab.impersonate(&self.pair.a)?;
        impostor.fin().carrying(vec![b'!'; data as usize]).send().await
    }
}

async fn counts(scene: Scene, ip: Ip, most: u32) -> Result {
    let filled = Filled::up_to(&scene, ip, most).await?;
    let Filled { pair: Pair { b, lab, .. }, unread, left } = &filled;
    let fin = filled.fin_behind(*left).await?;

    b.kernel().reaches(State::CloseWait).await?;
    let end = unread + left;
    lab.wire().expect(any().from("b").ack(1 + end + 1).window(0)).after(&fin).await?;
    // What was forged is no part of the pattern.
    let all = Drained { bytes: end.into(), intact: *left == 0, error: None };
    b.read_to_end().await?.is(&all)?;
    Ok(())
}

async fn too_early(scene: Scene, ip: Ip) -> Result {
    let filled = Filled::up_to(&scene, ip, 0).await?;
    let Filled { pair: Pair { a, b, lab, .. }, unread, .. } = &filled;
    let fin = filled.fin_behind(0).await?;

    lab.wire().expect(pure_ack().from("b").ack(1 + unread).window(0)).after(&fin).await?;
    b.host().counts("TCPZeroWindowDrop", 1).await?;
    b.kernel().is(State::Established)?;
    // Its time comes when the window opens.
    b.read_until((*unread).into()).await?.whole((*unread).into())?;
    a.close().ok().await?;
    b.read(1).eof().await?;
    Ok(())
}

async fn dropped(scene: Scene, ip: Ip) -> Result {
    let filled = Filled::up_to(&scene, ip, MOST).await?;
    let Filled { pair: Pair { a, b, lab, .. }, unread, left } = &filled;
    let beyond = filled.fin_behind(left + 1).await?;

    let answer = lab.wire().expect(pure_ack().from("b").ack(1 + unread)).after(&beyond).await?;
    same("the window is what it was", *left, answer.window)?;
    b.host().counts("BeyondWindow", 1).await?;
    b.kernel().is(State::Established)?;
    // Nothing of it is left: what comes in its place counts.
    b.kernel().has_unread(*unread).await?;
    a.write_pattern_from((*unread).into(), *left).ok().await?;
    a.close().ok().await?;
    b.read_to_end().await?.whole((unread + left).into())?;
    a.kernel().reaches(State::FinWait2).await?;
    Ok(())
}

async fn taken(scene: Scene, ip: Ip) -> Result {
    let filled = Filled::up_to(&scene, ip, MOST).await?;
    let Filled { pair: Pair { b, lab, .. }, unread, left } = &filled;
    let beyond = filled.fin_behind(left + 1).await?;

    b.kernel().reaches(State::CloseWait).await?;
    let end = 1 + unread + left + 1 + 1;
    lab.wire().expect(any().from("b").ack(end).window(0)).after(&beyond).await?;
    let all = Drained { bytes: (unread + left + 1).into(), intact: false, error: None };
    b.read_to_end().await?.is(&all)?;
    Ok(())
}

async fn alone(scene: Scene, ip: Ip) -> Result {
    // The least there is.
    let pair = scene.pair().ip(ip).option_on_listener(option::RCVBUF, 1);
    let Pair { lab, a, b, .. } = pair.connect().await?;
    let window = lab.wire().expect(syn_ack()).await?.window;
    check("a window for one packet", window, less_than(MOST))?;
    let data = vec![b'!'; window as usize + 1];
    let beyond = lab.impersonate(&a)?.fin().carrying(&data).send().await?;

    b.kernel().reaches(State::CloseWait).await?;
    lab.wire().expect(any().from("b").ack(1 + window + 1 + 1)).after(&beyond).await?;
    b.read(2 * MOST).bytes(&data).await?;
    b.read(1).eof().await?;
    Ok(())
}
