//! `sample-app`: serves the HTTP API and runs the projections, until it is asked to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any_service;
use highwater::console::{self, Console};
use highwater::live::Live;
use highwater::projection::{FailurePolicy, ProjectionOptions, Projections};
use highwater::{BoxError, EventStore, ProjectionStore};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::args::ServeOptions;
use crate::case_progress::CaseProgress;
use crate::user_statistics::UserStatistics;
use crate::{cases, live, user_statistics, users};

/// How long requests, and then projections, may take to end once a stop is asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until SIGINT or SIGTERM; then live clients are sent elsewhere, requests end, and
/// projections give their leases back.
pub(crate) async fn serve<S>(
    store: S,
    options: &ServeOptions,
    database: &str,
) -> Result<(), BoxError>
where
    S: EventStore + ProjectionStore,
{
    let signal = stop_signal()?;
    let address = SocketAddr::new(options.host, options.port);
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    let projections = projections(store.clone(), options.lease)?;
    let live = live::hub(&store, options);
    let routes = routes(store, &projections, &live, options)
        .into_make_service_with_connect_info::<SocketAddr>();

    let (stop_requests, stop_projections) = (CancellationToken::new(), CancellationToken::new());
    println!("listening on http://{}, database {database}", listener.local_addr()?);
    let server = axum::serve(live::prepared(listener), routes)
        .with_graceful_shutdown(stop_requests.clone().cancelled_owned());
    let server = tokio::spawn(ending(stop_requests.clone(), server.into_future()));
    let engine = {
        let stop = stop_projections.clone();
        ending(stop_requests.clone(), async move { projections.run(stop).await })
    };
    let engine = tokio::spawn(engine);

    tokio::select! {
        name = signal => tracing::info!("stopping, {name}"),
        () = stop_requests.cancelled() => tracing::error!("stopping, after a failure"),
    }
    live::drain(&live).await;
    stop_requests.cancel();
    let served = drained("requests", server).await;
    stop_projections.cancel();
    drained("projections", engine).await?;
    served
}

fn projections<S>(store: S, lease_ttl: Duration) -> Result<Projections<S>, BoxError>
where
    S: EventStore + ProjectionStore,
{
    let projections = Projections::new(store);
    // Anyone may append to the stream of the users: a malformed event is set aside, for the
    // console to show, and holds nothing up.
    let options = || ProjectionOptions { lease_ttl, ..ProjectionOptions::default() };
    let skipping = ProjectionOptions { on_failure: FailurePolicy::Skip, ..options() };
    projections.register_view(UserStatistics, skipping)?;
    projections.register_view(CaseProgress, options())?;
    Ok(projections)
}

fn routes<S>(store: S, projections: &Projections<S>, live: &Live, options: &ServeOptions) -> Router
where
    S: EventStore + ProjectionStore,
{
    let events: Arc<dyn EventStore> = Arc::new(store.clone());
    let checkpoints = Arc::new(store.clone());
    let console = Console::new(Arc::clone(&events), checkpoints, projections.definitions())
        .thresholds(options.thresholds);
    // Below the case-progress projection these two are no streams, but the console's.
    let of_console = any_service(console.router());
    let routes = Router::new()
        .route("/api/projections/case-progress/rebuild", of_console.clone())
        .route("/api/projections/case-progress/dead-letters", of_console)
        .merge(users::routes(events))
        .merge(user_statistics::routes(store.clone()))
        .merge(cases::routes(store))
        .merge(live::routes(live))
        .merge(console.routes());
    console::finish(routes)
}

/// Does `work`; however it ends, even by a panic, everything else is asked to end as well.
async fn ending<E>(
    stop: CancellationToken,
    work: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let _cancelled_when_dropped = stop.drop_guard();
    work.await
}

/// The outcome of a task that has been asked to end; one that does not end in time is dropped.
async fn drained<E>(what: &str, mut task: JoinHandle<Result<(), E>>) -> Result<(), BoxError>
where
    BoxError: From<E>,
{
    let Ok(ended) = tokio::time::timeout(DRAIN, &mut task).await else {
        tracing::warn!("{what} did not end within {DRAIN:?} and are dropped");
        task.abort();
        return Ok(());
    };
    Ok(ended??)
}

/// Waits for a signal to stop, and says which it was; heeds them from this call on.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

/// Waits for Ctrl-C; where it cannot be waited for, for ever.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}
