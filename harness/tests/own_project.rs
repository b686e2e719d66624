//! A project's own server, tested against a client that is killed in the middle of a request.

use std::io::{self, Read};
use std::net::TcpListener;
use std::process::ExitCode;

use lastack::{FamilySource, Registry, prelude::*};

fn main() -> ExitCode {
    let server = FamilySource { family: "my_server", file: file!(), cases };
    lastack::test_main(|| Registry::build(&[server]))
}

fn cases(family: &mut Family) {
    family.case("keeps_what_came_before_its_client_was_killed").across(Ip::BOTH, client_is_killed);
}

/// The code under test: it takes one request, which ends with the connection.
fn serve(listener: &TcpListener) -> io::Result<Vec<u8>> {
    let (mut client, _) = listener.accept()?;
    let mut request = Vec::new();
    client.read_to_end(&mut request)?;
    Ok(request)
}

async fn client_is_killed(scene: Scene, ip: Ip) -> Result {
    let lab = scene.lab().build().await?;
    let (near, far) = (lab.host("a")?, lab.host("b")?);

    // Sockets of the standard library, or tokio's, made by a closure inside a host, are the host's.
    let address = far.address(ip, 8080);
    let listener = far.run(move || TcpListener::bind(address)).await?;
    let listener = listener.context(|| format!("listen on {address}"))?;
    let server = far.start(move || serve(&listener))?;

    let client = near.process_named("client").await?;
    let socket = client.connect(address).await?;
    socket.write("half a requ").ok().await?;
    client.kill().await?;

    let request = server.done().await?.context(|| "serve the request".to_owned())?;
    if request != b"half a requ" {
        let seen = String::from_utf8_lossy(&request);
        return Err(Error::mismatch("the request", "half a requ", seen));
    }
    // A killed process closes its sockets like any other: the server saw an ordinary end.
    lab.wire().expect(fin().from("a")).await?;
    lab.wire().absent(Wire::start(), rst()).await
}
