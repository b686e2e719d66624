//! The middle: a namespace with one port to every host, and nothing in it but wires.
//!
//! What enters a port leaves by the others, redirected inside the kernel. The patch has no
//! address and never speaks. It is the case process's own network namespace.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU16, Ordering},
};

use futures::try_join;

use crate::{
    error::{Error, Result},
    sys::{
        probe::Trial,
        rtnl::Rtnl,
        tc::{Action, Key},
    },
};

/// Priority of the wiring itself. Faults take lower numbers, which are tried first.
const WIRING: u16 = 1000;

/// One end of a cable, facing a host.
#[derive(Debug, Clone)]
pub struct Port {
    /// The host at the other end.
    pub host: String,
    /// Interface name in the patch.
    pub name: String,
    /// Interface index in the patch.
    pub index: u32,
    /// Hardware address of the host.
    pub mac: [u8; 6],
}

/// The middle of a lab. Clones name the same one.
#[derive(Debug, Clone)]
pub struct Patch {
    rtnl: Rtnl,
    ports: Arc<[Port]>,
    priorities: Arc<AtomicU16>,
    impaired: Arc<Mutex<Impaired>>,
    ruled: Arc<Mutex<Ruled>>,
}

/// What is known of packet rules.
#[derive(Debug, Default)]
struct Ruled {
    /// How many sets of rules each port, by index, carries; their frames go the way of the rules.
    ports: HashMap<u32, usize>,
    /// Ports that have a wiring by rules, whether it is in use or not.
    wired: Vec<u32>,
    /// Tables that have been cut off and not yet deleted.
    retired: Vec<String>,
}

/// The ports that an impairment has. One port has one at most: the kernel would refuse a second
/// netem beside one that duplicates, and of two in a row nobody could tell which one did what.
#[derive(Debug, Default)]
struct Impaired(BTreeSet<u32>);

impl Impaired {
    fn claim(&mut self, ports: &[Port]) -> Result {
        if let Some(port) = ports.iter().find(|port| self.0.contains(&port.index)) {
            return Err(Error::usage(format!(
                "what goes to host {} is impaired already: change that impairment (one can do all at \
                 once), or lift it",
                port.host
            )));
        }
        self.0.extend(ports.iter().map(|port| port.index));
        Ok(())
    }

    fn release(&mut self, ports: &[Port]) {
        self.0.retain(|index| ports.iter().all(|port| port.index != *index));
    }
}

/// A name and a place in the order of rules that no other packet rules have.
#[derive(Debug)]
pub(crate) struct Table {
    pub name: String,
    pub priority: u16,
}

/// Priority of the wiring by rules, after all rules of faults.
const LAST: u16 = 30_000;

impl Patch {
    pub(super) fn new(rtnl: Rtnl, ports: Vec<Port>) -> Self {
        Self {
            rtnl,
            ports: ports.into(),
            priorities: Arc::new(AtomicU16::new(1)),
            impaired: Arc::default(),
            ruled: Arc::default(),
        }
    }

    /// Its ports, in the order of the hosts.
    #[must_use]
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The ports that segments from `host` enter by: one, or all for `None`.
    ///
    /// # Errors
    /// No such host is cabled to this patch.
    pub fn ports_from(&self, host: Option<&str>) -> Result<Vec<Port>> {
        let ports: Vec<Port> =
            self.ports.iter().filter(|p| host.is_none_or(|h| p.host == h)).cloned().collect();
        match host {
            Some(host) if ports.is_empty() => {
                let names: Vec<_> = self.ports.iter().map(|port| port.host.as_str()).collect();
                Err(Error::usage(format!(
                    "no host {host} at the patch; it has {}",
                    names.join(", ")
                )))
            }
            _ => Ok(ports),
        }
    }

    /// Its routing side.
    #[must_use]
    pub fn rtnl(&self) -> &Rtnl {
        &self.rtnl
    }

    /// The same patch, spoken to in another conversation.
    pub(crate) fn over(&self, rtnl: Rtnl) -> Self {
        Self { rtnl, ..self.clone() }
    }

