//! Where tcp_tw_reuse allows it, as it does between loopback addresses unless told otherwise, a
//! client gets its last port back from TIME_WAIT long before the minute is over: since Linux 6.14
//! tcp_tw_reuse_delay after that began, before that as soon as the kernel's clock is in another
//! second, which need not take one.
//! Source: `net/ipv4/tcp_ipv4.c` `tcp_twsk_unique` (`tw_entry_stamp`, before Linux 6.14
//! `tw_ts_recent_stamp`); `Documentation/networking/ip-sysctl.rst` tcp_tw_reuse, tcp_tw_reuse_delay.

use lastack::prelude::*;

const DELAY: &str = "net.ipv4.tcp_tw_reuse_delay";
/// `tcp_tw_reuse_delay` as it comes.
const STOCK: Duration = Duration::from_millis(1000);
const HALF: Duration = Duration::from_millis(500);
/// What both of the kernel's clocks here are cut down to.
const MILLISECOND: Duration = Duration::from_millis(1);

pub fn cases(family: &mut Family) {
    let rule = family.rule(["TW-13"]).needs([Need::Kernel(6, 14)]).waits(STOCK);
    rule.source("tcp_ipv4.c tcp_twsk_unique (tw_entry_stamp); ip-sysctl tcp_tw_reuse_delay");
    rule.case("last_port_is_free_again_after_tcp_tw_reuse_delay")
        .across(([("half_a_second", HALF), ("stock", STOCK)], Ip::OVER), |scene, (delay, ip)| {
            after_the_delay(scene, Path::Cable(ip), delay)
        });
    rule.case("last_port_to_a_loopback_address_is_free_again_after_a_second")
        .covers(["TW-14"])
        .across(Ip::BOTH, |scene, ip| after_the_delay(scene, Path::Loopback(ip), STOCK));
    rule.case("tcp_tw_reuse_delay_is_a_millisecond_at_least_and_a_minute_at_most")
        .source("sysctl_net_ipv4.c ipv4_net_table (tcp_tw_reuse_delay_max)")
        .run(limits);

    let rule = family.rule(["TW-13"]).needs([Need::Before(6, 14)]).waits(2 * STOCK);
    rule.source("tcp_ipv4.c tcp_twsk_unique (ktime_get_seconds, tw_ts_recent_stamp; Linux 6.13)");
    rule.case("last_port_is_free_again_with_the_next_second_of_the_clock")
        .across(Ip::BOTH, |scene, ip| with_the_next_second(scene, Path::Cable(ip)));
    rule.case("last_port_to_a_loopback_address_is_free_again_with_the_next_second_of_the_clock")
        .covers(["TW-14"])
        .across(Ip::BOTH, |scene, ip| with_the_next_second(scene, Path::Loopback(ip)));
    rule.case("tcp_tw_reuse_delay_is_unknown_before_linux_6_14")
        .source("sysctl_net_ipv4.c ipv4_net_table (Linux 6.13)")
        .run(unknown);
}

/// Where the client and its server are.
#[derive(Clone, Copy)]
enum Path {
    /// On two hosts, where reuse is off by default.
    Cable(Ip),
    /// On one.
    Loopback(Ip),
}

/// A client with one port, whose only connection is about to come to TIME_WAIT.
struct Last {
    lab: Lab,
    client: Process,
    socket: Socket,
    accepted: Socket,
    listener: Socket,
    kernel: SocketView,
    address: std::net::SocketAddr,
    local: std::net::SocketAddr,
}

impl Last {
    async fn over(scene: &Scene, path: Path, delay: Option<Duration>) -> Result<Self> {
        let mut lab = scene.lab().sysctl("a", "net.ipv4.ip_local_port_range", "40000 40000");
        if matches!(path, Path::Cable(_)) {
            lab = lab.sysctl("a", "net.ipv4.tcp_tw_reuse", 1);
        }
        if let Some(delay) = delay.filter(|delay| *delay != STOCK) {
            lab = lab.sysctl("a", DELAY, delay.as_millis());
        }
        let lab = lab.build().await?;
        let (server, address) = match path {
            Path::Cable(ip) => ("b", lab.host("b")?.address(ip, PORT)),
            Path::Loopback(Ip::V4) => ("a", ([127, 0, 0, 1], PORT).into()),
            Path::Loopback(Ip::V6) => ("a", (std::net::Ipv6Addr::LOCALHOST, PORT).into()),
        };
        let client = lab.host("a")?.process_named("client").await?;
        let listener = lab.host(server)?.process_named("server").await?.listen(address).await?;
        let socket = client.connect(address).await?;
        let accepted = listener.accept().ok().await?;
        let local = socket.local().ok().await?;
        let kernel = SocketView::new(client.host(), local, address);
        Ok(Self { lab, client, socket, accepted, listener, kernel, address, local })
    }

