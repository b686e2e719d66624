//! The qdisc by which an interface sends: put there, taken away, and asked what it has counted.

use futures::TryStreamExt;
use rtnetlink::{
    packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL},
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
    /// Gives an interface a root qdisc of this kind.
    ///
    /// # Errors
    /// The kernel has none of that kind, or refuses its options.
    pub async fn put_root(&self, index: u32, kind: &str, options: &[u8], flags: u16) -> Result {
        const TCA_OPTIONS: u16 = 2;
        let mut message = root(index);
        message.attributes.push(TcAttribute::Kind(kind.to_owned()));
        if !options.is_empty() {
            // A struct and then attributes: no list of attributes, so not `TcAttribute::Options`.
            let options = DefaultNla::new(TCA_OPTIONS, options.to_vec());
            message.attributes.push(TcAttribute::Other(options));
        }
        let words = || format!("put {kind} on interface {index}");
        self.send(RouteNetlinkMessage::NewQueueDiscipline(message), flags, words).await
    }

    /// Gives an interface a queue without room for a single frame: who sends is told that it was
    /// dropped (`net/sched/sch_fifo.c`, `pfifo_enqueue`).
    ///
    /// # Errors
    /// It has a qdisc already.
    pub async fn leave_no_room(&self, index: u32) -> Result {
        // struct tc_fifo_qopt: the limit, in frames.
        let limit = 0u32.to_ne_bytes();
        self.put_root(index, "pfifo", &limit, NLM_F_CREATE | NLM_F_EXCL).await
    }

    /// Takes the root qdisc of an interface away, and with it what it holds back.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_root(&self, index: u32) -> Result {
        let message = RouteNetlinkMessage::DelQueueDiscipline(root(index));
        self.send(message, 0, || format!("delete the root qdisc of interface {index}")).await
    }

    /// What the root qdisc of an interface has counted.
    ///
    /// # Errors
    /// There is none.
    pub async fn counted(&self, index: u32) -> Result<Counted> {
        let words = || format!("read the queue counters of interface {index}");
        let mut handle = self.handle.qdisc();
        let mut all = handle.get().index(index as i32).execute();
        while let Some(found) = all.try_next().await.map_err(|error| refusal(error, words))? {
            let TcHeader { index: of, parent, handle, .. } = found.header;
            // What the kernel put there itself has no handle.
            if (of, parent) == (index as i32, TcHandle::ROOT) && handle != TcHandle::UNSPEC {
                return Ok(counters(&found));
            }
        }
        Err(Error::system(words(), "it has no root qdisc"))
    }
}

fn root(index: u32) -> TcMessage {
    let mut message = TcMessage::with_index(index as i32);
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
