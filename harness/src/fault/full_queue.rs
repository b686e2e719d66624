//! A host whose own queue has no room: what it sends is refused before it reaches the cable, and
//! its TCP is told so (`NET_XMIT_DROP`), as on a machine with a congested link.
//!
//! It acts inside the host, where no tap looks: what it refused is the queue's own count.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::Alteration;
use crate::{
    error::{Error, Result},
    lab::{Card, Host, Lab},
    stage::Inspect,
};

/// A host that cannot send. Lift it, or drop it.
#[must_use = "the queue has room again when the guard is dropped"]
pub struct FullQueue {
    host: Host,
    book: Arc<Book>,
    alteration: Alteration,
}

impl Lab {
    /// Leaves the queue of a host's own interface no room for a single frame.
    ///
    /// # Errors
    /// There is no such host, it is dead, or its interface has a queue of its own.
    pub async fn full_queue(&self, host: &str) -> Result<FullQueue> {
        let host = self.host(host)?.clone();
        let index = host.interface();
        let text = format!("full queue of host {}", host.name());
        let book = Arc::new(Book { text, refused: AtomicU64::new(0) });
        let act = async move |card: Card| card.own().leave_no_room(index).await;
        let count = book.clone();
        let undo = async move |card: Card| {
            let rtnl = card.own();
            let refused = rtnl.counted(index).await?.lost;
            count.refused.store(refused, Ordering::Relaxed);
            rtnl.delete_root(index).await
        };
        let alteration = Alteration::begin(self, &host, "full queue", act, undo).await?;
        self.stage().keep_fault(book.clone());
        Ok(FullQueue { host, book, alteration })
    }
}

impl FullQueue {
    /// How many frames it has refused so far.
    ///
    /// # Errors
    /// The host has died meanwhile.
    pub async fn refused(&self) -> Result<u64> {
        Ok(self.host.rtnl()?.counted(self.host.interface()).await?.lost)
    }

    /// Makes room again. How many frames it refused.
    ///
    /// # Errors
    /// The host has died meanwhile.
    pub async fn lift(self) -> Result<u64> {
        self.alteration.lift().await?;
        Ok(self.book.refused.load(Ordering::Relaxed))
    }
}

/// What the queue has refused by the time it has room again.
struct Book {
    text: String,
    refused: AtomicU64,
}

impl Inspect for Book {
    fn inspect(&self) -> Result {
        match self.refused.load(Ordering::Relaxed) {
            0 => Err(Error::mismatch(self.text.clone(), "refuses a frame", "refused nothing")),
            _ => Ok(()),
        }
    }
}
