//! A shower of datagrams, numbered and stamped when they leave, and who received which of them
//! when: what netem does to raw traffic, without TCP to make up for it.

use std::net::UdpSocket;

use lastack::prelude::*;
use lastack::wire::{Kind, Stray};

const MS: Duration = Duration::from_millis(1);
/// Longer than anything here holds a datagram back.
pub const QUIET: Duration = Duration::from_millis(700);

/// A datagram that was received.
#[derive(Debug)]
pub struct Got {
    pub number: u16,
    pub sent: Stamp,
    pub at: Stamp,
    /// Every byte is what it was.
    pub whole: bool,
}

fn datagram(number: u16, length: usize) -> Vec<u8> {
    let mut bytes = number.to_ne_bytes().to_vec();
    bytes.extend(Stamp::now().0.to_ne_bytes());
    bytes.resize(length, 0x5a);
    bytes
}

fn read(bytes: &[u8], length: usize) -> Option<Got> {
    let number = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let sent = Stamp(i64::from_ne_bytes(bytes.get(2..10)?.try_into().ok()?));
    let whole = bytes.len() == length && bytes[10..].iter().all(|byte| *byte == 0x5a);
    Some(Got { number, sent, at: Stamp::now(), whole })
}

/// Two hosts, one of which showers the other with datagrams.
pub struct Shower {
    lab: Lab,
    ip: Ip,
    /// Of a datagram, in bytes.
    pub length: usize,
}

impl Shower {
    /// Every frame counts here, so what a's kernel says of itself must be over: it announces the
    /// IPv6 groups that it has joined, and would again within a second. It has joined them all by
    /// now, but tells of each some ticks later (`net/ipv6/mcast.c`, `mld_ifc_start_work`), perhaps
    /// in one report and perhaps in two.
    pub async fn over(scene: &Scene, ip: Ip) -> Result<Self> {
        let hour = 3_600_000;
        let again = "net.ipv6.conf.default.mldv2_unsolicited_report_interval";
        let lab = scene.lab().sysctl("a", again, hour).build().await?;
        let announced = || {
            let strays = lab.wire().strays();
            let own = strays.iter().filter(|it| it.what.kind == Kind::Chatter && it.from == "a");
            own.map(Stray::at).max()
        };
        let calm = 10 * Wheel::here().tick();
        let deadline = Stamp::now().after(Duration::from_secs(1));
        let over = || announced().is_some_and(|last| Stamp::now().since(last) > calm);
        while !over() && Stamp::now() < deadline {
            tokio::time::sleep(MS).await;
        }
        Ok(Self { lab, ip, length: 32 })
    }

    pub async fn impair(&self, netem: Netem) -> Result<Impairment> {
        // Datagrams are no segments, which is what a fault counts.
        self.lab.impair(netem).from("a").that_may_miss().turn_on().await
    }

    /// Sends so many, this far apart, lets `meanwhile` happen, and gives those that arrived until
    /// it was quiet for a while, in order of arrival.
    pub async fn pour_while(
        &self,
        count: u16,
        gap: Duration,
        meanwhile: impl Future<Output = Result>,
    ) -> Result<Vec<Got>> {
        let (a, b) = (self.lab.host("a")?, self.lab.host("b")?);
        let (length, to, from) = (self.length, b.address(self.ip, 9), a.address(self.ip, 0));
        let words = || format!("pour datagrams to {to}");
        let socket = b.run(move || UdpSocket::bind(to)).await?.context(words)?;
        let receiver = b.start(move || -> std::io::Result<_> {
            socket.set_read_timeout(Some(QUIET))?;
            let (mut all, mut room) = (Vec::new(), [0; 2048]);
            while let Ok(bytes) = socket.recv(&mut room) {
                all.extend(read(&room[..bytes], length));
            }
            Ok(all)
        })?;
        let sender = a.start(move || -> std::io::Result<_> {
            let socket = UdpSocket::bind(from)?;
            for number in 0..count {
                socket.send_to(&datagram(number, length), to)?;
                std::thread::sleep(gap);
            }
            Ok(())
        })?;
        meanwhile.await?;
        sender.done().await?.context(words)?;
        receiver.done().await?.context(words)
    }

    /// When those arrived on the wire that are poured all at once, each once and in order.
    pub async fn arrivals(&self, count: u16) -> Result<Vec<Stamp>> {
        let from = self.lab.wire().strays().len();
        let got = self.pour(count).await?;
        same("received", (0..count).collect(), numbers(&got))?;
        self.lab.wire().settle().await?;
        let strays = self.lab.wire().strays().into_iter().skip(from);
        let datagrams = strays.filter(|it| it.what.text.contains("UDP"));
        let mut arrivals: Vec<_> = datagrams.filter_map(|it| it.arrived).collect();
        arrivals.sort_unstable();
        same("seen on the wire", usize::from(count), arrivals.len())?;
        Ok(arrivals)
    }

    /// As [`Self::pour_while`], all at once.
    pub async fn pour(&self, count: u16) -> Result<Vec<Got>> {
        self.pour_while(count, Duration::ZERO, async { Ok(()) }).await
    }
}

/// Which ones, in order of arrival.
pub fn numbers(all: &[Got]) -> Vec<u16> {
    all.iter().map(|it| it.number).collect()
}
