//! Why there is no PostgreSQL for the tests, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Why there is no PostgreSQL for the tests.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `DATABASE_URL` is not the URL of a PostgreSQL server.
    #[error("DATABASE_URL is not a postgres:// URL; correct it, or unset it to get a server")]
    NotAUrl,

    /// The server that `DATABASE_URL` names does not answer.
    #[error(
        "DATABASE_URL names {server}, which does not answer; start it, or unset DATABASE_URL to \
         get a server"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// What the connection attempt met with.
        source: io::Error,
    },

    /// There is no server, and nothing to make one with.
    #[error("no PostgreSQL for the tests: set DATABASE_URL to a server, or start Docker, or else")]
    NoPrograms(#[source] test_programs::Error),

    /// The search for the programs ended before it came to a result.
    #[error("the search for the programs of PostgreSQL did not come to an end")]
    SearchEnded,

    /// There is no account to run a server under: PostgreSQL refuses to run as root.
    #[error(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as"
    )]
    NoAccount,

    /// A program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// What was run.
        program: String,
        /// What it said.
        output: String,
    },

    /// A program could not be started.
    #[error("{program} could not be started")]
    Start {
        /// What was to be run.
        program: String,
        /// Why it was not.
        source: io::Error,
    },

    /// A file or a directory could not be read or written.
    #[error("{}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },

    /// No port could be bound on 127.0.0.1.
    #[error("no free port on 127.0.0.1")]
    NoPort,
}
