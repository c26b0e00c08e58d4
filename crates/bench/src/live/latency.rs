//! How long an event takes from its publisher to the clients.

use std::time::Duration;

use tokio::task::JoinSet;

use super::client::{Client, crowd};
use super::event::age_us;
use super::server::Server;
use crate::Result;
use crate::arguments::Plan;
use crate::report::Row;
use crate::rounds::{Rates, by_turns, median};

/// Events per second while the crowd listens.
const RATE: u64 = 50;

/// Readers beside a slow one, and the events per second that they get.
const FAST: u32 = 50;
const FAST_RATE: u64 = 500;

/// Events that the slow reader has not read when the measurement begins.
const BACKLOG: u64 = 20_000;

/// How long the slow reader waits before it reads a message.
const SLOWNESS: Duration = Duration::from_millis(500);

/// How long a slow reader is left to fill what room there is between it and the server.
const FILLING: Duration = Duration::from_secs(1);

/// In milliseconds, of all events to all clients.
#[derive(Debug, Clone, Copy)]
struct Latency {
    p50: f64,
    p99: f64,
}

/// Both servers, at an even pace that they can keep.
pub(crate) async fn compare(
    plan: &Plan,
    servers: &mut [Server; 2],
    clients: u32,
) -> Result<[Row; 2]> {
    let pace = (events(plan, RATE), RATE);
    let measured = by_turns(plan, async |side| listen(&mut servers[side], clients, pace).await);
    let measured: [Vec<Latency>; 2] = measured.await?;
    let row = |name, pick: fn(&Latency) -> f64| {
        let [ours, raw] = measured.each_ref().map(|all| median(all.iter().map(pick).collect()));
        let case = format!("latency, {name} of {clients} clients, {RATE} events/s");
        Row::rates(case, Rates { ours, raw }, None)
    };
    Ok([row("median", |latency| latency.p50), row("p99", |latency| latency.p99)])
}

/// Fast readers of the hub beside one that is always behind, and without it.
pub(crate) async fn beside_slow_reader(plan: &Plan, hub: &mut Server) -> Result<Row> {
    let mut first = Client::follow(hub).await?;
    hub.publish(BACKLOG).await?;
    ages(&mut first, BACKLOG).await?;
    drop(first);
    let pace = (events(plan, FAST_RATE), FAST_RATE);
    let measured = by_turns(plan, async |side| {
        let mut slow = JoinSet::new();
        if side == 0 {
            slow.spawn(read_slowly(Client::follow_from_start(hub).await?));
            tokio::time::sleep(FILLING).await;
        }
        let latency = listen(hub, FAST, pace).await?;
        match slow.try_join_next() {
            Some(ended) => Err(ended?.err().unwrap_or_else(|| "the slow reader is done".into())),
            None => Ok(latency.p99),
        }
    });
    let [beside, without] = measured.await?.map(median);
    let case = format!(
        "latency, p99 of {FAST} clients, {FAST_RATE} events/s, beside a slow one and without it"
    );
    Ok(Row::rates(case, Rates { ours: beside, raw: without }, None))
}

/// As many events as come in two rounds.
fn events(plan: &Plan, rate: u64) -> u64 {
    let milliseconds = u64::try_from(plan.round.as_millis()).unwrap_or(u64::MAX);
    (2 * milliseconds * rate / 1_000).max(1)
}

/// The latency of so many events at so many per second.
async fn listen(server: &mut Server, clients: u32, (events, rate): (u64, u64)) -> Result<Latency> {
    let mut running = JoinSet::new();
    for mut client in crowd(server, clients).await? {
        running.spawn(async move { ages(&mut client, events).await });
    }
    server.publish_steadily(events, rate).await?;
    let mut all = Vec::new();
    while let Some(ages) = running.join_next().await {
        all.append(&mut ages??);
    }
    all.sort_unstable();
    let at = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or_default();
    let milliseconds = |us: u32| f64::from(us) / 1_000.0;
    Ok(Latency { p50: milliseconds(at(50)), p99: milliseconds(at(99)) })
}

/// The ages of the next so many events, in microseconds.
async fn ages(client: &mut Client, events: u64) -> Result<Vec<u32>> {
    let events = usize::try_from(events)?;
    let mut ages = Vec::with_capacity(events);
    while ages.len() < events {
        client.receive(|record| Ok(ages.push(u32::try_from(age_us(record)?)?))).await?;
    }
    Ok(ages)
}

/// Reads one message after the other, each after a while.
async fn read_slowly(mut client: Client) -> Result {
    loop {
        tokio::time::sleep(SLOWNESS).await;
        client.receive(|_| Ok(())).await?;
    }
}
