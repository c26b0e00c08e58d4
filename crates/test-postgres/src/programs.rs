//! The programs of a PostgreSQL server.

use std::path::PathBuf;

use test_programs::{PGBOUNCER, POSTGRESQL};
use tokio::process::Command;

use crate::Error;

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
#[derive(Debug, Clone)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Those that are here, else, as root on Debian, those of its package.
    pub(crate) async fn find_or_install() -> Result<Self, Error> {
        let found = tokio::task::spawn_blocking(|| POSTGRESQL.path()).await;
        let initdb = found.map_err(|_| Error::SearchEnded)?.map_err(Error::NoPrograms)?;
        Ok(Self(initdb.parent().unwrap_or(initdb).to_owned()))
    }

    /// The program `name`.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.0.join(name))
    }
}

/// The program of PgBouncer, which is found or installed as those of the server are.
pub(crate) async fn pgbouncer() -> Result<PathBuf, Error> {
    let found = tokio::task::spawn_blocking(|| PGBOUNCER.path()).await;
    let program = found.map_err(|_| Error::SearchEnded)?.map_err(Error::NoPrograms)?;
    Ok(program.to_owned())
}
