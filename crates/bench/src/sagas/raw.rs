//! The raw limit: the rows of a saga by hand, one insert and four updates, without leases, timers
//! or anybody to take over.

use std::future::Future;

use serde::Serialize;

use super::fulfilment::{Fulfilment, STEPS, id};
use crate::Result;

/// A table of sagas on one database.
pub(crate) trait RawSagas: Clone + Send + Sync + 'static {
    /// Inserts the rows in one commit.
    fn insert(&self, rows: Vec<SagaRow>) -> impl Future<Output = Result> + Send;

    /// Updates the rows in one commit, each if it stands where the one before has left it.
    fn update(&self, rows: Vec<SagaRow>) -> impl Future<Output = Result> + Send;
}

/// What is written of a saga.
#[derive(Debug)]
pub(crate) struct SagaRow {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    pub(crate) step: i64,
    pub(crate) steps: String,
    pub(crate) data: String,
}

/// A step that was done, as the row has it.
#[derive(Serialize)]
struct Done {
    step: &'static str,
    outcome: &'static str,
    attempts: u32,
    started_at: &'static str,
    finished_at: &'static str,
}

/// Who writes the rows of one saga.
pub(crate) trait Write: Send + Sync + 'static {
    /// Writes the first row.
    fn insert(&self, row: SagaRow) -> impl Future<Output = Result> + Send;
    /// Writes a later one.
    fn update(&self, row: SagaRow) -> impl Future<Output = Result> + Send;
}

/// Each row in a commit of its own.
pub(crate) struct Singly<R>(pub(crate) R);

impl<R: RawSagas> Write for Singly<R> {
    async fn insert(&self, row: SagaRow) -> Result {
        self.0.insert(vec![row]).await
    }

    async fn update(&self, row: SagaRow) -> Result {
        self.0.update(vec![row]).await
    }
}

/// Runs the `n`th saga from start to end.
pub(crate) async fn run<W: Write>(write: &W, n: u64) -> Result {
    let (mut state, mut done) = (Fulfilment::new(n), Vec::new());
    write.insert(row(n, "Running", 0, &done, &state)?).await?;
    for (step, name) in STEPS.into_iter().enumerate() {
        state.note(step, format!("{}/{name}/run", id(n)));
        done.push(Done {
            step: name,
            outcome: "Done",
            attempts: 1,
            started_at: "2026-01-01T00:00:00.000000Z",
            finished_at: "2026-01-01T00:00:00.000001Z",
        });
        write.update(row(n, "Running", done.len(), &done, &state)?).await?;
    }
    write.update(row(n, "Completed", done.len() + 1, &done, &state)?).await
}

fn row(
    n: u64,
    state: &'static str,
    step: usize,
    done: &[Done],
    data: &Fulfilment,
) -> Result<SagaRow> {
    Ok(SagaRow {
        id: id(n),
        state,
        step: i64::try_from(step)?,
        steps: serde_json::to_string(done)?,
        data: serde_json::to_string(data)?,
    })
}
