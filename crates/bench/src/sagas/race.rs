//! Many tasks that run sagas until the time is up.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use highwater::{SagaState, SagaStore};
use highwater::saga::{Orchestrator, SagaHandle};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fulfilment::{self, Fulfilment};
use super::raw::{self, Write};
use crate::Result;
use crate::rounds::rate;

/// Numbers all sagas, of all sides.
static SAGAS: AtomicU64 = AtomicU64::new(0);

/// No saga takes longer, unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a race went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish {
    pub(crate) sagas: u64,
    pub(crate) per_second: f64,
}

/// Somebody who runs one saga from start to end.
pub(crate) trait Racer: Send + Sync + 'static {
    /// Runs the `n`th saga; returns when its end is stored.
    fn run(&self, n: u64) -> impl Future<Output = Result> + Send;
}

/// Has `tasks` at once run sagas, one after the other, for so long.
pub(crate) async fn race<R: Racer>(racer: &Arc<R>, tasks: u64, time: Duration) -> Result<Finish> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let racer = Arc::clone(racer);
        running.spawn(async move {
            let mut sagas = 0;
            while start.elapsed() < time {
                racer.run(SAGAS.fetch_add(1, Ordering::Relaxed)).await?;
                sagas += 1;
            }
            Ok(sagas)
        });
    }
    let counts = running.join_all().await.into_iter().collect::<Result<Vec<u64>>>()?;
    let sagas = counts.iter().sum();
    Ok(Finish { sagas, per_second: rate(sagas, start) })
}

/// An orchestrator that starts sagas, runs them and waits for them.
pub(crate) struct Highwater {
    sagas: Orchestrator,
    handle: SagaHandle<Fulfilment>,
    _stop: DropGuard,
}

impl Highwater {
    /// Runs sagas until this is dropped.
    pub(crate) fn run(store: impl SagaStore) -> Result<Self> {
        let sagas = Orchestrator::new(store);
        let handle = sagas.register(fulfilment::saga())?;
        let stop = CancellationToken::new();
        let (running, stopped) = (sagas.clone(), stop.clone());
        tokio::spawn(async move { running.run(stopped).await });
        Ok(Self { sagas, handle, _stop: stop.drop_guard() })
    }
}

impl Racer for Highwater {
    async fn run(&self, n: u64) -> Result {
        let id = fulfilment::saga_id(n)?;
        self.handle.start(id.clone(), &Fulfilment::new(n)).await?;
        let saga = self.sagas.wait(&id, PATIENCE).await?;
        match saga.progress.state {
            SagaState::Completed => Ok(()),
            state => Err(format!("saga {id} is {state}").into()),
        }
    }
}

/// Somebody who writes the rows of sagas by hand.
pub(crate) struct ByHand<W>(pub(crate) W);

impl<W: Write> Racer for ByHand<W> {
    async fn run(&self, n: u64) -> Result {
        raw::run(&self.0, n).await
    }
}
