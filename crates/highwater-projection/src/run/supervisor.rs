//! Starts, stops and restarts one projection while `run` does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use highwater_core::{CheckpointStore, EventId, EventStore, Offset, StoreError};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::follower::panic_text;
use super::registered::Registered;
use super::trials::Trials;
use super::worker::{Ended, Worker};
use crate::error::{Reason, with_causes};
use crate::state::ProjectionState;

/// Runs one projection whenever it is wanted, until `stop`.
///
/// One that gave up is started again when somebody asks for it, for a rebuild, when another
/// process has got past the place where it failed, and now and then when what it gave up for may be
/// over by itself.
pub(crate) async fn supervise<S: CheckpointStore + Clone>(
    events: Arc<dyn EventStore>,
    store: S,
    projection: Arc<Registered<S>>,
    stop: CancellationToken,
    trials: Trials,
) {
    let mut wanted = projection.wanted.subscribe();
    while is_wanted(&mut wanted, &stop).await {
        let halt = stop.child_token();
        let worker = Worker::new(
            Arc::clone(&events),
            store.clone(),
            Arc::clone(&projection),
            projection.options.mode,
            halt.clone(),
            trials.clone(),
        );
        match run(&worker, &mut wanted, &halt).await {
            Ok(Ended::Stopped) => projection.set_state(ProjectionState::Stopped),
            Ok(Ended::CaughtUp(_)) => {
                projection.wanted.send_replace(false);
                projection.set_state(ProjectionState::Stopped);
            }
            Err(reason) => {
                let error = with_causes(&*reason.error);
                tracing::error!(projection = %projection.name(), error, "gave up");
                projection.set_state(ProjectionState::Failed);
                let failed_at = checkpoint(&store, &projection).await.ok();
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = wanted.changed() => {}
                    () = has_changed(&store, &projection, failed_at) => {}
                    () = may_have_passed(&projection, &reason) => {}
                }
            }
        }
    }
}

/// Runs the worker until it ends or is no longer wanted.
async fn run<S: CheckpointStore + Clone>(
    worker: &Worker<S>,
    wanted: &mut watch::Receiver<bool>,
    halt: &CancellationToken,
) -> Result<Ended, Reason> {
    let mut running = std::pin::pin!(AssertUnwindSafe(worker.run()).catch_unwind());
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = unwanted(wanted) => {
            halt.cancel();
            running.await
        }
    };
    ended.unwrap_or_else(|panic| Err(Reason::lasting(panic_text(&*panic))))
}

/// Returns after the longest of the waits when the world was to blame.
async fn may_have_passed<S>(projection: &Registered<S>, reason: &Reason) {
    if !reason.may_pass {
        std::future::pending::<()>().await;
    }
    sleep(projection.options.poll_backoff.cap).await;
}

async fn unwanted(wanted: &mut watch::Receiver<bool>) {
    if wanted.wait_for(|is_wanted| !is_wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn is_wanted(wanted: &mut watch::Receiver<bool>, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        is_wanted = wanted.wait_for(|is_wanted| *is_wanted) => is_wanted.is_ok(),
    }
}

/// Returns when the checkpoint is elsewhere than where the projection failed, or a rebuild is
/// requested.
async fn has_changed<S: CheckpointStore>(
    store: &S,
    projection: &Registered<S>,
    mut failed_at: Option<Seen>,
) {
    loop {
        sleep(projection.options.poll_interval).await;
        match (checkpoint(store, projection).await, failed_at) {
            (Ok(now), Some(then)) if now.at != then.at || now.is_rebuild_due => return,
            (Ok(now), None) => failed_at = Some(now),
            _ => {}
        }
    }
}

/// What a projection that gave up looks at.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: (Option<Offset>, Option<EventId>),
    /// True when a rebuild is requested and allowed.
    is_rebuild_due: bool,
}

/// Where the checkpoint is, and whether it is to be rebuilt.
async fn checkpoint<S: CheckpointStore>(
    store: &S,
    projection: &Registered<S>,
) -> Result<Seen, StoreError> {
    let row = store.checkpoint(projection.key()).await?;
    let can_rebuild = projection.definition.can_rebuild;
    Ok(row.map_or(Seen { at: (None, None), is_rebuild_due: false }, |row| Seen {
        at: (row.last_processed_offset, row.last_event_id),
        is_rebuild_due: row.rebuild_requested && can_rebuild,
    }))
}
