//! A PgBouncer of one's own in front of a server.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;
use url::Url;

use crate::account::Account;
use crate::cluster::{free_port, temporary};
use crate::programs::pgbouncer;
use crate::watchdog::Watchdog;
use crate::{Error, command};

/// Stops the pooler at once and removes its directory.
const CLEAN_UP: &str = r#"
    if pid=$(cat "$1/pid" 2>/dev/null); then
        kill -QUIT "$pid"
        tries=200
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
            sleep 0.05
            tries=$((tries - 1))
        done
    fi
    rm -rf -- "$1""#;

/// How long the pooler may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a client of a pooler keeps a session of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// As long as it is connected.
    Session,
    /// For one transaction.
    Transaction,
    /// For one statement.
    Statement,
}

/// A PgBouncer that pools the sessions of a server.
///
/// It listens on 127.0.0.1 and trusts everyone there. It is gone when it is dropped or the process
/// ends, in whatever way.
#[derive(Debug)]
pub struct Pooler {
    url: String,
    _watchdog: Watchdog,
}

impl Pooler {
    /// Starts one in front of the server at `url`; returns when it accepts connections.
    ///
    /// Needs the program `pgbouncer`: one that is installed or, as root on Debian, the one of its
    /// package, which is installed then. Fails when there is none, and for a server behind a Unix
    /// socket.
    pub async fn start(url: &str, mode: PoolMode) -> Result<Self, Error> {
        let mut url = Url::parse(url).map_err(|_| Error::NotAUrl)?;
        let program = pgbouncer().await?;
        let account = Account::choose().await?;
        let dir = temporary("test-pooler-", account)?;
        let watchdog = Watchdog::start(CLEAN_UP, &dir.path().to_string_lossy())?;
        let (dir, port) = (dir.keep(), free_port()?);
        let settings = settings(&url, mode, port, &dir).ok_or(Error::NotAUrl)?;
        let file = dir.join("pgbouncer.ini");
        std::fs::write(&file, settings)
            .map_err(|source| Error::File { path: file.clone(), source })?;
        let mut pooler = Command::new(program);
        account.run(&mut pooler);
        command::run(pooler.arg("--daemon").arg(&file).current_dir(&dir)).await?;
        listens(port).await?;
        let local = url
            .set_host(Some("127.0.0.1"))
            .and_then(|()| url.set_port(Some(port)).map_err(|()| url::ParseError::InvalidPort));
        local.map_err(|_| Error::NotAUrl)?;
        Ok(Self { url: url.into(), _watchdog: watchdog })
    }

    /// The URL of the same database, through the pooler.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

/// The file of settings, with as little as may be that is not PgBouncer's own default.
fn settings(url: &Url, mode: PoolMode, port: u16, dir: &std::path::Path) -> Option<String> {
    let mode = match mode {
        PoolMode::Session => "session",
        PoolMode::Transaction => "transaction",
        PoolMode::Statement => "statement",
    };
    let (host, database) = (url.host_str()?, url.path().trim_start_matches('/'));
    let server_port = url.port().unwrap_or(5432);
    let mut server = format!("host={host} port={server_port} user={}", url.username());
    if let Some(password) = url.password() {
        server.push_str(&format!(" password={password}"));
    }
    let dir = dir.display();
    Some(format!(
        "[databases]\n{database} = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n\
         default_pool_size = 40\nlogfile = {dir}/log\npidfile = {dir}/pid\n"
    ))
}

async fn listens(port: u16) -> Result<(), Error> {
    let connected = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let late = |_| Error::Program {
        program: "pgbouncer".to_owned(),
        output: format!("does not listen on port {port}"),
    };
    tokio::time::timeout(START_TIMEOUT, connected).await.map_err(late)
}
