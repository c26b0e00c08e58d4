//! Live streams, against a plain broadcast of the same bytes.
//!
//! The clients are in this process, the servers each in one of their own.

mod bare;
mod client;
mod delivery;
mod event;
mod hub;
mod latency;
mod memory;
mod publish;
mod server;

use crate::Result;
use crate::arguments::{Plan, Served};
use crate::process::may_open_files;
use crate::report::Section;

pub(crate) use self::server::serve;

use self::server::Server;

/// Clients that are connected at once, at most.
const CROWD: u32 = 1_000;

/// Files that are open besides the sockets of clients.
const OTHER_FILES: u32 = 100;

const HOW: &str = "\
Clients speak JSON over WebSockets; they are in one process, the server in another, on the same \
cores. The hub follows an embedded SQLite store, as an application on one machine would have \
it, and waits for the disk with each append. The raw limit is a bare axum handler that sends \
each client what a broadcast channel gives it, all there is before each flush; it stores \
nothing, and gets the same events with the frames already encoded. Rates are messages per second \
that have come to clients while the slowest of them is at most 32 events behind. Latency is from \
before the append to the client, in ms: for the hub it includes the disk, as with an event that \
is published before it is stored it may be lost. Memory is that of the server process, for each \
client that has subscribed and hears nothing.";

/// Every case.
pub(crate) async fn measure(plan: &Plan) -> Result<Section> {
    may_open_files((CROWD + OTHER_FILES).into())?;
    let mut servers = [Server::start(Served::Hub).await?, Server::start(Served::Bare).await?];
    let mut rows = Vec::new();
    for clients in [200, CROWD] {
        rows.push(delivery::compare(plan, &mut servers, clients).await?);
    }
    rows.extend(latency::compare(plan, &mut servers, CROWD).await?);
    let [hub, _] = &mut servers;
    rows.push(latency::beside_slow_reader(plan, hub).await?);
    rows.push(memory::compare(CROWD).await?);
    Ok(Section { title: "Live streams", how: HOW, rows })
}
