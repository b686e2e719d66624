//! The qdisc by which a port sends: put there, taken away, and asked what it has counted.

use futures::TryStreamExt;
use rtnetlink::{
    packet_core::DefaultNla,
    packet_route::{
        RouteNetlinkMessage,
        tc::{TcAttribute, TcHandle, TcHeader, TcMessage, TcStats2},
    },
};

use super::rtnl::{Rtnl, refusal};
use crate::error::{Error, Result};

/// What a qdisc has counted. Frames it holds back are in none but `waiting`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Frames that got through.
    pub passed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that were lost, or found no room.
    pub lost: u64,
    /// Frames that overtook others (the kernel counts them as requeued).
    pub reordered: u64,
    /// Frames on their way now.
    pub waiting: u64,
}

impl std::ops::AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.waiting += other.waiting;
    }
}

impl Rtnl {
    /// Gives a port a root qdisc of this kind.
    ///
    /// # Errors
    /// The kernel has none of that kind, or refuses its options.
    pub async fn put_root(&self, port: u32, kind: &str, options: &[u8], flags: u16) -> Result {
        const TCA_OPTIONS: u16 = 2;
        let mut message = root(port);
        message.attributes.push(TcAttribute::Kind(kind.to_owned()));
        if !options.is_empty() {
            // A struct and then attributes: no list of attributes, so not `TcAttribute::Options`.
            let options = DefaultNla::new(TCA_OPTIONS, options.to_vec());
            message.attributes.push(TcAttribute::Other(options));
        }
        let words = || format!("put {kind} on patch port {port}");
        self.send(RouteNetlinkMessage::NewQueueDiscipline(message), flags, words).await
    }

    /// Takes the root qdisc of a port away, and with it what it holds back.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_root(&self, port: u32) -> Result {
        let message = RouteNetlinkMessage::DelQueueDiscipline(root(port));
        self.send(message, 0, || format!("delete the root qdisc of patch port {port}")).await
    }

    /// What the root qdisc of a port has counted.
    ///
    /// # Errors
    /// There is none.
    pub async fn counted(&self, port: u32) -> Result<Counted> {
        let words = || format!("read the counters of patch port {port}");
        let mut handle = self.handle.qdisc();
        let mut all = handle.get().index(port as i32).execute();
        while let Some(found) = all.try_next().await.map_err(|error| refusal(error, words))? {
            let TcHeader { index, parent, handle, .. } = found.header;
            // What the kernel put there itself has no handle.
            if (index, parent) == (port as i32, TcHandle::ROOT) && handle != TcHandle::UNSPEC {
                return Ok(counters(&found));
            }
        }
        Err(Error::system(words(), "it has no root qdisc"))
    }
}

fn root(port: u32) -> TcMessage {
    let mut message = TcMessage::with_index(port as i32);
    message.header.parent = TcHandle::ROOT;
    message
}

fn counters(qdisc: &TcMessage) -> Counted {
    let mut counted = Counted::default();
    for attribute in &qdisc.attributes {
        let TcAttribute::Stats2(stats) = attribute else { continue };
        for stat in stats {
            match stat {
                TcStats2::Basic(basic) => {
                    (counted.passed, counted.bytes) = (basic.packets.into(), basic.bytes);
                }
                TcStats2::Queue(queue) => {
                    counted.lost = queue.drops.into();
                    counted.reordered = queue.requeues.into();
                    counted.waiting = queue.qlen.into();
                }
                _ => {}
            }
        }
    }
    counted
}
