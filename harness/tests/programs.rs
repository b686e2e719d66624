//! Real programs in labs of a virtual kernel: from an image with all that belongs to them, beside a
//! clock that jumps.

use std::process::{Command, ExitCode};
use std::time::Instant;
use std::{fs, path::PathBuf};

use lastack::process::Program;
use lastack::{FamilySource, Registry, prelude::*};

fn main() -> ExitCode {
    let family = FamilySource { family: "programs", file: file!(), cases };
    lastack::test_main(|| Registry::build(&[family]))
}

fn cases(family: &mut Family) {
    let nginx = [Need::VirtualTime, Need::Program("nginx")];
    family
        .case("nginx_answers_as_its_own_user_before_and_after_two_idle_hours")
        .needs(nginx)
        .waits(IDLE)
        .run(nginx_answers);
    let python = [Need::VirtualTime, Need::Program("python3")];
    family.case("pythons_server_answers_and_logs").needs(python).run(python_answers);
}

const IDLE: Duration = Duration::from_secs(7200);

const PAGE: &str = "as it is written";

/// A folder for what a server serves, and a file in it.
fn site(name: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(name);
    let context = || format!("make {}", folder.display());
    fs::create_dir_all(&folder).context(context)?;
    fs::write(folder.join("page"), PAGE).context(context)?;
    Ok(folder)
}

/// Waits until the program listens: nobody else does on its host.
async fn listens(host: &Host, program: &Program) -> Result {
    let limit = Instant::now() + Duration::from_secs(60);
    while !host.sockets()?.iter().any(|socket| socket.state == State::Listen) {
        if Instant::now() > limit {
            return Err(Error::mismatch("the program", "listening", program.errors()?));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Asks for the page, and looks whether that is the answer.
async fn ask(client: &Process, server: &Host) -> Result {
    let socket = client.connect(server.address(Ip::V4, 80)).await?;
    socket.write("GET /page HTTP/1.0\r\n\r\n").ok().await?;
    let mut answer = Vec::new();
    loop {
        match socket.read(65_536).ok().await? {
            piece if piece.is_empty() => break,
            piece => answer.extend(piece),
        }
    }
    socket.close().ok().await?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.contains(" 200 OK") && answer.ends_with(PAGE) {
        true => Ok(()),
        false => Err(Error::mismatch("the answer", "200 OK with the page", answer)),
    }
}

async fn nginx_answers(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let (near, far) = (lab.host("a")?, lab.host("b")?);
    let folder = site("nginx")?;
    let configuration = folder.join("nginx.conf");
    let text = format!(
        "user www-data; daemon off; worker_processes 1; pid {0}/pid; error_log stderr;
         events {{ }}
         http {{ access_log off; server {{ listen 80; root {0}; }} }}",
        folder.display()
    );
    fs::write(&configuration, text).context(|| "configure nginx".to_owned())?;
    let mut command = Command::new("nginx");
    command.arg("-e").arg("stderr").arg("-c").arg(&configuration);
    let nginx = far.spawn(command)?;
    listens(far, &nginx).await?;

    let client = near.process().await?;
    ask(&client, far).await?;
    // Its worker is whom getpwnam(3) says www-data to be.
    let children = format!("/proc/{0}/task/{0}/children", nginx.pid());
    let worker = fs::read_to_string(children).context(|| "look for nginx's worker".to_owned())?;
    let status = fs::read_to_string(format!("/proc/{}/status", worker.trim()));
    let status = status.context(|| "look at nginx's worker".to_owned())?;
    let user = nix::unistd::User::from_name("www-data").context(|| "look up a user".to_owned())?;
    let uid = user.map(|user| format!("Uid:\t{}\t", user.uid));
    if !uid.is_some_and(|uid| status.contains(&uid)) {
        return Err(Error::mismatch("nginx's worker", "user www-data", status));
    }

    tokio::time::sleep(IDLE).await;
    ask(&client, far).await?;
    nginx.signal(nix::sys::signal::Signal::SIGQUIT)?;
    let ended = nginx.wait().await?;
    same("how nginx ended", Some(0), ended.code())
}

async fn python_answers(scene: Scene) -> Result {
    let lab = scene.lab().build().await?;
    let (near, far) = (lab.host("a")?, lab.host("b")?);
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "http.server", "80", "--directory"]).arg(site("python")?);
    let python = far.spawn(command)?;
    listens(far, &python).await?;
    ask(&near.process().await?, far).await?;
    let log = python.errors()?;
    python.signal(nix::sys::signal::Signal::SIGKILL)?;
    python.wait().await?;
    match log.contains("GET /page HTTP/1.0\" 200") {
        true => Ok(()),
        false => Err(Error::mismatch("the log", "the request", log)),
    }
}
