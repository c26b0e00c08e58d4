//! A PostgreSQL server of one's own, in a directory that vanishes with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use tokio::process::Command;

use crate::account::Account;
use crate::programs::Programs;
use crate::watchdog::Watchdog;
use crate::{Error, Settings, command};

/// How often another port is tried when somebody else took the one that was free.
const PORT_ATTEMPTS: usize = 5;

/// Ports below those that systems give to outgoing connections, so that a port stays free while
/// its server is stopped.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Stops the server at once and removes its directory; waits at most 10 s for the server.
const CLEAN_UP: &str = r#"
    pid_file="$1/data/postmaster.pid"
    if [ -e "$pid_file" ] && pid=$(head -n 1 "$pid_file"); then
        kill -QUIT "$pid"
        tries=200
        while [ -e "$pid_file" ] && [ "$tries" -gt 0 ]; do
            sleep 0.05
            tries=$((tries - 1))
        done
    fi
    rm -rf -- "$1""#;

/// A PostgreSQL server that its owner can stop, crash and restart.
///
/// It listens on 127.0.0.1 and trusts everyone there. Server and directory are gone when the
/// cluster is dropped or the process ends, in whatever way.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    account: Account,
    settings: Settings,
    dir: PathBuf,
    port: u16,
    _watchdog: Watchdog,
}

impl Cluster {
    /// Makes a cluster and starts it; returns when it accepts connections.
    ///
    /// Needs the server's programs, which are installed when that is possible: a container will
    /// not do.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let programs = Programs::find_or_install().await?;
        let account = Account::choose().await?;
        let dir = temporary("test-postgres-", account)?;
        let watchdog = Watchdog::start(CLEAN_UP, &dir.path().to_string_lossy())?;
        let dir = dir.keep();
        let mut cluster = Self { programs, account, settings, dir, port: 0, _watchdog: watchdog };
        cluster.create().await?;
        cluster.start_on_free_port().await?;
        Ok(cluster)
    }

    /// The URL of the database `postgres`, as superuser; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Shuts the server down in an orderly way; clients lose their connections.
    pub async fn stop(&self) -> Result<(), Error> {
        self.control("stop", &["-m", "fast"]).await
    }

    /// Crashes the server: nothing is written any more, and its next start recovers from the log.
    pub async fn kill(&self) -> Result<(), Error> {
        self.control("stop", &["-m", "immediate"]).await
    }

    /// Starts the server again after it was stopped or killed; stops it first if it still runs.
    pub async fn restart(&self) -> Result<(), Error> {
        if self.data().join("postmaster.pid").exists() {
            self.stop().await?;
        }
        self.launch().await
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    async fn create(&self) -> Result<(), Error> {
        let mut initdb = self.command("initdb");
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--no-sync").arg("--pgdata").arg(self.data());
        command::run(&mut initdb).await
    }

    /// Starts the server on a port of its own, on another one when somebody else was faster.
    async fn start_on_free_port(&mut self) -> Result<(), Error> {
        for attempt in 1.. {
            self.port = free_port()?;
            match self.launch().await {
                Err(_) if attempt < PORT_ATTEMPTS && self.port_was_taken() => {}
                result => return result,
            }
        }
        Err(Error::NoPort)
    }

    fn port_was_taken(&self) -> bool {
        std::fs::read_to_string(self.log()).is_ok_and(|log| log.contains("could not bind"))
    }

    async fn launch(&self) -> Result<(), Error> {
        let log = self.log();
        let mut options = self.settings.parameters();
        options.push(("port", self.port.to_string()));
        options.push(("listen_addresses", "127.0.0.1".to_owned()));
        options.push(("unix_socket_directories", self.dir.to_string_lossy().into_owned()));
        let options: Vec<_> = options.iter().map(|(k, v)| format!("-c {k}='{v}'")).collect();
        let log_text = log.to_string_lossy();
        let started = self.control("start", &["-l", &log_text, "-o", &options.join(" ")]).await;
        started.map_err(|error| with_log(error, &log))
    }

    /// `pg_ctl`, which waits until the server has done what it was told.
    async fn control(&self, verb: &str, options: &[&str]) -> Result<(), Error> {
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.args([verb, "--wait", "--pgdata"]).arg(self.data()).args(options);
        command::run(&mut pg_ctl).await
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.programs.command(program);
        self.account.run(&mut command);
        // The account may not be allowed into the present directory.
        command.current_dir(&self.dir);
        command
    }
}

/// A directory that `account` may write.
pub(crate) fn temporary(prefix: &str, account: Account) -> Result<TempDir, Error> {
    let temp = std::env::temp_dir();
    let dir = tempfile::Builder::new().prefix(prefix).tempdir_in(&temp);
    let dir = dir.map_err(|source| Error::File { path: temp, source })?;
    account.own(dir.path())?;
    Ok(dir)
}

/// A port that nobody listens on; the search begins elsewhere in every process and every time.
pub(crate) fn free_port() -> Result<u16, Error> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id().wrapping_mul(37) % span;
    for _ in 0..span {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from((first + step) % span).map_or(PORTS.start, |n| PORTS.start + n);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::NoPort)
}

/// Adds to `error` what the server itself has to say.
fn with_log(error: Error, log: &Path) -> Error {
    match (error, std::fs::read_to_string(log)) {
        (Error::Program { program, output }, Ok(log)) => {
            Error::Program { program, output: format!("{output}\n{}", log.trim()) }
        }
        (error, _) => error,
    }
}
