//! How many messages a second come to the clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::client::{Client, crowd};
use super::server::Server;
use crate::Result;
use crate::arguments::Plan;
use crate::report::Row;
use crate::rounds::{Rates, by_turns, median, rate};

/// Events that may be under way at once: half of what either server keeps for its clients.
const WINDOW: u64 = 32;

/// The least share of the bare broadcast's rate.
const TARGET: f64 = 0.8;

/// Both servers, as fast as all of `clients` keep up.
pub(crate) async fn compare(plan: &Plan, servers: &mut [Server; 2], clients: u32) -> Result<Row> {
    let rates = by_turns(plan, async |side| deliver(&mut servers[side], clients, plan.round).await);
    let [ours, raw] = rates.await?.map(median);
    Ok(Row::rates(format!("messages to {clients} clients"), Rates { ours, raw }, Some(TARGET)))
}

/// Messages per second.
async fn deliver(server: &mut Server, clients: u32, time: Duration) -> Result<f64> {
    let (sender, mut delivered) = mpsc::unbounded_channel();
    let slots = (0..WINDOW).map(|_| AtomicU32::new(0)).collect();
    let board = Arc::new(Board { clients, slots, delivered: sender });
    let mut running = JoinSet::new();
    for client in crowd(server, clients).await? {
        running.spawn(count(client, Arc::clone(&board)));
    }
    let start = Instant::now();
    server.publish(WINDOW).await?;
    let (mut published, mut done, mut news) = (WINDOW, 0, Vec::new());
    while done < published {
        tokio::select! {
            count = delivered.recv_many(&mut news, usize::MAX) => {
                news.clear();
                done += count as u64;
                if start.elapsed() < time {
                    server.publish(count as u64).await?;
                    published += count as u64;
                }
            }
            Some(ended) = running.join_next() => ended??,
        }
    }
    Ok(rate(done * u64::from(clients), start))
}

/// Which of the events under way have come to how many clients.
struct Board {
    clients: u32,
    /// The slot of an event is used again only once it has come to all.
    slots: Vec<AtomicU32>,
    /// Hears of each event that has come to all.
    delivered: mpsc::UnboundedSender<()>,
}

impl Board {
    fn has_come(&self, event: usize) {
        let slot = &self.slots[event % self.slots.len()];
        if slot.fetch_add(1, Ordering::Relaxed) + 1 == self.clients {
            slot.store(0, Ordering::Relaxed);
            // Nobody listens any more when the round has ended.
            self.delivered.send(()).ok();
        }
    }
}

/// Counts the events that come to a client, until the connection ends.
async fn count(mut client: Client, board: Arc<Board>) -> Result {
    let mut events = 0;
    loop {
        client
            .receive(|_| {
                board.has_come(events);
                events += 1;
                Ok(())
            })
            .await?;
    }
}
