//! The JavaScript client of SignalR, in a process of its own.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use test_programs::NODE;

use super::kill;
use crate::install;

/// A client that connects again by itself; killed when dropped.
pub(crate) struct SignalR {
    process: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a client tells.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    /// It is connected, or connected again.
    Open,
    /// An event that it has received.
    Event(Value),
}

impl SignalR {
    /// Starts a client, and waits until it is connected.
    pub(crate) fn connect(address: SocketAddr, transport: &str) -> Self {
        let url = format!("http://{address}/hubs/events");
        let mut command = Command::new(install::path(&NODE));
        command.args(["client.mjs", &url, transport, "json"]);
        let (process, commands, lines) = spawn(&mut command);
        let mut client = Self { process, commands, lines };
        assert_eq!(client.next(), Told::Open);
        client
    }

    pub(crate) fn subscribe(&mut self, stream: &str, from: i64) {
        let command = json!({
            "as": "send", "method": "SubscribeToStream", "arguments": [stream, from],
        });
        writeln!(self.commands, "{command}").unwrap();
    }

    /// What it tells next of events and connections.
    pub(crate) fn next(&mut self) -> Told {
        loop {
            let line = self.lines.next().expect("the client goes on").unwrap();
            let told: Value = serde_json::from_str(&line).unwrap();
            match (told["is"].as_str(), told["target"].as_str()) {
                (Some("open"), _) => return Told::Open,
                (Some("call"), Some("EventReceived")) => {
                    return Told::Event(told["arguments"][1].clone());
                }
                (Some("call"), Some("SubscriptionConfirmed")) => {}
                _ => panic!("{told}"),
            }
        }
    }

    /// The offset of the next event.
    pub(crate) fn offset(&mut self) -> i64 {
        match self.next() {
            Told::Event(event) => event["offset"].as_i64().unwrap(),
            Told::Open => panic!("it has connected again"),
        }
    }
}

impl Drop for SignalR {
    fn drop(&mut self) {
        kill(&mut self.process);
    }
}

/// Runs the program that the README shows, on another port; the first `lines` of its output.
///
/// What the client itself logs, with the time in brackets, does not count.
pub(crate) fn run_readme_snippet(port: u16, lines: usize) -> Vec<String> {
    let readme = include_str!("../../../../../README.md");
    let (_, rest) = readme.split_once("```js\n").expect("a program in JavaScript");
    let (program, _) = rest.split_once("```").unwrap();
    assert!(program.contains("http://localhost:6001/hubs/events"), "{program}");
    let program = program.replace("6001", &port.to_string());
    let mut command = Command::new(install::path(&NODE));
    command.args(["--input-type=module", "-e", &program]);
    let (mut process, _commands, output) = spawn(&mut command);
    let printed = output.map(Result::unwrap).filter(|line| !line.starts_with('['));
    let lines = printed.take(lines).collect();
    kill(&mut process);
    lines
}

fn spawn(command: &mut Command) -> (Child, ChildStdin, Lines<BufReader<ChildStdout>>) {
    let command = command.current_dir(install::clients());
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    (process, input, BufReader::new(output).lines())
}
