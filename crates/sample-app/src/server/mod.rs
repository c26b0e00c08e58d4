//! `sample-app`: serves the HTTP API and runs projections and sagas, until it is asked to stop.

pub(crate) mod live;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{any_service, post_service};
use highwater::console::{self, Console, refuse_cross_site};
use highwater::live::Live;
use highwater::live::server::{Server, ServerOptions};
use highwater::projection::{FailurePolicy, ProjectionOptions, Projections};
use highwater::saga::{Orchestrator, OrchestratorOptions};
use highwater::{BoxError, EventStore, ProjectionStore, SagaStore};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::args::ServeOptions;
use crate::cases::progress::CaseProgress;
use crate::orders;
use crate::orders::Fulfilment;
use crate::users::statistics;
use crate::users::statistics::UserStatistics;
use crate::{cases, output, users};

/// How long requests, and then projections and sagas, may take to end once a stop is asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until SIGINT or SIGTERM; then live clients are sent elsewhere, requests end, and
/// projections and sagas give their leases back.
pub(crate) async fn serve<S>(
    store: S,
    options: &ServeOptions,
    database: &str,
) -> Result<(), BoxError>
where
    S: EventStore + ProjectionStore + SagaStore,
{
    let signal = stop_signal()?;
    let address = SocketAddr::new(options.host, options.port);
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))?;
    let projections = projections(store.clone(), options.lease)?;
    let (sagas, fulfilment) = sagas(store.clone(), options)?;
    let live = live::hub(&store, options);
    let console = console(&store, &projections, &sagas, options);
    let routes = routes(store, &console, fulfilment, &live);
    let server = server(options);

    let (stop_requests, stop_engines) = (CancellationToken::new(), CancellationToken::new());
    let place = format!("listening on http://{}, database {database}", listener.local_addr()?);
    if let Err(error) = output::print(&place) {
        tracing::warn!("{place}, which is told here: {error}");
    }
    let serving = {
        let stop = stop_requests.clone();
        ending(stop_requests.clone(), async move {
            server.serve(listener, routes, stop).await;
            Ok::<_, Infallible>(())
        })
    };
    let serving = tokio::spawn(serving);
    let running = {
        let stop = stop_engines.clone();
        ending(stop_requests.clone(), async move { projections.run(stop).await })
    };
    let projections = tokio::spawn(running);
    let sagas = tokio::spawn(ending(stop_requests.clone(), run_sagas(sagas, stop_engines.clone())));

    tokio::select! {
        name = signal => tracing::info!("stopping, {name}"),
        () = stop_requests.cancelled() => tracing::error!("stopping, after a failure"),
    }
    live::drain(&live).await;
    stop_requests.cancel();
    let served = drained("requests", serving).await;
    stop_engines.cancel();
    let (projected, orchestrated) =
        tokio::join!(drained("projections", projections), drained("sagas", sagas));
    served.and(projected).and(orchestrated)
}

/// A server for this machine and the names that `options` allow.
fn server(options: &ServeOptions) -> Server {
    let allowed_hosts = Some(options.allowed_hosts.clone());
    let drain_timeout = DRAIN - Duration::from_secs(1);
    Server::new(ServerOptions { allowed_hosts, drain_timeout, ..ServerOptions::default() })
}

/// The sagas of this process, and what starts them.
fn sagas<S>(store: S, options: &ServeOptions) -> Result<(Orchestrator, Fulfilment), BoxError>
where
    S: EventStore + SagaStore + Clone,
{
    let lease_ttl = options.lease;
    let sagas = Orchestrator::with_options(
        store.clone(),
        OrchestratorOptions { lease_ttl, ..OrchestratorOptions::default() },
    )?;
    let fulfilment = orders::register(&sagas, Arc::new(store), options.step_delay)?;
    Ok((sagas, fulfilment))
}

async fn run_sagas(sagas: Orchestrator, stop: CancellationToken) -> Result<(), Infallible> {
    sagas.run(stop).await;
    Ok(())
}

fn projections<S>(store: S, lease_ttl: Duration) -> Result<Projections<S>, BoxError>
where
    S: EventStore + ProjectionStore + SagaStore,
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

fn console<S>(
    store: &S,
    projections: &Projections<S>,
    sagas: &Orchestrator,
    options: &ServeOptions,
) -> Console
where
    S: EventStore + ProjectionStore + SagaStore,
{
    let (events, checkpoints) = (Arc::new(store.clone()), Arc::new(store.clone()));
    Console::new(events, checkpoints, projections.definitions())
        .thresholds(options.thresholds)
        .sagas(Arc::new(store.clone()))
        .saga_definitions(sagas.definitions())
}

fn routes<S>(store: S, console: &Console, fulfilment: Fulfilment, live: &Live) -> Router
where
    S: EventStore + ProjectionStore + SagaStore,
{
    let events: Arc<dyn EventStore> = Arc::new(store.clone());
    // Below the case-progress projection these two are the console's, too.
    let of_console = console.router();
    let rebuild = post_service(of_console.clone()).merge(cases::one_named(&store, "rebuild"));
    let own = Router::new()
        .route("/api/projections/case-progress/rebuild", rebuild)
        .route("/api/projections/case-progress/dead-letters", any_service(of_console))
        .merge(users::routes(events))
        .merge(statistics::routes(store.clone()))
        .merge(orders::routes(fulfilment))
        .merge(cases::routes(store));
    // The live routes decide themselves which origins may follow.
    let routes = refuse_cross_site(own).merge(live::routes(live)).merge(console.routes());
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
