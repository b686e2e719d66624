//! What the kernel does in its own time, awaited: nothing here is sent before it can be.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::{
    error::{Error, Result},
    rtnl::Rtnl,
};

/// Waits until the kernel has noticed the carrier of an interface. Until then it drops what is
/// sent there: the queue of a device without carrier is a hole (`net/sched/sch_generic.c`,
/// `dev_activate`), and the notice comes from a work item (`net/core/link_watch.c`).
///
/// # Errors
/// It has not after five seconds, or there is no such interface.
pub async fn carries(rtnl: Rtnl, index: u32) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !rtnl.is_operational(index).await? {
        if Instant::now() > deadline {
            return Err(Error::system(format!("see carrier on interface {index}"), "none in 5 s"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}

/// Waits until a host takes what is sent to `address` for its own.
///
/// # Errors
/// It does not after five seconds.
pub async fn answers_to(rtnl: Rtnl, address: IpAddr) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !rtnl.is_local(address).await? {
        if Instant::now() > deadline {
            return Err(Error::system(format!("see {address} become local"), "not in 5 s"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
