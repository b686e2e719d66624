//! The counters of a network namespace, by name, in the calling thread's one.
//!
//! `/proc/thread-self/net` shows the namespace of the thread that opens it
//! (`fs/proc/proc_net.c`, `get_proc_task_net`). Its files `netstat` and `snmp` come in pairs of
//! lines with the same first word: one of names, one of values.

use std::fs::read_to_string;

use crate::error::{Context, Error, Result};

/// Reads one counter. Where several protocols have one of that name, the protocol stands before
/// it: "Tcp:InCsumErrors".
///
/// # Errors
/// This kernel has none of that name.
pub fn read(name: &str) -> Result<u64> {
    for file in ["netstat", "snmp"] {
        let path = format!("/proc/thread-self/net/{file}");
        let table = read_to_string(path).context(|| format!("read the counter {name}"))?;
        if let Some(value) = find(&table, name) {
            return Ok(value);
        }
    }
    Err(Error::system(format!("read the counter {name}"), "this kernel has no such counter"))
}

fn find(table: &str, name: &str) -> Option<u64> {
    let (protocol, name) = name.split_once(':').map_or((None, name), |(it, name)| (Some(it), name));
    let lines: Vec<_> = table.lines().collect();
    let pairs = lines.chunks_exact(2);
    let mut pairs = pairs.filter(|pair| {
        protocol.is_none_or(|wanted| pair[0].split_once(':').is_some_and(|(it, _)| it == wanted))
    });
    pairs.find_map(|pair| {
        let mut columns = pair[0].split_whitespace().zip(pair[1].split_whitespace());
        columns.find(|(title, _)| *title == name)?.1.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_under_its_name() {
        let table = "TcpExt: SyncookiesSent TCPAbortOnClose\nTcpExt: 3 7\n\
                     IpExt: InNoRoutes\nIpExt: 12\n";
        assert_eq!(find(table, "TCPAbortOnClose"), Some(7));
        assert_eq!(find(table, "InNoRoutes"), Some(12));
        assert_eq!(find(table, "TCPAbort"), None);
        assert_eq!(find("TcpExt: Torn", "Torn"), None);
    }

    #[test]
    fn of_two_with_one_name_the_protocol_decides() {
        let table = "Icmp: InCsumErrors\nIcmp: 1\nTcp: InErrs InCsumErrors\nTcp: 2 3\n";
        assert_eq!(find(table, "InCsumErrors"), Some(1));
        assert_eq!(find(table, "Tcp:InCsumErrors"), Some(3));
        assert_eq!(find(table, "Udp:InCsumErrors"), None);
    }
}
