//! While no SYN-ACK arrives both ends go on: the server says it again by a timer whose wait
//! doubles, and to every SYN that asks again, which starts that wait anew. So its request may live
//! for longer than the minute of tcp_synack_retries, and when it is forgotten the next SYN makes
//! another. connect() notices nothing of it and fails when it would fail if nobody were there.
//! Source: `net/ipv4/inet_connection_sock.c` `reqsk_timer_handler` (num_timeout);
//! `net/ipv4/tcp_minisocks.c` `tcp_check_req` ("Reset timer after retransmitting SYNACK");
//! ip-sysctl tcp_synack_retries, tcp_syn_retries.

use lastack::{prelude::*, process::Pending};

/// `tcp_synack_retries` as it comes.
const STOCK: u32 = 5;
/// Two timers that run out in the same tick act within this, and no two of others do.
const AT_ONCE: Duration = Duration::from_millis(100);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["LC-06b"]).needs([Need::VirtualTime]).waits(Duration::from_secs(200));
    rule.source("inet_connection_sock.c reqsk_timer_handler; tcp_minisocks.c tcp_check_req");
    rule.case("stock_connect_whose_every_syn_ack_is_lost_fails_while_both_ends_try")
        .across(Ip::BOTH, all_lost);
    rule.case("stock_connect_whose_syn_acks_are_lost_for_twenty_seconds_succeeds_with_the_next")
        .waits(Duration::from_secs(36))
        .run(some_lost);
}

async fn all_lost(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let _hole = lab.black_hole().from("b").open().await?;
    let (times, end) = lab.host("a")?.unanswered_connect()?;
    let Opening { connect, accept, request } = attempt(&lab, ip).await?;

    let last = times.len() - 1;
    let asked = vec![syn().from("a"); last + 1];
    let asked = lab.wire().in_order(Wire::start(), asked, 2 * end).await?.remove(last);
    lab.wire().expect(syn_ack().from("b")).after(&asked).await?;
    let gone = request.runs_out_within(2 * end).await?;
    lab.judge_unanswered_connect(connect.done().await?, &(times, end)).await?;
    drop(accept.blocked().await?);

    let all = lab.wire().segments();
    let (rest, answer) = judge_answers(&all)?;
    gone.judge("the request was forgotten", &rest, answer.at())
}

async fn some_lost(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let hole = lab.black_hole().from("b").open().await?;
    let (times, _) = lab.host("a")?.unanswered_connect()?;
    let Opening { connect, accept, request } = attempt(&lab, Ip::V4).await?;
    let heal = Duration::from_secs(20);
    let connect = connect.stays_blocked(heal).await?;
    hole.lift().await?;

    let next = times.iter().position(|at| *at > heal).unwrap_or(0);
    let waits: Vec<_> = times[..=next].windows(2).map(|pair| pair[1] - pair[0]).collect();
    let asked = Window::wheel(waits, "the next SYN, or a SYN-ACK before it");
    connect.done().await?.took_within(&Window { from: heal, ..asked })?.ok()?;
    accept.done().await?.ok()?;
    request.is(State::Established)?;
    lab.wire().absent(Wire::start(), ending()).await
}

/// A connect under way, and what the server knows of it.
struct Opening {
    connect: Pending<()>,
    accept: Pending<Socket>,
    request: SocketView,
}

async fn attempt(lab: &Lab, ip: Ip) -> Result<Opening> {
    let (client, server) = (lab.host("a")?.process().await?, lab.host("b")?.process().await?);
    let address = server.host().address(ip, PORT);
    let accept = server.listen(address).await?.accept().blocks().await?;
    let socket = client.socket(address).ok().await?;
    let connect = socket.connect(address).on("connector").blocks().await?;
    let source = socket.local().ok().await?;
    let request = SocketView::new(server.host(), address, source);
    request.reaches(State::SynRecv).await?;
    Ok(Opening { connect, accept, request })
}

/// Every SYN is answered at once; every other SYN-ACK is the timer's, and due when the wait is over
/// that the SYN-ACK before it began. How long the last of them leaves the request, which has none
/// left to send then, and that SYN-ACK.
fn judge_answers(all: &[Segment]) -> Result<(Window, &Segment)> {
    let (mut timeouts, mut last) = (0, &all[0]);
    for moment in all.chunk_by(|one, next| next.at().since(one.at()) < AT_ONCE) {
        let (answers, syns): (Vec<_>, Vec<_>) = moment.iter().partition(|it| it.from == "b");
        let (Some(answer), Some(by_timer)) =
            (answers.last(), answers.len().checked_sub(syns.len()))
        else {
            let seen = format!("{} for {} of them", answers.len(), syns.len());
            return Err(Error::mismatch("answers to SYNs at once", "one each", seen));
        };
        let passed = answer.at().since(last.at());
        if answer.retransmission {
            let due = wait(timeouts);
            match by_timer {
                1 => due.judge("a SYN-ACK was sent again by the timer", passed)?,
                _ => same("SYN-ACKs that nobody asked for", 0, by_timer)?,
            }
            check("the timer is not overdue", passed, at_most(due.to))?;
            timeouts += by_timer as u32;
        } else if timeouts > 0 {
            // Another request: the first one is forgotten.
            same("SYN-ACKs by the timer", STOCK, timeouts)?;
            let rest = wait(timeouts);
            Window::at_least(rest.from, rest.rule).judge("another request was made", passed)?;
            timeouts = 0;
        }
        last = answer;
    }
    same("SYN-ACKs by the timer", STOCK, timeouts)?;
    Ok((wait(timeouts), last))
}

/// How long the timer waits that has run out so often.
fn wait(timeouts: u32) -> Window {
    Window::wheel([timers::SYN_RTO * (1 << timeouts)], "a second, doubled with each timeout")
}
