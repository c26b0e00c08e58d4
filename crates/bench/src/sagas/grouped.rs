//! Writes of many sagas that share a commit, as one would group them by hand.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use super::raw::{RawSagas, SagaRow, Write};
use crate::Result;

/// Rows in one commit.
const GROUP: usize = 512;

/// Two tasks, one that inserts and one that updates; each commits what has come meanwhile.
#[derive(Debug)]
pub(crate) struct Grouped {
    inserts: mpsc::UnboundedSender<Request>,
    updates: mpsc::UnboundedSender<Request>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Insert,
    Update,
}

type Answer = std::result::Result<(), Arc<str>>;

#[derive(Debug)]
struct Request {
    row: SagaRow,
    answer: oneshot::Sender<Answer>,
}

impl Grouped {
    /// Starts the tasks; they end when this is dropped.
    pub(crate) fn start<R: RawSagas>(raw: &R) -> Self {
        let (inserts, to_insert) = mpsc::unbounded_channel();
        let (updates, to_update) = mpsc::unbounded_channel();
        tokio::spawn(write(raw.clone(), Kind::Insert, to_insert));
        tokio::spawn(write(raw.clone(), Kind::Update, to_update));
        Self { inserts, updates }
    }
}

impl Write for Grouped {
    async fn insert(&self, row: SagaRow) -> Result {
        submit(&self.inserts, row).await
    }

    async fn update(&self, row: SagaRow) -> Result {
        submit(&self.updates, row).await
    }
}

async fn submit(queue: &mpsc::UnboundedSender<Request>, row: SagaRow) -> Result {
    let (answer, answered) = oneshot::channel();
    queue.send(Request { row, answer })?;
    Ok(answered.await?.map_err(|error| error.to_string())?)
}

async fn write<R: RawSagas>(raw: R, kind: Kind, mut queue: mpsc::UnboundedReceiver<Request>) {
    let mut group = Vec::new();
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let (rows, answers): (Vec<_>, Vec<_>) =
            group.drain(..).map(|request| (request.row, request.answer)).unzip();
        let written = match kind {
            Kind::Insert => raw.insert(rows).await,
            Kind::Update => raw.update(rows).await,
        };
        let result: Answer = written.map_err(|error| error.to_string().into());
        for answer in answers {
            // Who has gone away needs no answer.
            answer.send(result.clone()).ok();
        }
        // Those who were answered get to hand in their next rows.
        yield_now().await;
    }
}
