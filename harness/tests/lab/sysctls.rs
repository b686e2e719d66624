//! Sysctls belong to one host, and a wrong one is told by host and knob.

use lastack::prelude::*;

use crate::{holds, refused, told};

const KNOB: &str = "net.ipv4.tcp_retries2";

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-02",
        a_sysctl_set_at_first_is_the_hosts_own
        a_sysctl_can_be_read_and_written_later
        a_host_says_whether_it_has_a_sysctl
        a_sysctl_that_does_not_exist_is_told_by_host_and_knob
        a_sysctl_outside_the_network_is_refused
        a_sysctl_that_all_share_is_refused
        a_value_that_the_kernel_refuses_is_told
        hosts_start_from_the_same_settings_everywhere
    );
    told!(family, "ZZ-02" on both kinds, a_sysctl_of_an_interface_is_set_at_every_boot);
}

async fn a_sysctl_set_at_first_is_the_hosts_own(scene: Scene) -> Result {
    let lab = scene.lab().sysctl("a", KNOB, 3).build().await?;
    same("on a", "3".to_owned(), lab.host("a")?.sysctl(KNOB)?)?;
    same("on b", "15".to_owned(), lab.host("b")?.sysctl(KNOB)?)
}

async fn a_sysctl_of_an_interface_is_set_at_every_boot(scene: Scene, kind: HostKind) -> Result {
    let knobs = [
        // A whole number of ticks on every kernel, which rounds up otherwise.
        ("net.ipv4.neigh.eth0.retrans_time_ms", "200"),
        ("net.ipv4.conf.eth0.arp_announce", "2"),
        ("net.ipv6.neigh.eth0.app_solicit", "3"),
        ("net.ipv6.conf.eth0.hop_limit", "33"),
    ];
    let lab = scene.lab().kind("a", kind);
    let lab = knobs.into_iter().fold(lab, |lab, (name, value)| lab.sysctl("a", name, value));
    let lab = lab.build().await?;
    let all = || {
        let set = |(name, value)| same(name, value, lab.host("a")?.sysctl(name)?.as_str());
        knobs.into_iter().try_for_each(set)
    };
    all()?;
    same("on b", "0".to_owned(), lab.host("b")?.sysctl(knobs[1].0)?)?;
    lab.power_off("a").that_may_miss().now().await?.boot().await?;
    all()
}

async fn a_sysctl_can_be_read_and_written_later(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let range = "net.ipv4.ip_local_port_range";
    a.set_sysctl(range, "40000 40010")?;
    same("on a", "40000\t40010".to_owned(), a.sysctl(range)?)?;
    same("on b", "32768\t60999".to_owned(), b.sysctl(range)?)
}

async fn a_host_says_whether_it_has_a_sysctl(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let a = lab.host("a")?;
    holds("it has one that every kernel has", a.has_sysctl(KNOB)?)?;
    holds("it has none of an invented name", !a.has_sysctl("net.ipv4.no_such_knob")?)?;
    refused(a.has_sysctl("kernel.panic"), &["kernel.panic", "only those"])
}

async fn a_sysctl_that_does_not_exist_is_told_by_host_and_knob(scene: Scene) -> Result {
    let words = ["net.ipv4.no_such_knob", "on host b", "no such sysctl"];
    refused(scene.lab().sysctl("b", words[0], 1).build().await, &words)?;
    let lab = scene.lab().build().await?;
    refused(lab.host("b")?.set_sysctl(words[0], "1"), &words)?;
    refused(lab.host("b")?.sysctl(words[0]), &words)?;
    for name in ["net.ipv4.neigh.eth0.no_such_knob", "net.ipv4.conf.eth7.arp_announce"] {
        let words = [name, "on host b", "no such sysctl"];
        refused(scene.lab().sysctl("b", name, 1).build().await, &words)?;
    }
    refused(scene.lab().sysctl("z", KNOB, 1).build().await, &["host z", KNOB])
}

async fn a_sysctl_outside_the_network_is_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    for name in ["kernel.panic", "vm.swappiness", "net.ipv4/../../kernel.panic", "net...kernel", ""]
    {
        refused(lab.host("a")?.set_sysctl(name, "0"), &["unknown sysctl", name])?;
        refused(lab.host("a")?.sysctl(name), &["unknown sysctl", name])?;
        refused(scene.lab().sysctl("a", name, 0).build().await, &["unknown sysctl", name])?;
    }
    Ok(())
}

async fn a_sysctl_that_all_share_is_refused(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let (host, shared) = (lab.host("a")?, "net.ipv4.tcp_max_orphans");
    // The value that it has: should it be written after all, nothing changes.
    let value = host.sysctl(shared).unwrap_or_else(|_| "65536".to_owned());
    refused(host.set_sysctl(shared, &value), &[shared, "on host a"])
}

async fn a_value_that_the_kernel_refuses_is_told(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    refused(
        lab.host("a")?.set_sysctl(KNOB, "many"),
        &[KNOB, "many", "on host a", "Invalid argument"],
    )
}

async fn hosts_start_from_the_same_settings_everywhere(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    for (knob, value) in [
        ("net.ipv4.tcp_fin_timeout", "60"),
        ("net.ipv4.tcp_orphan_retries", "0"),
        ("net.ipv4.tcp_keepalive_time", "7200"),
        ("net.ipv4.tcp_timestamps", "1"),
        ("net.ipv4.tcp_ecn", "2"),
    ] {
        for host in lab.hosts() {
            same(knob, value, host.sysctl(knob)?.as_str())?;
        }
    }
    let control = lab.host("a")?.sysctl("net.ipv4.tcp_congestion_control")?;
    holds("a congestion control that every kernel has", ["cubic", "reno"].contains(&&*control))
}
