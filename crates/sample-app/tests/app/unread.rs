//! Nobody reads what the program says: that costs what it says, and nothing else.

use std::fs::File;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::support::{
    App, Database, command, get, kill, on_both_databases, order, post, start, wait_for,
    wait_for_state,
};

/// What a pipe holds on Linux, unless it is told otherwise.
const PIPE_BYTES: usize = 64 << 10;

/// Whatever is done is logged, by steps and projections above all, and it is done all the same.
fn does_its_work(database: &Database, stderr: Stdio) {
    let app = App::start_with_stderr(database, stderr);
    let saga = start(&app, &order("o-1", true));
    wait_for_state(&app, &saga, "Compensated");
    let malformed = json!([{"type": "UserAdded", "data": "malformed"}]);
    post(app.address, "/api/streams/UserWorkflow/events", &malformed).expect(201);
    let dead_letters = "/api/projections/user-statistics/dead-letters";
    wait_for("the dead letter", || {
        let dead = get(app.address, dead_letters).expect(200);
        (dead.as_array().unwrap().len() == 1).then_some(())
    });
    assert!(app.stop("TERM").success());
}

on_both_databases! {
    fn a_log_whose_reader_is_gone_ends_nothing(database: &Database) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        does_its_work(database, writer.into());
    }

    fn a_log_whose_reader_takes_nothing_holds_nothing_up(database: &Database) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&vec![b'.'; PIPE_BYTES]).unwrap();
        does_its_work(database, writer.into());
        drop(reader);
    }

    fn a_log_on_a_full_disk_ends_nothing(database: &Database) {
        does_its_work(database, full().into());
    }

    fn a_server_whose_standard_output_is_full_serves(database: &Database) {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = command(database);
        command.args(["--port", &free.port().to_string()]).stdout(full());
        let server = Server(command.spawn().unwrap());
        wait_for("the server", || TcpStream::connect(free).ok());
        assert_eq!(get(free, "/api/users").status, 405);
        drop(server);
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        kill(&mut self.0);
    }
}

/// Takes no byte.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn an_answer_that_nobody_wants_is_no_failure_and_one_that_cannot_be_written_is() {
    let help = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sample-app"));
        command.arg("--help").stderr(Stdio::piped());
        command
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert!(help().stdout(writer).status().unwrap().success());
    let output = help().stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("standard output: No space left"), "{said}");
}

#[test]
fn what_is_not_understood_ends_with_2_even_when_nobody_is_told() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sample-app"));
    let status = command.arg("--colour").stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}
