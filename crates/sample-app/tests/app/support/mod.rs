//! Processes, databases and requests for the tests.

mod app;
mod database;
mod events;
mod http;
mod late;
mod orders;
mod plain;
mod signalr;

use std::time::{Duration, Instant};

pub(crate) use app::{App, command, finish, import, kill};
pub(crate) use database::Database;
pub(crate) use events::{Cloud, gzip, write_file};
pub(crate) use http::{get, post, send, try_send};
pub(crate) use late::starting_up;
pub(crate) use orders::{
    START, ask, effects, events, order, start, status, types, wait_for_state, wait_for_step,
};
pub(crate) use plain::PlainEvents;
pub(crate) use signalr::{SignalR, Told, run_readme_snippet};

/// Runs each test on SQLite and on PostgreSQL, both empty.
macro_rules! on_both_databases {
    ($($(#[$about:meta])* fn $test:ident($database:ident: &Database) $body:block)*) => {
        $($(#[$about])* fn $test($database: &Database) $body)*

        mod sqlite {
            $(#[test] fn $test() { super::$test(&crate::support::Database::sqlite()) })*
        }
        mod postgres {
            $(#[test] fn $test() { super::$test(&crate::support::Database::postgres()) })*
        }
    };
}
pub(crate) use on_both_databases;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until the answer is there.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come about within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
