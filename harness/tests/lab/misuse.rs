//! Wrong use of a lab is told, in words that name what is wrong.

use lastack::prelude::*;

use crate::{refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-03",
        an_unknown_host_is_told_with_those_there_are
        an_impossible_lab_is_refused
        a_fault_needs_a_patch
    );
    told!(family, "ZZ-03" across Ip::BOTH, an_address_outside_the_lab_is_nobodys);
}

async fn an_unknown_host_is_told_with_those_there_are(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    refused(lab.host("z"), &["no host z in this lab; it has a, b"])?;
    refused(lab.black_hole().from("z").open().await, &["no host z", "a, b"])?;
    refused(lab.reject_from("z").turn_on().await, &["no host z", "a, b"])
}

async fn an_impossible_lab_is_refused(scene: Scene) -> Result {
    refused(scene.lab().hosts(&["alone"]).build().await, &["2 to 100 hosts, not 1"])?;
    refused(scene.lab().hosts(&["x", "x"]).build().await, &["two hosts are called x"])?;
    refused(
        scene.lab().hosts(&["x", "y", "z"]).direct().build().await,
        &["joins two hosts, not 3"],
    )?;
    refused(scene.lab().mtu(500).build().await, &["MTU 500"])?;
    refused(scene.lab().mtu(70_000).build().await, &["MTU 70000"])
}

async fn a_fault_needs_a_patch(scene: Scene) -> Result {
    let lab = scene.lab().direct().build().await?;
    refused(lab.black_hole().open().await, &["no patch", "direct cable"])?;
    refused(lab.reject_from("a").turn_on().await, &["no patch", "direct cable"])?;
    refused(lab.patch().map(drop), &["no patch", "direct cable"])
}

async fn an_address_outside_the_lab_is_nobodys(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let process = lab.host("a")?.process().await?;
    // Addresses for documentation (RFC 5737, RFC 3849), and the host across.
    let outside = if ip == Ip::V4 { "192.0.2.1:80" } else { "[2001:db8::1]:80" };
    let outside = outside.parse().expect("an address");
    process.socket(outside).ok().await?.connect(outside).errno(Errno::ENETUNREACH).await?;
    let bound = process.socket(outside).ok().await?;
    bound.bind(lab.host("b")?.address(ip, PORT)).errno(Errno::EADDRNOTAVAIL).await?;
    Ok(())
}
