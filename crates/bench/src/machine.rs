//! What was measured on.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::process::Command;

use crate::Result;

/// Writes that are timed to describe the disk.
const SYNCS: u32 = 100;

/// One line each on the machine and on the versions of everything.
pub(crate) async fn describe(url: &str) -> Result<Vec<String>> {
    let cores = std::thread::available_parallelism()?;
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned());
    let mut postgres = PgConnection::connect(url).await?;
    let server: String = sqlx::query_scalar("show server_version").fetch_one(&mut postgres).await?;
    let fsync: String = sqlx::query_scalar("show fsync").fetch_one(&mut postgres).await?;
    let rustc = Command::new("rustc").arg("--version").output().await?.stdout;
    Ok(vec![
        format!("{cores} cores ({cpu}), {memory} of memory, shared by client and server"),
        format!("one write with fdatasync takes {} µs", sync_time()?.as_micros()),
        format!("PostgreSQL {server}, fsync {fsync}"),
        format!("{}, highwater {}", String::from_utf8(rustc)?.trim(), env!("CARGO_PKG_VERSION")),
    ])
}

/// What stands behind the first `name:` in the file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn sync_time() -> Result<Duration> {
    let dir = tempfile::tempdir()?;
    let mut file = File::create(dir.path().join("sync"))?;
    let start = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[0; 512])?;
        file.sync_data()?;
    }
    Ok(start.elapsed() / SYNCS)
}
