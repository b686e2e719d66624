//! An acknowledgement that comes while TCP_USER_TIMEOUT has not passed is taken, and one that comes
//! later is answered with a reset, whether it was data or the FIN that waited for it, and whether
//! or not a process still holds the socket. Without a user timeout the late one is taken as well.
//! Source: `net/ipv4/tcp_timer.c` `tcp_write_timeout`, `retransmits_timed_out`; tcp(7); RFC 9293
//! 3.10.7.1 (a segment for a connection that is no more).

use lastack::prelude::*;

const TIMEOUT: Duration = Duration::from_millis(1000);

pub fn cases(family: &mut Family) {
    let waits =
        [("data", Waits::Data), ("fin", Waits::Fin), ("fin_of_a_closed_socket", Waits::Orphan)];
    let rule = family.rule(["UT-09"]).waits(Duration::from_secs(2));
    rule.source("tcp_timer.c tcp_write_timeout, retransmits_timed_out; RFC 9293 3.10.7.1");
    rule.case("acknowledgement_within_the_user_timeout_is_taken")
        .across((waits, Ip::OVER), |scene, what| within(scene, what, TIMEOUT));
    rule.case("acknowledgement_after_the_user_timeout_is_answered_with_a_reset")
        .across((waits, Ip::OVER), after);
    rule.case("acknowledgement_as_late_without_a_user_timeout_is_taken")
        .across((waits, Ip::OVER), |scene, what| within(scene, what, Duration::ZERO));
}

/// What waits for its acknowledgement.
#[derive(Clone, Copy, PartialEq)]
enum Waits {
    Data,
    Fin,
    /// The FIN of a socket that nobody holds any more.
    Orphan,
}

impl Waits {
    /// Has `a` send it.
    async fn send(self, a: &End) -> Result {
        match self {
            Self::Data => _ = a.write("x").ok().await?,
            Self::Fin => a.shut_wr().ok().await?,
            Self::Orphan => a.close().ok().await?,
        }
        Ok(())
    }

    fn sent(self) -> Pattern {
        if self == Self::Data { data().from("a") } else { fin().from("a") }
    }

    /// What the first timeout sent, after the segment itself and its tail loss probe.
    async fn first_timeout(self, wire: &Wire) -> Result<Segment> {
        let again = self.sent().retransmitted(true);
        let copies = [self.sent(), again.clone(), again];
        Ok(wire.in_order(Wire::start(), copies, TIMEOUT).await?.remove(2))
    }
}

async fn within(scene: Scene, (waits, ip): (Waits, Ip), timeout: Duration) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.set(option::USER_TIMEOUT, timeout.as_millis() as i32).ok().await?;

    // b hears nothing; who answers in its name answers when it is time.
    let _deaf = lab.black_hole().from("a").open().await?;
    waits.send(&a).await?;
    let first = waits.first_timeout(wire).await?;
    if timeout.is_zero() {
        let late = move |it: &Segment| it.at().since(first.at()) > TIMEOUT;
        let again = waits.sent().that("when a user timeout would be over", late);
        wire.expect(again).within(3 * TIMEOUT).await?;
    }
    let taken = lab.impersonate(&b)?.pure_ack().ack(2).send().await?;

    match waits {
        Waits::Data => drop(a.kernel().is_acknowledged().await?),
        Waits::Fin | Waits::Orphan => drop(a.kernel().reaches(State::FinWait2).await?),
    }
    wire.absent(&taken, any().from("a")).await?;
    wire.absent(Wire::start(), rst()).await
}

async fn after(scene: Scene, (waits, ip): (Waits, Ip)) -> Result {
    let Pair { lab, a, b, .. } = scene.pair().ip(ip).connect().await?;
    let wire = lab.wire();
    a.set(option::USER_TIMEOUT, TIMEOUT.as_millis() as i32).ok().await?;

    let _deaf = lab.black_hole().from("a").open().await?;
    waits.send(&a).await?;
    let gone = a.kernel().is_gone().await?;
    let first = waits.first_timeout(wire).await?;
    let window = Window::wheel([timers::user_timeout(TIMEOUT)], "TCP_USER_TIMEOUT");
    gone.judge("the end after the first timeout", &window, first.at())?;
    wire.absent(Wire::start(), rst()).await?;

    let late = lab.impersonate(&b)?.pure_ack().ack(2).send().await?;
    wire.expect(rst().from("a").seq(2)).after(&late).await?;
    if waits != Waits::Orphan {
        a.get(option::ERROR).await?.is(&(Errno::ETIMEDOUT as i32))?;
    }
    b.kernel().is(State::Established)?;
    Ok(())
}
