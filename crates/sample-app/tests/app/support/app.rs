//! The application as a process.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use super::Database;

/// A server on a free port; killed when dropped.
pub(crate) struct App {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What is behind it may name another.
const ANY_PORT: [&str; 2] = ["--port", "0"];

impl App {
    pub(crate) fn start(database: &Database) -> Self {
        Self::start_with(database, &[])
    }

    pub(crate) fn start_with(database: &Database, options: &[&str]) -> Self {
        Self::listening(command(database).args(ANY_PORT).args(options))
    }

    /// One that logs as it does by default, to a file.
    pub(crate) fn start_logging(database: &Database) -> (Self, PathBuf) {
        let log = database.directory.path().join("log.txt");
        let file = File::create(&log).unwrap();
        (Self::listening(command(database).args(ANY_PORT).env_remove("RUST_LOG").stderr(file)), log)
    }

    /// One that logs as it does by default, to there.
    pub(crate) fn start_with_stderr(database: &Database, stderr: Stdio) -> Self {
        Self::listening(command(database).args(ANY_PORT).env_remove("RUST_LOG").stderr(stderr))
    }

    /// Keeps its warnings, to be asked for when it has stopped.
    pub(crate) fn start_warning(database: &Database) -> Self {
        Self::listening(
            command(database).args(ANY_PORT).env("RUST_LOG", "warn").stderr(Stdio::piped()),
        )
    }

    /// One that may have no more than so many files open.
    pub(crate) fn start_under(database: &Database, open_files: u32) -> Self {
        let program = env!("CARGO_BIN_EXE_sample-app");
        let limited = format!("ulimit -n {open_files} && exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &limited, program]).args(ANY_PORT);
        Self::listening(shell.env("DATABASE_URL", database.url()).env("RUST_LOG", "error"))
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn listening(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("listening on http://")
            .and_then(|rest| rest.split(',').next()?.parse().ok());
        let Some(address) = address else { panic!("it does not say where it listens: {line:?}") };
        Self { child, address }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        kill(&mut self.child);
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    /// Stops it like a supervisor does; what it has warned of.
    pub(crate) fn stop_and_tell(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let (mut warnings, mut stderr) = (String::new(), self.child.stderr.take().unwrap());
        stderr.read_to_string(&mut warnings).unwrap();
        (self.child.wait().unwrap(), warnings)
    }

    /// Sends a signal by its name, and waits for the end.
    pub(crate) fn stop(mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.child.wait().unwrap()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Kills a process with SIGKILL; one that has ended already is all right.
pub(crate) fn kill(child: &mut Child) {
    let _may_have_ended = child.kill();
    child.wait().unwrap();
}

/// The program on this database, and nothing of the surroundings.
pub(crate) fn command(database: &Database) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sample-app"));
    command.env("DATABASE_URL", database.url()).env("RUST_LOG", "error");
    command
}

pub(crate) fn import(database: &Database, file: &Path) -> Output {
    command(database).arg("import").arg(file).output().unwrap()
}

/// What a successful run has printed on its standard output.
pub(crate) fn finish(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}
