//! Rules for single packets in the patch: which are dropped, which are answered in
//! the receiver's name, as a middlebox would, and which have to wait, while all others pass.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    Rule,
    detour::Detour,
    guard::Guard,
    hits::{Aim, Hits},
    packets,
    taken::{Place, Takes},
};
use crate::{
    error::{Context, Error, Result},
    lab::{Lab, Patch, Port},
    stage::Inspect,
    sys::{nft, probe::Trial},
    wire::Seq,
};

/// Rules in the making. A packet that fits several meets the first.
#[must_use = "a fault acts once it is on"]
pub struct RulesBuilder {
    lab: Lab,
    rules: Vec<Rule>,
    may_miss: bool,
}

impl Lab {
    /// Rules for single packets in the patch; see [`Rules`].
    pub fn rules(&self, rules: impl IntoIterator<Item = Rule>) -> RulesBuilder {
        RulesBuilder { lab: self.clone(), rules: rules.into_iter().collect(), may_miss: false }
    }

    /// A middlebox that refuses a host's data: it answers with a reset in the receiver's name, and
    /// lets the receiver know nothing.
    pub fn reject_from(&self, host: &str) -> RulesBuilder {
        self.rules([packets().from(host).carrying_data().are_reset()])
    }
}

impl RulesBuilder {
    /// Says that the case is right also when a rule hits nothing.
    pub fn that_may_miss(mut self) -> Self {
        self.may_miss = true;
        self
    }

    /// Turns them on together, in one transaction.
    ///
    /// Netfilter's ingress hook runs after traffic control (`net/core/dev.c`,
    /// `__netif_receive_skb_core`) and never sees a frame that was redirected there. So a port
    /// that gets its first rules is wired anew, by a rule that comes after all others.
    ///
    /// # Errors
    /// A rule can match nothing or names a host that is dead or unknown, the lab has no patch,
    /// the program `nft` is missing, or the kernel refuses.
    pub async fn turn_on(self) -> Result<Rules> {
        let patch = self.lab.patch()?.clone();
        if self.rules.is_empty() {
            return Err(Error::usage("no packet rule to turn on"));
        }
        self.lab.wire().settle().await?;
        let mut bases = Vec::new();
        for rule in &self.rules {
            rule.check()?;
            for host in rule.hosts() {
                patch.ports_from(Some(host))?;
                self.lab.living(host).context(|| format!("turn on rule \"{rule}\""))?;
            }
            bases.push(self.base(rule)?);
        }
        let words: Vec<_> = self.rules.iter().map(Rule::to_string).collect();
        let text = format!("packet rules: {}", words.join("; "));
        let mut detour = None;
        if self.rules.iter().any(Rule::holds) {
            let laid = Detour::lay(&self.lab, &patch).await;
            let laid = Trial::Hold.tried(laid);
            detour = Some(laid.context(|| format!("turn on {text}"))?);
        }
        let aside = detour.as_ref().map_or("", Detour::name);
        let table = patch.table();
        let mut ports = Vec::new();
        let mut script = format!("table netdev {} {{\n", table.name);
        for (n, rule) in self.rules.iter().enumerate() {
            let _ =
                write!(script, "counter c{n} {{ }}\n{}", rule.act(&chain(n), &counter(n), aside));
            for port in patch.ports_from(rule.source())? {
                if ports.iter().all(|other: &Port| other.index != port.index) {
                    ports.push(port);
                }
            }
        }
        for port in &ports {
            let (index, name, priority) = (port.index, &port.name, table.priority);
            let _ = write!(script, "chain port_{index} {{\ntype filter hook ingress device");
            let _ = writeln!(script, " \"{name}\" priority {priority};");
            for (n, (rule, base)) in self.rules.iter().zip(&bases).enumerate() {
                if rule.source().is_none_or(|host| host == port.host) {
                    script.push_str(&rule.matches(&patch, port, &chain(n), *base));
                }
            }
            script.push_str("}\n");
        }
        script.push_str("}\n");
        script.push_str(&patch.before_rules(&ports));
        let aim = Aim {
            may_miss: true,
            place: Place::Rules(table.priority),
            takes: Takes::Rules(self.rules.clone().into()),
            ..Aim::default()
        };
        let hits = Hits::of(&self.lab, &text, aim);
        let state = Mutex::new(State::On(table.name));
        let book = Arc::new(Book { words, may_miss: self.may_miss, detour, state });
        let mut loaded = nft::load(&script);
        for trial in self.needs() {
            loaded = trial.tried(loaded);
        }
        loaded.context(|| format!("turn on {text}"))?;
        self.lab.stage().keep_fault(book.clone());
        // From here on a failure drops the guard, which takes the rules away again.
        let (own, wired, middle) = (book.clone(), ports.clone(), patch.clone());
        let lift = async move |rtnl| own.lift(&middle.over(rtnl), &wired).await;
        let mut guard = Guard::in_middle(patch.rtnl(), hits, lift);
        let left = patch.leave_to_rules(&ports).await;
        left.context(|| format!("turn on {text}"))?;
        guard.on();
        Ok(Rules { lab: self.lab, guard, book, patch })
    }

