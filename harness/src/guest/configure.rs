//! Makes a guest a host of its lab: what the builder does to a namespace from outside.

use std::{fs::File, net::IpAddr};

use nix::kmod::{ModuleInitFlags, finit_module};

use super::protocol::Configuration;
use crate::{
    error::{Context, Result},
    sys::{
        neighbours::Surety,
        ready::answers_to,
        rtnl::{self, Rtnl},
        settings::{self, INTERFACE},
        sysctl,
    },
};

/// The network card that the command line gives the guest, after `lo`.
const CARD: &str = "vec0";

/// Loads IPv6, which Debian's guest kernel keeps in a module. A guest without it has IPv4.
pub(super) fn load_ipv6() {
    let Ok(names) = nix::sys::utsname::uname() else { return };
    let release = names.release().to_string_lossy();
    for module in ["lib/crc-ccitt.ko", "net/ipv6/ipv6.ko"] {
        let path = format!("/usr/lib/uml/modules/{release}/kernel/{module}");
        let Ok(file) = File::open(path) else { return };
        let _ = finit_module(&file, c"", ModuleInitFlags::empty());
    }
}

/// Pins the sysctls, brings the interfaces up and gives them addresses and neighbours.
/// Says the index of the network card.
pub(super) fn configure(configuration: Configuration) -> Result<u32> {
    let Configuration { addresses, neighbours, gateways, sysctls } = configuration;
    let own = || sysctls.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    settings::pin(own())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(|| "start a runtime in the guest".to_owned())?;
    let ipv6 = sysctl::read("net.ipv6.conf.default.accept_dad").is_ok();
    let possible = |ip: &IpAddr| ip.is_ipv4() || ipv6;
    let v6 = addresses.iter().map(|(ip, _)| *ip).find(|ip| ip.is_ipv6() && ipv6);
    runtime.block_on(async {
        let rtnl = Rtnl::start(rtnl::socket()?);
        let index = rtnl.index_of(CARD).await?;
        rtnl.rename_for_single_segments(index, INTERFACE).await?;
        // The card was there before the defaults were set.
        settings::quiet_ipv6(INTERFACE)?;
        settings::pin_interface(own())?;
        rtnl.set_link(1, true).await?;
        rtnl.set_link(index, true).await?;
        for (address, prefix) in addresses.into_iter().filter(|(ip, _)| possible(ip)) {
            rtnl.add_address(index, address, prefix).await?;
        }
        if let Some(v6) = v6 {
            answers_to(rtnl.clone(), v6).await?;
        }
        for (address, mac) in neighbours.into_iter().filter(|(ip, _)| possible(ip)) {
            rtnl.set_neighbour(index, address, mac, Surety::Permanent).await?;
        }
        for gateway in gateways.into_iter().filter(possible) {
            rtnl.add_default_route(index, gateway).await?;
        }
        Ok(index)
    })
}
