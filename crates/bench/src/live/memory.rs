//! How much memory a connection takes whose client hears nothing.

use std::time::Duration;

use super::client::crowd;
use super::server::Server;
use crate::Result;
use crate::arguments::Served;
use crate::process::resident_kib;
use crate::report::Row;
use crate::rounds::Rates;

/// The most that one may take, in KiB.
const LIMIT: f64 = 40.0;

/// Connections before the first look, so that what all share is not counted.
const FIRST: u32 = 20;

/// How long the server is left alone before a look.
const REST: Duration = Duration::from_secs(1);

/// A new server of each kind.
pub(crate) async fn compare(clients: u32) -> Result<Row> {
    let ours = of_each(Served::Hub, clients).await?;
    let raw = of_each(Served::Bare, clients).await?;
    let case = format!("memory of each of {clients} idle clients, in KiB");
    Ok(Row::at_most(case, Rates { ours, raw }, (LIMIT, "KiB")))
}

async fn of_each(served: Served, clients: u32) -> Result<f64> {
    let server = Server::start(served).await?;
    let _first = crowd(&server, FIRST).await?;
    tokio::time::sleep(REST).await;
    let before = resident_kib(server.process)?;
    let _clients = crowd(&server, clients).await?;
    tokio::time::sleep(REST).await;
    Ok((resident_kib(server.process)? - before) / f64::from(clients))
}
