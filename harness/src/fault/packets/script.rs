//! Rules in the language of nft(8).

use std::fmt::Write;

use super::{Effect, Packets, Rule, Which};
use crate::{
    lab::{Patch, Port},
    wire::{Flags, Seq},
};

impl Rule {
    /// The lines that lead from the chain of `port` to the rule's own chain; `base` is where its
    /// sequence numbers start.
    pub(in super::super) fn matches(
        &self,
        patch: &Patch,
        port: &Port,
        chain: &str,
        base: Option<Seq>,
    ) -> String {
        let mut lines = String::new();
        for family in [4, 6] {
            let Some(conditions) = self.conditions(patch, port, family, base) else { continue };
            match self.what.payload {
                None => {
                    let _ = writeln!(lines, "{conditions} jump {chain}");
                }
                Some(payload) => {
                    // nft cannot subtract: one line for every length a TCP header can have.
                    for words in 5..=15 {
                        let length = length(family, words * 4, payload);
                        let _ =
                            writeln!(lines, "{conditions} tcp doff {words} {length} jump {chain}");
                    }
                }
            }
        }
        lines
    }

    fn conditions(
        &self,
        patch: &Patch,
        port: &Port,
        family: u8,
        base: Option<Seq>,
    ) -> Option<String> {
        let Packets { to, ends, with, without, seq, .. } = &self.what;
        if let Effect::Refused(error) = self.fate
            && let (None, _, 4) | (_, None, 6) = (error.codes().0, error.codes().1, family)
        {
            return None;
        }
        // No IPv4 options and no IPv6 extension headers: TCP sends none here.
        let (mut text, ip) = match family {
            4 => ("ip hdrlength 5 ip protocol tcp".to_owned(), "ip"),
            _ => ("ip6 nexthdr tcp".to_owned(), "ip6"),
        };
        if let Some(to) = to {
            let target = patch.ports().iter().find(|port| port.host == *to)?;
            if target.index == port.index {
                return None;
            }
            let mac = target.mac.map(|byte| format!("{byte:02x}")).join(":");
            let _ = write!(text, " ether daddr {mac}");
        }
        if let Some((from, to)) = ends {
            if from.is_ipv4() != (family == 4) {
                return None;
            }
            let _ = write!(text, " {ip} saddr {} {ip} daddr {}", from.ip(), to.ip());
            let _ = write!(text, " tcp sport {} tcp dport {}", from.port(), to.port());
        }
        let asked = *with | *without;
        if asked != Flags::NONE {
            let _ = write!(text, " tcp flags & {} == {}", asked.0, with.0);
        }
        if let (Some((low, high)), Some(base)) = (seq, base)
            && high - low < u32::MAX
        {
            let (from, to) = ((base + *low).0, (base + *high).0);
            let _ = match from <= to {
                true => write!(text, " tcp sequence {}", span(from, to)),
                // The numbers wrap within the range.
                false => {
                    let (end, start) = (span(from, u32::MAX), span(0, to));
                    write!(text, " tcp sequence {{ {start}, {end} }}")
                }
            };
        }
        Some(text)
    }

    /// The rule's own chains, `chain` and one after it: which of the matching packets it takes,
    /// its counter, and what it does; `detour` is the interface where held packets wait.
    pub(in super::super) fn act(&self, chain: &str, counter: &str, detour: &str) -> String {
        let mut choice = String::new();
        if let Some(chance) = self.what.chance {
            let threshold = (chance * f64::from(DICE)).round().max(1.0);
            // Nothing to draw for where all are taken, and nft refuses such a comparison.
            if threshold < f64::from(DICE) {
                let _ = write!(choice, "numgen random mod {DICE} < {threshold} ");
            }
        }
        let _ = match self.what.which {
            Which::All => Ok(()),
            // The kernel counts from 0.
            Which::First(count) => write!(choice, "numgen inc mod {MODULUS} < {count} "),
            Which::Nth(number) => write!(choice, "numgen inc mod {MODULUS} {} ", number - 1),
        };
        let verdict = match self.fate {
            Effect::Dropped => "drop".to_owned(),
            Effect::Reset => "reject with tcp reset".to_owned(),
            // A copy waits. The frame itself, which over a veth still belongs to the socket that
            // sent it (`skb_scrub_packet`), would count as not having left its host, and TCP
            // sends no such thing again (`net/ipv4/tcp_output.c`, `skb_still_in_host_queue`).
            Effect::Held => format!("dup to \"{detour}\"\ndrop"),
            Effect::Refused(error) => {
                let (v4, v6) = error.codes();
                let v4 = v4.map(|code| format!("meta protocol ip reject with icmp type {code}"));
                let v6 = v6.map(|code| format!("meta protocol ip6 reject with icmpv6 type {code}"));
                [v4, v6].into_iter().flatten().collect::<Vec<_>>().join("\n")
            }
        };
        format!(
            "chain {chain}_fate {{\n{verdict}\n}}\n\
             chain {chain} {{\n{choice}counter name {counter} goto {chain}_fate\n}}\n"
        )
    }
}

/// No packet here is longer.
pub(super) const MOST: u32 = 65_535;
/// Matches are counted modulo this, so never again from 0.
pub(super) const MODULUS: u32 = 1_000_000_000;
/// The kernel draws random numbers below this.
const DICE: u32 = 1_000_000;

/// What IP says of the length of a packet with this TCP header and this much data.
fn length(family: u8, tcp: u32, (low, high): (u32, u32)) -> String {
    let (field, headers) = if family == 4 { ("ip length", 20 + tcp) } else { ("ip6 length", tcp) };
    let bound = |bytes: u32| bytes.saturating_add(headers).min(MOST);
    format!("{field} {}", span(bound(low), bound(high)))
}

pub(super) fn span(low: u32, high: u32) -> String {
    if low == high { low.to_string() } else { format!("{low}-{high}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_ip_tells_them() {
        assert_eq!(length(4, 20, (1, u32::MAX)), "ip length 41-65535");
        assert_eq!(length(6, 32, (0, 0)), "ip6 length 32");
    }
}
