//! A host runs any code and any program, with sockets of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use lastack::prelude::*;

use crate::{refused, told};

pub fn cases(family: &mut Family) {
    told!(family, "ZZ-04" across Ip::BOTH,
        sockets_of_the_standard_library_are_the_hosts
        sockets_of_tokio_are_the_hosts
    );
    told!(family, "ZZ-04",
        a_panic_in_a_closure_is_told
        a_programs_output_and_status_are_kept
        a_killed_program_is_told_by_its_signal
        a_program_that_does_not_exist_is_told
        a_program_sees_its_host_and_no_other
    );
}

fn io(error: std::io::Error) -> Error {
    Error::system("use a socket of the standard library", error)
}

async fn sockets_of_the_standard_library_are_the_hosts(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let address = b.address(ip, PORT);
    let listener = b.run(move || TcpListener::bind(address)).await?.map_err(io)?;
    let server = b.start(move || -> std::io::Result<_> {
        let (mut stream, peer) = listener.accept()?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok((said, peer.ip()))
    })?;
    let client = a.run(move || TcpStream::connect(address)?.write_all(b"from std"));
    client.await?.map_err(io)?;
    let heard = server.done().await?.map_err(io)?;
    same("what b heard, and from whom", ("from std".to_owned(), a.ip(ip)), heard)?;
    lab.wire().expect(fin().from("a")).await.map(drop)
}

async fn sockets_of_tokio_are_the_hosts(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let address = b.address(ip, PORT);
    fn on_a_runtime<T>(work: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
        tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(work)
    }
    let listener = b.run(move || TcpListener::bind(address)).await?.map_err(io)?;
    let server = b.start(move || {
        on_a_runtime(async move {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Ok(listener.accept().await?.1.ip())
        })
    })?;
    let client = a.run(move || {
        on_a_runtime(async move { tokio::net::TcpStream::connect(address).await?.local_addr() })
    });
    let local = client.await?.map_err(io)?;
    let seen = server.done().await?.map_err(io)?;
    same("addresses of the client", [a.ip(ip); 2], [local.ip(), seen])
}

async fn a_panic_in_a_closure_is_told(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let panicking = lab.host("a")?.run(|| panic!("in a closure"));
    refused(panicking.await.map(|(): ()| ()), &["closure on host a", "panicked"])
}

async fn a_programs_output_and_status_are_kept(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo to stdout; echo to stderr >&2; exit 3"]);
    let program = lab.host("a")?.spawn(shell)?;
    same("status", Some(3), program.wait().await?.code())?;
    same("stdout", "to stdout\n", program.output()?.as_str())?;
    same("stderr", "to stderr\n", program.errors()?.as_str())
}

async fn a_killed_program_is_told_by_its_signal(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let mut sleep = Command::new("sleep");
    sleep.arg("1000");
    let program = lab.host("a")?.spawn(sleep)?;
    program.signal(Signal::SIGTERM)?;
    same("status", Some(Signal::SIGTERM as i32), program.wait().await?.signal())?;
    refused(program.signal(Signal::SIGTERM), &["send SIGTERM to sleep"])
}

async fn a_program_that_does_not_exist_is_told(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let started = lab.host("a")?.spawn(Command::new("/no/such/program"));
    refused(started.map(drop), &["run /no/such/program on host a", "No such file"])
}

async fn a_program_sees_its_host_and_no_other(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    for host in lab.hosts() {
        let mut cat = Command::new("cat");
        cat.arg("/proc/net/fib_trie");
        let program = host.spawn(cat)?;
        program.wait().await?;
        let table = program.output()?;
        let lines: Vec<_> = table.lines().map(str::trim).collect();
        let own: Vec<_> = lab
            .hosts()
            .iter()
            .map(|other| {
                let local = [&format!("|-- {}", other.ip(Ip::V4)), "/32 host LOCAL"];
                lines.windows(2).any(|pair| pair == local)
            })
            .collect();
        let expected: Vec<_> =
            lab.hosts().iter().map(|other| other.name() == host.name()).collect();
        same(&format!("whose addresses are local on {}", host.name()), expected, own)?;
    }
    Ok(())
}