    /// A filter priority that nobody else has.
    pub(crate) fn priority(&self) -> u16 {
        self.priorities.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes ports for one impairment, all or none.
    pub(crate) fn claim(&self, ports: &[Port]) -> Result {
        self.impaired.lock().expect("no holder of this lock panics").claim(ports)
    }

    /// Gives them back.
    pub(crate) fn release(&self, ports: &[Port]) {
        self.impaired.lock().expect("no holder of this lock panics").release(ports);
    }

    /// The port that faces `host`: what is sent to the host leaves by it.
    ///
    /// # Errors
    /// No such host is cabled to this patch.
    pub fn port_to(&self, host: &str) -> Result<Port> {
        Ok(self.ports_from(Some(host))?.remove(0))
    }

    /// Wires one port to all others.
    pub(super) async fn wire(&self, port: &Port) -> Result {
        // One conversation is heard in order, so the second need not wait for the first's answer.
        let wired = try_join!(self.rtnl.add_clsact(port.index), self.connect(port));
        Trial::Redirect.tried(wired.map(drop))
    }

    /// Lets frames through from `port`. With two hosts everything goes to the other one; with
    /// more, by hardware address, and to all others what is addressed to a group.
    pub(crate) async fn connect(&self, port: &Port) -> Result {
        let others: Vec<&Port> = self.ports.iter().filter(|p| p.index != port.index).collect();
        if let [only] = others[..] {
            let fate = Action::Forward(vec![only.index]);
            return self.rtnl.add_filter(port.index, WIRING, &[Key::ANY], &fate).await;
        }
        for (n, other) in (1..).zip(&others) {
            let fate = Action::Forward(vec![other.index]);
            let words = Key::destination(other.mac);
            self.rtnl.add_filter(port.index, WIRING + n, &words, &fate).await?;
        }
        let all = Action::Forward(others.iter().map(|other| other.index).collect());
        self.rtnl.add_filter(port.index, WIRING, &[Key::GROUP], &all).await
    }

    /// A table for packet rules. Tried in the order they are made.
    pub(crate) fn table(&self) -> Table {
        let priority = self.priority();
        // Several labs may share a namespace, but no port.
        let lab = self.ports.first().map_or(0, |port| port.index);
        Table { name: format!("lastack_{lab}_{priority}"), priority }
    }

    /// What nft needs to be told before rules act on `ports`, in the same transaction: that
    /// rules cut off earlier are no more, and where frames go that pass all rules.
    pub(crate) fn before_rules(&self, ports: &[Port]) -> String {
        let ruled = self.ruled();
        let retired = ruled.retired.iter().map(|table| format!("delete table netdev {table}\n"));
        let fresh = ports.iter().filter(|port| !ruled.wired.contains(&port.index));
        retired.chain(fresh.map(|port| self.wiring_by_rules(port))).collect()
    }

    /// The wiring of a port, in words of nft.
    fn wiring_by_rules(&self, port: &Port) -> String {
        let Port { index, name, .. } = port;
        let mut text = format!(
            "table netdev lastack_wiring_{index} {{\nchain port {{\n\
             type filter hook ingress device \"{name}\" priority {LAST};\n"
        );
        let others: Vec<&Port> = self.ports.iter().filter(|p| p.index != *index).collect();
        if let [only] = others[..] {
            let _ = writeln!(text, "fwd to \"{}\"", only.name);
        } else {
            for other in others {
                let mac = other.mac.map(|byte| format!("{byte:02x}")).join(":");
                let _ = writeln!(text, "ether daddr {mac} fwd to \"{}\"", other.name);
                // The group bit of the address.
                let group = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00";
                let _ = writeln!(text, "{group} dup to \"{}\"", other.name);
            }
        }
        text.push_str("}\n}\n");
        text
    }

    /// Leaves `ports` to rules that have been loaded with what [`Self::before_rules`] said.
    pub(crate) async fn leave_to_rules(&self, ports: &[Port]) -> Result {
        let fresh: Vec<&Port> = {
            let mut ruled = self.ruled();
            ruled.retired.clear();
            ruled.wired.extend(ports.iter().map(|port| port.index));
            let first = |port: &&Port| {
                let sets = ruled.ports.entry(port.index).or_default();
                *sets += 1;
                *sets == 1
            };
            ports.iter().filter(first).collect()
        };
        for port in fresh {
            let filters = if self.ports.len() == 2 { 1 } else { self.ports.len() as u16 };
            for n in 0..filters {
                self.rtnl.delete_filter(port.index, WIRING + n).await?;
            }
        }
        Ok(())
    }

    /// Takes one set of rules off `ports`; a port without any goes back to the wiring by filters,
    /// which comes before every rule. Whether nothing reaches the set any more, so that deleting
    /// it can wait: nft and the kernel take some 20 ms for that, a filter is there in one.
    pub(crate) async fn cut_off(&self, ports: &[Port]) -> Result<bool> {
        let bare: Vec<&Port> = {
            let mut ruled = self.ruled();
            let last = |port: &&Port| {
                let sets = ruled.ports.entry(port.index).or_default();
                *sets = sets.saturating_sub(1);
                *sets == 0
            };
            ports.iter().filter(last).collect()
        };
        for port in &bare {
            self.connect(port).await?;
        }
        Ok(bare.len() == ports.len())
    }

    /// Has this table, which has been cut off, deleted before it could act again.
    pub(crate) fn retire(&self, table: &str) {
        self.ruled().retired.push(table.to_owned());
    }

    fn ruled(&self) -> MutexGuard<'_, Ruled> {
        self.ruled.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(host: &str, index: u32) -> Port {
        Port { host: host.to_owned(), name: format!("port{index}"), index, mac: [0; 6] }
    }

    #[test]
    fn a_path_is_impaired_once_and_again_when_that_is_over() {
        let ports = [port("a", 1), port("b", 2)];
        let mut impaired = Impaired::default();
        impaired.claim(&ports[1..]).expect("the first");
        let error = impaired.claim(&ports).expect_err("a second").to_string();
        assert!(error.contains("what goes to host b is impaired already"), "{error}");
        impaired.claim(&ports[..1]).expect("nothing was taken by the refused one");
        impaired.release(&ports[1..]);
        impaired.claim(&ports[1..]).expect("it is free again");
    }
}
