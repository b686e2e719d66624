//! What is said to a running QEMU: its monitor's protocol (QMP), over a socket that has no name.

use std::{
    io::{BufRead, BufReader, ErrorKind, IoSlice, Write},
    os::{fd::AsRawFd, unix::net::UnixStream},
    time::Duration,
};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use serde_json::{Value, json};

use lastack_sys::error::{Context, Error, Result};

/// How long QEMU may take for an answer. It gives one in milliseconds; on a machine with twenty
/// times as much to do as it has cores for, in a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What makes a migration leave out memory that is in a file (`MAP_SHARED`): a file is there for
/// whoever goes on. "events" has the end of a migration told.
const CAPABILITIES: [&str; 2] = ["x-ignore-shared", "events"];

/// A connection to QEMU's monitor.
#[derive(Debug)]
pub(super) struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Takes the greeting and gets ready to migrate.
    ///
    /// # Errors
    /// It is not QEMU that answers, or one that cannot leave memory out.
    pub(super) fn greet(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE)).context(|| "talk to QEMU".to_owned())?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        monitor.hear("greet", |said| said.get("QMP").is_some())?;
        monitor.say("qmp_capabilities", &json!({}))?;
        let all = CAPABILITIES.map(|name| json!({ "capability": name, "state": true }));
        monitor.say("migrate-set-capabilities", &json!({ "capabilities": all }))?;
        Ok(monitor)
    }

    /// Stops the machine and writes what is not in its memory's file to `state`.
    ///
    /// # Errors
    /// QEMU refuses, or fails.
    pub(super) fn save(&mut self, state: UnixStream) -> Result {
        self.say("stop", &json!({}))?;
        // As fast as it can be written.
        self.say("migrate-set-parameters", &json!({ "max-bandwidth": 1u64 << 40 }))?;
        let uri = self.hand_over(state)?;
        self.say("migrate", &json!({ "uri": uri }))?;
        self.migrated("migrate")
    }

    /// Reads what [`Monitor::save`] has written from `state`, and goes on.
    ///
    /// # Errors
    /// QEMU refuses, or what it reads is not of such a machine.
    pub(super) fn resume(&mut self, state: UnixStream) -> Result {
        let uri = self.hand_over(state)?;
        self.say("migrate-incoming", &json!({ "uri": uri }))?;
        self.migrated("migrate-incoming")?;
        self.say("cont", &json!({}))
    }

    /// Gives QEMU a descriptor, as the word for where to migrate to or from.
    fn hand_over(&mut self, stream: UnixStream) -> Result<String> {
        let what = || "hand a socket to QEMU".to_owned();
        let name = "state";
        let text = json!({ "execute": "getfd", "arguments": { "fdname": name } }).to_string();
        let socket = self.stream.get_ref().as_raw_fd();
        let control = [ControlMessage::ScmRights(&[stream.as_raw_fd()])];
        let none = MsgFlags::empty();
        sendmsg::<()>(socket, &[IoSlice::new(text.as_bytes())], &control, none, None)
            .context(what)?;
        self.answer("getfd")?;
        Ok(format!("fd:{name}"))
    }

    /// Waits for a migration's end.
    fn migrated(&mut self, command: &str) -> Result {
        let status = |said: &Value| {
            let of_migration = said["event"] == "MIGRATION";
            of_migration.then(|| said["data"]["status"].as_str().unwrap_or_default().to_owned())
        };
        let over = |said: &Value| {
            matches!(status(said).as_deref(), Some("completed" | "failed" | "cancelled"))
        };
        match status(&self.hear(command, over)?).as_deref() {
            Some("completed") => Ok(()),
            other => Err(refused(command, other.unwrap_or_default())),
        }
    }

    /// Gives a command and waits for its answer.
    fn say(&mut self, command: &str, arguments: &Value) -> Result {
        let text = json!({ "execute": command, "arguments": arguments });
        let what = || format!("have QEMU {command}");
        // In one piece: QEMU acts on what is complete, and may be gone for the rest.
        self.stream.get_mut().write_all(text.to_string().as_bytes()).context(what)?;
        self.answer(command)
    }

    fn answer(&mut self, command: &str) -> Result {
        let answer =
            self.hear(command, |said| said.get("return").is_some() || said.get("error").is_some())?;
        match answer["error"]["desc"].as_str() {
            Some(why) => Err(refused(command, why)),
            None => Ok(()),
        }
    }

    /// The next thing it says that is wanted; events that are not are passed over.
    fn hear(&mut self, command: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let what = || format!("have QEMU {command}");
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return Err(refused(command, "it has ended")),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let silent = format!("it has not answered for {} s", PATIENCE.as_secs());
                    return Err(refused(command, &silent));
                }
                Err(error) => return Err(error).context(what),
            }
            let said: Value = serde_json::from_str(&line).map_err(|_| {
                refused(command, &format!("it said what is no QMP: {}", line.trim()))
            })?;
            if wanted(&said) {
                return Ok(said);
            }
        }
    }
}

fn refused(command: &str, why: &str) -> Error {
    Error::system(format!("have QEMU {command}"), why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A monitor that hears these lines, whatever it says.
    fn hearing(lines: &[&str]) -> (Result<Monitor>, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(lines.concat().as_bytes()).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        (Monitor::greet(ours), theirs)
    }

    const HELLO: &str = "{\"QMP\": {}}\n{\"return\": {}}\n";
    const DONE: &str = "{\"return\": {}}\n";

    #[test]
    fn a_state_that_qemu_does_not_take_is_an_error() {
        let failed = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"failed\"}}\n";
        let (monitor, theirs) = hearing(&[HELLO, DONE, DONE, DONE, failed]);
        let error = monitor.unwrap().resume(theirs).unwrap_err().to_string();
        assert_eq!(error, "failed to have QEMU migrate-incoming: failed");
    }

    #[test]
    fn what_happens_meanwhile_is_no_answer() {
        let other = "{\"event\": \"STOP\", \"data\": {}}\n";
        let active = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"active\"}}\n";
        let done = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\n";
        let said = [HELLO, DONE, other, DONE, DONE, DONE, active, DONE, done];
        let (monitor, theirs) = hearing(&said);
        monitor.unwrap().save(theirs).unwrap();
    }

    #[test]
    fn a_qemu_that_lacks_what_is_asked_for_says_so_and_one_that_ends_has_ended() {
        let lacks = "{\"error\": {\"desc\": \"Invalid parameter 'x-ignore-shared'\"}}\n";
        let (monitor, _theirs) = hearing(&[HELLO, lacks]);
        assert!(monitor.unwrap_err().to_string().contains("Invalid parameter"));
        let (monitor, _theirs) = hearing(&[HELLO]);
        assert!(monitor.unwrap_err().to_string().ends_with("it has ended"));
        let (monitor, _theirs) = hearing(&["noise\n"]);
        assert!(monitor.unwrap_err().to_string().contains("what is no QMP: noise"));
    }
}
