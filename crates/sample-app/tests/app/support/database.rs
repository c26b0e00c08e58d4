//! Empty databases, each for one test.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// One for all tests: what makes the server may belong to the runtime that it was made on.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// An empty database; gone when dropped.
pub(crate) struct Database {
    url: String,
    place: Place,
    /// For the files of the test.
    pub(crate) directory: TempDir,
}

enum Place {
    File,
    Server { url: String, name: String },
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        Self { url, place: Place::File, directory }
    }

    pub(crate) fn postgres() -> Self {
        let server = RUNTIME.block_on(test_postgres::url()).unwrap();
        let name = format!("sample_app_{}", uuid::Uuid::new_v4().simple());
        run(&server, format!("create database {name}"));
        let url = with_database(&server, &name);
        let place = Place::Server { url: server, name };
        Self { url, place, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements on the database; only where there is a server.
    pub(crate) fn run(&self, sql: &str) {
        run(&self.url, sql.to_owned());
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Server { url, name } = &self.place {
            run(url, format!("drop database {name} with (force)"));
        }
    }
}

fn run(server: &str, sql: String) {
    RUNTIME.block_on(async {
        let mut connection = PgConnection::connect(server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    });
}

/// The URL with another path, which names the database.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = base.split_once("://").unwrap();
    let authority = rest.split('/').next().unwrap();
    format!("{scheme}://{authority}/{name}?{parameters}")
}
