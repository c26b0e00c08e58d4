//! A client in a process of its own.

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use test_programs::NODE;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::install;

/// Whatever a client is slow in, it is not that slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client library, and what it is told to use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) library: Library,
    pub(crate) transport: &'static str,
    pub(crate) protocol: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    JavaScript,
    Pysignalr,
    Signalrcore,
}

/// A running client; it is killed when this is dropped.
pub(crate) struct Client {
    kind: Kind,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// Events that came while something else was waited for.
    events: VecDeque<Value>,
    _process: Child,
}

impl Client {
    /// Starts a client and waits until it is connected.
    pub(crate) async fn start(kind: Kind, url: &str) -> Self {
        let installed = || (install::clients(), install::path(&NODE));
        let (home, node) = tokio::task::spawn_blocking(installed).await.unwrap();
        let python = home.join("python/bin/python");
        let (program, script) = match kind.library {
            Library::JavaScript => (node, "client.mjs"),
            Library::Pysignalr => (python.as_path(), "pysignalr_client.py"),
            Library::Signalrcore => (python.as_path(), "signalrcore_client.py"),
        };
        let mut process = Command::new(program)
            .args([script, url, kind.transport, kind.protocol])
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let commands = process.stdin.take().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let events = VecDeque::new();
        let mut client = Self { kind, commands, lines, events, _process: process };
        let opened = client.next().await;
        assert_eq!(opened["is"], "open", "{kind:?}: {opened}");
        client
    }

    /// What the client tells next.
    pub(crate) async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{:?} tells nothing", self.kind)).unwrap();
        serde_json::from_str(&line.unwrap_or_else(|| panic!("{:?} has ended", self.kind))).unwrap()
    }

    pub(crate) async fn tell(&mut self, how: &str, method: &str, arguments: &Value) {
        let command = json!({ "as": how, "method": method, "arguments": arguments });
        self.commands.write_all(format!("{command}\n").as_bytes()).await.unwrap();
    }

    /// Subscribes; the confirmation has to come before any event of the stream.
    pub(crate) async fn subscribe(&mut self, arguments: &Value) {
        self.tell("invoke", "SubscribeToStream", arguments).await;
        let (mut is_confirmed, mut is_done) = (false, false);
        while !(is_confirmed && is_done) {
            let told = self.next().await;
            match (told["is"].as_str(), told["target"].as_str()) {
                (Some("call"), Some("SubscriptionConfirmed")) => {
                    assert_eq!(told["arguments"][0], arguments[0]);
                    is_confirmed = true;
                }
                (Some("call"), Some("EventReceived")) => {
                    assert!(is_confirmed || told["arguments"][0] != arguments[0], "{told}");
                    self.events.push_back(told);
                }
                (Some("done"), _) if told.get("error").is_none() => is_done = true,
                _ => panic!("{:?}: {told}", self.kind),
            }
        }
    }

    /// Calls a method, and returns the error of its completion.
    pub(crate) async fn invoke(&mut self, method: &str, arguments: &Value) -> Option<String> {
        self.tell("invoke", method, arguments).await;
        loop {
            let told = self.next().await;
            if told["is"] == "done" {
                return told.get("error").map(|error| error.as_str().unwrap().to_owned());
            }
            match told["target"].as_str() {
                Some("EventReceived") => self.events.push_back(told),
                Some("Error") => {}
                _ => panic!("{:?}: {told}", self.kind),
            }
        }
    }

    /// The next event, or that the client has connected again: then `None`.
    pub(crate) async fn event_or_reopened(&mut self) -> Option<Value> {
        if let Some(event) = self.events.pop_front() {
            return Some(event["arguments"].clone());
        }
        loop {
            let told = self.next().await;
            match (told["is"].as_str(), told["target"].as_str()) {
                (Some("call"), Some("EventReceived")) => return Some(told["arguments"].clone()),
                (Some("call"), Some("SubscriptionConfirmed")) => {}
                (Some("open"), _) => return None,
                // What was under way when a connection is cut may fail.
                (Some("done"), _) => {}
                _ => panic!("{:?}: {told}", self.kind),
            }
        }
    }

    /// Reads events of `stream` with these offsets, and nothing else.
    pub(crate) async fn events(&mut self, stream: &str, offsets: std::ops::Range<u64>) {
        for offset in offsets {
            let event = self.event_or_reopened().await;
            let event = event.unwrap_or_else(|| panic!("{:?} has reconnected", self.kind));
            assert_eq!(event[0], stream, "{:?}", self.kind);
            assert_eq!(event[1]["offset"], offset, "{:?}", self.kind);
            assert!(event[1]["data"]["n"].is_u64(), "{event}");
        }
    }

    /// Forgets what came for a connection that is gone.
    pub(crate) fn forget(&mut self) {
        self.events.clear();
    }
}