    /// Ends the connection, the client first. When TIME_WAIT began: after the first moment, and
    /// before the second.
    async fn ends(&self) -> Result<(Stamp, Stamp)> {
        self.socket.close().ok().await?;
        self.accepted.read(1).eof().await?;
        let closed = self.accepted.close().await?;
        let waits = self.kernel.reaches(State::TimeWait).await?;
        let began = closed.began();
        closed.ok()?;
        Ok((began, waits.first))
    }

    /// Connects until that succeeds, `apart` from each other. When the last that was refused was
    /// asked for, if any was, and when the one was there that was not.
    async fn again<T: Copy>(
        &self,
        apart: Duration,
        clock: impl Fn() -> T,
    ) -> Result<(Option<T>, T)> {
        let wire = self.lab.wire();
        let deadline = Stamp::now().after(4 * STOCK);
        let mut refused = None;
        loop {
            let asked = clock();
            let socket = self.client.socket(self.address).ok().await?;
            let connect = socket.connect(self.address).await?;
            if connect.answer().is_ok() {
                let there = clock();
                same("the port", self.local, socket.local().ok().await?)?;
                let accepted = self.listener.accept().ok().await?;
                socket.write("again").ok().await?;
                accepted.read(100).bytes(b"again").await?;
                return Ok((refused, there));
            }
            connect.errno(Errno::EADDRNOTAVAIL)?;
            if Stamp::now() > deadline {
                let seen = format!("kept for {:?} more", 4 * STOCK);
                return Err(Error::mismatch("the port", "free again", seen));
            }
            refused = Some(asked);
            socket.close().ok().await?;
            // Who is refused sends nothing.
            wire.never(wire.mark().await?, syn()).for_(apart).await?;
        }
    }
}

fn too_slow<T>(what: &str) -> Result<T> {
    Err(Error::too_slow(what.to_owned()))
}

async fn after_the_delay(scene: Scene, path: Path, delay: Duration) -> Result {
    let last = Last::over(&scene, path, Some(delay)).await?;
    let (after, before) = last.ends().await?;
    let (refused, there) = last.again(delay / 10, Stamp::now).await?;

    let least = Window::at_least(delay - MILLISECOND, "tcp_tw_reuse_delay");
    least.judge("the port was kept for", there.since(after))?;
    let Some(refused) = refused else {
        return too_slow("the port was free before anybody asked for it");
    };
    let most = Window::new(Duration::ZERO, delay + MILLISECOND, "tcp_tw_reuse_delay");
    most.judge("the port was still kept after", refused.since(before))
}

async fn with_the_next_second(scene: Scene, path: Path) -> Result {
    let last = Last::over(&scene, path, None).await?;
    let wire = last.lab.wire();
    // In the middle of a second, for there to be some of it left, and not all.
    let past = Duration::from_nanos(Stamp::uptime().subsec_nanos().into());
    let rest = if past < HALF { HALF - past } else { HALF + STOCK - past };
    wire.never(wire.mark().await?, ending()).for_(rest).await?;

    let after = Stamp::uptime();
    last.ends().await?;
    let before = Stamp::uptime();
    if after.as_secs() != before.as_secs() {
        return too_slow("TIME_WAIT began in one of two seconds");
    }
    let (refused, there) = last.again(HALF / 10, Stamp::uptime).await?;

    let second = before.as_secs();
    check("the second it is free in", there.as_secs(), more_than(second))?;
    let Some(refused) = refused else {
        return too_slow("the second was over before anybody asked for the port");
    };
    same("the last refusal was in that second", second, refused.as_secs())?;
    // Nobody waits for a second, which is what this delay is called in most places.
    let most = Window::new(Duration::ZERO, STOCK, "the rest of the second");
    most.judge("the port was kept for", there - before)
}

async fn limits(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let a = lab.host("a")?;
    same("as it comes", STOCK.as_millis().to_string(), a.sysctl(DELAY)?)?;
    for possible in ["1", "60000"] {
        a.set_sysctl(DELAY, possible)?;
        same("as set", possible.to_owned(), a.sysctl(DELAY)?)?;
    }
    for impossible in ["0", "60001"] {
        refused("the sysctl", a.set_sysctl(DELAY, impossible), Errno::EINVAL)?;
    }
    Ok(())
}

async fn unknown(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    refused("the sysctl", lab.host("a")?.set_sysctl(DELAY, "100"), Errno::ENOENT)
}
