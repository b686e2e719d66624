//! A machine dies with everything pending that a kernel can hold back, again and again: how long
//! until the last trace of its stack is gone, and whether anything of it is seen afterwards.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lastack::{
    fault::{Outage, Unplugged},
    prelude::*,
};
use serde::{Deserialize, Serialize};

use crate::{floor, loops::tell};

/// The processes in which machines lose their power, again and again.
const PROCESSES: [&str; 8] = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
/// The same by the wrong order: kill, with the cable out, and plug it in again.
pub const CARELESS: &str = "dying::careless";

const DEATHS: u16 = 125;
/// Enough to see that the wrong order leaks.
const CARELESS_DEATHS: u16 = 5;
/// The port of the first life's server; each has its own.
const FIRST_PORT: u16 = 20_000;

pub fn cases(family: &mut Family) {
    let power_off = family.case("power_off").covers(["ZZ-07"]).source("this file");
    power_off
        .needs([Need::SockDestroy])
        .waits(Duration::from_secs(15))
        .across(PROCESSES.map(|name| (name, ())), |scene, ()| die(scene, DEATHS, How::PowerOff));
    let careless = family.case("careless").covers(["ZZ-08"]).source("this file");
    careless.waits(Duration::from_secs(5)).run(|scene| die(scene, CARELESS_DEATHS, How::Careless));
}

/// The names of the loops that together let a machine lose its power a thousand times.
pub fn power_offs() -> [String; 8] {
    PROCESSES.map(|name| format!("dying::power_off::{name}"))
}

/// What a loop of deaths tells.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Silence {
    /// How often the machine died.
    pub deaths: u16,
    /// From the order to the guard, each.
    pub guard_ms: Vec<f64>,
    /// From the order to the last trace of the stack, each; a careless death has no such end.
    pub gone_ms: Vec<f64>,
    /// Segments of a dead machine that were seen once its guard was there.
    pub leaked: usize,
}

/// In which order a machine is made to die.
#[derive(Clone, Copy)]
enum How {
    PowerOff,
    Careless,
}

impl How {
    async fn kill(self, lab: &Lab, process: &Process) -> Result<Dead> {
        match self {
            Self::PowerOff => Ok(Dead::Off(lab.power_off("b").that_may_miss().now().await?)),
            Self::Careless => {
                let cable = lab.unplug("b").that_may_miss().now().await?;
                process.kill().await?;
                Ok(Dead::Unplugged(cable))
            }
        }
    }
}

/// A dead machine.
enum Dead {
    Off(Outage),
    Unplugged(Unplugged),
}

impl Dead {
    /// Puts the next one in its place, on the same cable.
    async fn replace(self) -> Result {
        match self {
            Self::Off(outage) => outage.boot().await,
            Self::Unplugged(cable) => cable.plug_in().await,
        }
    }
}

/// What a connection of the dying machine has left to say.
#[derive(Clone, Copy)]
enum Pending {
    /// Data that nobody acknowledges, to be sent again.
    Data,
    /// A FIN of a socket that nobody holds any more, to be sent again.
    Fin,
    /// Both.
    DataAndFin,
    /// A FIN, as soon as its process is gone.
    FinOfTheProcess,
    /// A reset, as soon as its process is gone: data is unread.
    Reset,
    /// A reset, as soon as its process is gone: SO_LINGER with a time of zero.
    AbortiveClose,
}

impl Pending {
    const ALL: [Self; 6] = [
        Self::Data,
        Self::Fin,
        Self::DataAndFin,
        Self::FinOfTheProcess,
        Self::Reset,
        Self::AbortiveClose,
    ];