    /// What they need of the machine. To answer or to hold takes packet rules and more.
    fn needs(&self) -> Vec<Trial> {
        let answers = self.rules.iter().any(Rule::answers).then_some(Trial::Reject);
        let holds = self.rules.iter().any(Rule::holds).then_some(Trial::Hold);
        match (answers, holds) {
            (None, None) => vec![Trial::Nft],
            more => [more.0, more.1].into_iter().flatten().collect(),
        }
    }

    fn base(&self, rule: &Rule) -> Result<Option<Seq>> {
        let Some((from, to)) = rule.numbered_by() else { return Ok(None) };
        match self.lab.wire().origin(from, to) {
            Some(base) => Ok(Some(base)),
            None => Err(Error::usage(format!(
                "packet rule \"{rule}\" cannot act: {from} has sent nothing to {to} yet, so its \
                 sequence numbers are not known"
            ))),
        }
    }
}

fn chain(n: usize) -> String {
    format!("rule_{n}")
}

fn counter(n: usize) -> String {
    format!("c{n}")
}

/// Rules that are on. Lift them, or drop them.
#[must_use = "packet rules are lifted when their guard is dropped"]
pub struct Rules {
    lab: Lab,
    guard: Guard,
    book: Arc<Book>,
    patch: Patch,
}

impl Rules {
    /// How many packets each rule has hit so far, by the kernel's counters.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn counts(&self) -> Result<Vec<u64>> {
        self.book.counts()
    }

    /// How many packets are held now.
    ///
    /// # Errors
    /// No rule holds anything, or the kernel does not tell.
    pub async fn held(&self) -> Result<u64> {
        self.detour()?.waiting(self.patch.rtnl()).await
    }

    /// Lets go what is held, in the order of its coming, and returns when all of it has left the
    /// patch. What fits from now on waits no more, but comes after. How many packets were held.
    ///
    /// # Errors
    /// No rule holds anything, or the kernel refuses.
    pub async fn release(&self) -> Result<u64> {
        let released = self.detour()?.open(self.patch.rtnl()).await;
        let released =
            released.context(|| format!("release what is held by {}", self.guard.hits().text()))?;
        self.lab.stage().note(format!("released: {released} held"));
        Ok(released)
    }

    fn detour(&self) -> Result<&Detour> {
        self.book.detour.as_ref().ok_or_else(|| {
            Error::usage(format!("{}: none of them holds anything", self.guard.hits().text()))
        })
    }

    /// Lets everything through again, what is held first. How many packets each rule has hit.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn lift(mut self) -> Result<Vec<u64>> {
        self.guard.lift().await?;
        self.book.counts()
    }
}

/// What rules have hit, for their guard and for the end of the case.
struct Book {
    words: Vec<String>,
    may_miss: bool,
    /// Where what is held waits.
    detour: Option<Detour>,
    state: Mutex<State>,
}

#[derive(Clone)]
enum State {
    /// On, in the nft table of this name.
    On(String),
    /// Lifted, with these counts.
    Off(Vec<u64>),
}

impl Book {
    fn counts(&self) -> Result<Vec<u64>> {
        match &*self.held() {
            State::Off(counts) => Ok(counts.clone()),
            State::On(table) => read(&nft::counters(table)?, table, self.words.len()),
        }
    }

    async fn lift(&self, patch: &Patch, ports: &[Port]) -> Result {
        let State::On(table) = self.held().clone() else { return Ok(()) };
        if let Some(detour) = &self.detour {
            detour.open(patch.rtnl()).await?;
        }
        let cut_off = patch.cut_off(ports).await?;
        let counts = read(&nft::counters(&table)?, &table, self.words.len())?;
        // Not in one run with the question: nft 1.0.6 crashes when it lists what it deletes.
        if cut_off {
            patch.retire(&table);
        } else {
            nft::load(&format!("delete table netdev {table}\n"))?;
        }
        *self.held() = State::Off(counts);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Inspect for Book {
    fn inspect(&self) -> Result {
        if self.may_miss {
            return Ok(());
        }
        match self.words.iter().zip(self.counts()?).find(|(_, count)| *count == 0) {
            None => Ok(()),
            Some((rule, _)) => Err(Error::mismatch(
                format!("packet rule \"{rule}\""),
                "hits at least one packet",
                "hit nothing",
            )),
        }
    }
}

/// The packets of counters `c0`, `c1`… in what `nft -j` says (libnftables-json(5)).
fn read(text: &str, table: &str, rules: usize) -> Result<Vec<u64>> {
    let context = || format!("read the counters of nft table {table}");
    let said: serde_json::Value = serde_json::from_str(text).context(context)?;
    let objects = said["nftables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let packets = |name: &str| {
        let counter = objects.iter().map(|object| &object["counter"]).find(|it| it["name"] == name);
        counter.and_then(|counter| counter["packets"].as_u64())
    };
    let counts = (0..rules).map(|n| packets(&counter(n))).collect::<Option<_>>();
    counts.ok_or_else(|| Error::system(context(), format!("not all are in {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_name() {
        let text = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"counter": {"family": "netdev", "name": "c1", "packets": 7, "bytes": 9}},
            {"counter": {"family": "netdev", "name": "c0", "packets": 3, "bytes": 9}}]}"#;
        assert_eq!(read(text, "t", 2).expect("both"), [3, 7]);
        assert!(read(text, "t", 3).is_err());
        assert!(read("", "t", 1).is_err());
    }
}
