//! A server of live events in a process of its own, and how it is told what to publish.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, stdin};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::event::SentOrder;
use super::publish::Publish;
use super::{bare, hub};
use crate::arguments::Served;
use crate::{Result, arguments};

/// Events in one append.
const BATCH: u64 = 500;

/// The process that serves, as the process of the clients sees it; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) served: Served,
    pub(crate) address: SocketAddr,
    pub(crate) process: u32,
    commands: ChildStdin,
    _child: Child,
}

impl Server {
    /// Starts the process; returns when it serves.
    pub(crate) async fn start(served: Served) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([arguments::Child::SERVE, served.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("a server without an output")?;
        let address = BufReader::new(output).lines().next_line().await?;
        let address = address.ok_or("the server has ended")?.parse()?;
        let commands = child.stdin.take().ok_or("a server without an input")?;
        let process = child.id().ok_or("the server has ended")?;
        Ok(Self { served, address, process, commands, _child: child })
    }

    /// Has it publish so many events at once.
    pub(crate) async fn publish(&mut self, events: u64) -> Result {
        Ok(self.commands.write_all(format!("{events}\n").as_bytes()).await?)
    }

    /// Has it publish so many events, evenly at so many per second.
    pub(crate) async fn publish_steadily(&mut self, events: u64, per_second: u64) -> Result {
        Ok(self.commands.write_all(format!("{events} {per_second}\n").as_bytes()).await?)
    }
}

/// The process that serves: prints its address, and obeys until its input ends.
pub(crate) async fn serve(served: Served) -> Result {
    match served {
        Served::Hub => {
            let (hub, router) = hub::open().await?;
            obey(hub, router).await
        }
        Served::Bare => {
            let (bare, router) = bare::open();
            obey(bare, router).await
        }
    }
}

async fn obey<P: Publish>(publisher: P, router: Router) -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let (sender, mut commands) = mpsc::unbounded_channel();
    let reading = tokio::spawn(read(BufReader::new(stdin()).lines(), sender));
    let (mut published, mut waiting) = (0, Vec::new());
    while commands.recv_many(&mut waiting, usize::MAX).await > 0 {
        // What was asked for meanwhile is published together.
        let at_once: u64 = waiting.iter().filter(|(_, rate)| rate.is_none()).map(|(n, _)| n).sum();
        for first in (0..at_once).step_by(usize::try_from(BATCH)?) {
            let orders = (first..at_once.min(first + BATCH)).map(|n| SentOrder::now(published + n));
            publisher.publish(orders.collect::<Result<_>>()?).await?;
        }
        published += at_once;
        for (events, rate) in waiting.drain(..) {
            if let Some(rate) = rate {
                steadily(&publisher, (published, events), rate).await?;
                published += events;
            }
        }
    }
    reading.await?
}

/// Events, and how many of them per second.
type Wanted = (u64, Option<u32>);

async fn read(
    mut lines: Lines<BufReader<Stdin>>,
    commands: mpsc::UnboundedSender<Wanted>,
) -> Result {
    while let Some(line) = lines.next_line().await? {
        let mut numbers = line.split(' ');
        let events = numbers.next().unwrap_or_default().parse()?;
        commands.send((events, numbers.next().map(str::parse).transpose()?))?;
    }
    Ok(())
}

/// Publishes each event when it is its time, whether or not those before are done.
async fn steadily<P: Publish>(publisher: &P, (first, events): (u64, u64), rate: u32) -> Result {
    let mut clock = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut running = tokio::task::JoinSet::new();
    for n in first..first + events {
        clock.tick().await;
        let (publisher, order) = (publisher.clone(), SentOrder::now(n)?);
        running.spawn(async move { publisher.publish(vec![order]).await });
        while let Some(done) = running.try_join_next() {
            done??;
        }
    }
    running.join_all().await.into_iter().collect()
}