    /// Lets the two ends come to it. What the dying one sends is swallowed already.
    async fn arrange(self, survivor: &Socket, dying: &Socket) -> Result {
        match self {
            Self::Data => dying.write("data").ok().await.map(drop),
            Self::Fin => dying.close().ok().await,
            Self::DataAndFin => {
                dying.write("data").ok().await?;
                dying.close().ok().await
            }
            Self::FinOfTheProcess => Ok(()),
            Self::Reset => survivor.write("unread").ok().await.map(drop),
            Self::AbortiveClose => dying.set(option::LINGER, Linger::RESET).ok().await,
        }
    }
}

/// One life of the machine, with a connection for everything that may be pending.
struct Life {
    process: Process,
    /// Where it listens, which no other life does: its last words are told from all others'.
    server: SocketAddr,
    /// The survivor's sockets and its own.
    ends: Vec<(Pending, Socket, Socket)>,
}

impl Life {
    async fn begin(lab: &Lab, client: &Process, n: u16) -> Result<Self> {
        let mortal = lab.host("b")?;
        let process = mortal.process_named("server").await?;
        let (_, ip) = Ip::BOTH[usize::from(n % 2)];
        let server = mortal.address(ip, FIRST_PORT + n);
        let listener = process.listen(server).await?;
        let mut ends = Vec::new();
        for pending in Pending::ALL {
            let near = client.connect(server).await?;
            ends.push((pending, near, listener.accept().ok().await?));
        }
        Ok(Self { process, server, ends })
    }

    /// The survivor says nothing any more: whatever comes from this life's address then is its
    /// own, because the next machine has nothing to answer.
    async fn is_forgotten(&self) -> Result {
        for (_, near, _) in &self.ends {
            near.vanish().ok().await?;
        }
        Ok(())
    }
}

async fn die(scene: Scene, deaths: u16, how: How) -> Result {
    let lab = scene.lab().build().await?;
    let client = lab.host("a")?.process_named("client").await?;
    let (mut silence, mut dead) = (Silence { deaths, ..Silence::default() }, Vec::new());
    let mut rto = Duration::ZERO;
    for n in 0..deaths {
        let life = Life::begin(&lab, &client, n).await?;
        rto = life.ends[0].2.info().ok().await?.rto();
        let hole = lab.black_hole().from("b").open().await?;
        for (pending, near, far) in &life.ends {
            pending.arrange(near, far).await?;
        }
        if matches!(how, How::PowerOff) {
            lab.host("b")?.run(|| floor::canary(CANARY)).await??;
        }

        let start = Instant::now();
        let guard = how.kill(&lab, &life.process).await?;
        dead.push((life.server, Stamp::now()));
        silence.guard_ms.push(millis(start.elapsed()));
        if matches!(how, How::PowerOff) {
            silence.gone_ms.push(millis(gone(start).await?));
        }

        life.is_forgotten().await?;
        hole.lift().await?;
        guard.replace().await?;
    }
    // What might be left of the last life would be sent again within this.
    let again = Window::wheel([timers::first_rto_after_lone_write(rto)], "sent again");
    tokio::time::sleep(again.to).await;
    lab.wire().settle().await?;
    let haunts = |segment: &&Segment| {
        dead.iter().any(|(server, died)| {
            let late = segment.at() > *died || segment.arrived.is_some_and(|at| at > *died);
            segment.src == *server && late
        })
    };
    silence.leaked = lab.wire().segments().iter().filter(haunts).count();
    tell(&silence);
    Ok(())
}

/// A link of which one end lies in the stack of the dying host. The kernel takes it away with the
/// stack's other devices, when the last socket that held the namespace is gone
/// (`net/core/net_namespace.c`, `cleanup_net`; `net/core/dev.c`, `default_device_exit_batch`).
const CANARY: &str = "canary";

/// Waits until the canary is gone. The time from `start`.
async fn gone(start: Instant) -> Result<Duration> {
    while nix::net::if_::if_nametoindex(CANARY).is_ok() {
        if start.elapsed() > Duration::from_secs(5) {
            return Err(Error::system("see a stack go", "it was still there after 5 s"));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(start.elapsed())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
