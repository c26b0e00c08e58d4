//! Clients of the live hub that take nothing, on stores whose connections are few.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::http::{Request, header};
use highwater::live::{Live, LiveGauges};
use highwater::postgres::{PgOptions, PgStore};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{
    BoxError, EventStore, EventStoreExt, EventType, Expected, NewEvent, Payload, Source, StreamName,
};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

/// Longer than any read takes, and shorter than a store waits for one of its connections.
const PATIENCE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_nothing_holds_no_connection_of_sqlite() -> Result<(), BoxError> {
    for readers in [1, 2] {
        let dir = tempfile::tempdir()?;
        let options = SqliteOptions { readers, ..SqliteOptions::default() };
        let store = SqliteStore::open(dir.path().join("store.db"), options).await?;
        whoever_reads_nothing_holds_no_connection(store).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reads_nothing_holds_no_connection_of_postgres() -> Result<(), BoxError> {
    let url = test_postgres::url().await?;
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    // Of each two connections one is for appends.
    let options = PgOptions { schema: schema.clone(), max_connections: 2, ..PgOptions::default() };
    let store = PgStore::connect(&url, options).await?;
    whoever_reads_nothing_holds_no_connection(store.clone()).await?;
    let drop_schema = sqlx::AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop_schema).execute(store.pool()).await?;
    store.close().await;
    Ok(())
}

async fn whoever_reads_nothing_holds_no_connection<S>(store: S) -> Result<(), BoxError>
where
    S: EventStore + Clone,
{
    let big = StreamName::from_static("big");
    for _ in 0..20 {
        let events = (0..500).map(|_| event()).collect::<Result<_, BoxError>>()?;
        store.append_to(big.clone(), Expected::Any, events).await?;
    }
    let live = Live::new(Arc::new(store.clone()));
    let mut stuck = Vec::new();
    for number in 1..=3 {
        let mut body = catching_up(&live.router(), 8).await?;
        // It reads until it has subscribed to everything, and then nothing any more.
        while live.gauges().subscriptions < number * 8 {
            frame(&mut body).await?;
        }
        stuck.push(body);
    }
    until("nothing is read for them", || {
        let gauges = live.gauges();
        gauges.buffered_bytes > 0 && gauges.reads == 0
    })
    .await?;
    // Nothing is read any more, and neither readers nor those who come notice that they are there.
    for _ in 0..20 {
        within("a read", store.read(&Source::Stream(big.clone()), &[], None, 10)).await??;
    }
    let follower = within("a new follower", plain(&live.router(), "/streams/new/events")).await??;
    let append = store.append_to(StreamName::from_static("new"), Expected::Any, vec![event()?]);
    within("an append", append).await??;
    let mut body = follower.into_body();
    let mut seen = String::new();
    while !seen.contains("id: 0\n") {
        seen.push_str(&frame(&mut body).await?);
    }
    let LiveGauges { buffered_bytes, .. } = live.gauges();
    assert!(buffered_bytes < 6 << 20, "{buffered_bytes} bytes are held for three clients");
    drop(stuck);
    until("they are gone", || live.gauges().connections == 1).await
}

/// A client of the hub that subscribes so many times and reads nothing of what it gets.
async fn catching_up(router: &Router, subscriptions: usize) -> Result<Body, BoxError> {
    let negotiate = Request::post("/hubs/events/negotiate").body(Body::empty())?;
    let answer = router.clone().oneshot(negotiate).await?.into_body();
    let answer: serde_json::Value = serde_json::from_slice(&to_bytes(answer, 4096).await?)?;
    let id = answer["connectionId"].as_str().ok_or("an id")?;
    let body = plain(router, &format!("/hubs/events?id={id}")).await?.into_body();
    let mut said = "{\"protocol\":\"json\",\"version\":1}\x1e".to_owned();
    for number in 0..subscriptions {
        let call = serde_json::json!({
            "type": 4, "invocationId": number.to_string(),
            "target": "StreamEvents", "arguments": ["big", 0],
        });
        said.push_str(&format!("{call}\x1e"));
    }
    let said = Request::post(format!("/hubs/events?id={id}")).body(Body::from(said))?;
    router.clone().oneshot(said).await?;
    Ok(body)
}

/// The next part of a body.
async fn frame(body: &mut Body) -> Result<String, BoxError> {
    let next = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    let frame = within("something that comes", next).await?.ok_or("the body has ended")??;
    let data = frame.into_data().map_err(|_| "no data")?;
    Ok(String::from_utf8_lossy(&data).into_owned())
}

async fn plain(router: &Router, uri: &str) -> Result<axum::response::Response, BoxError> {
    let request = Request::get(uri).header(header::ACCEPT, "text/event-stream");
    let response = router.clone().oneshot(request.body(Body::empty())?).await?;
    assert!(response.status().is_success(), "{uri}: {}", response.status());
    Ok(response)
}

fn event() -> Result<NewEvent, BoxError> {
    let payload = Payload::of(&"x".repeat(500))?;
    Ok(NewEvent::new(EventType::from_static("Noted"), payload))
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> Result<T, BoxError> {
    timeout(PATIENCE, work).await.map_err(|_| format!("{what} takes too long").into())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<(), BoxError> {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = timeout(3 * PATIENCE, waiting).await;
    waited.map_err(|_| format!("never: {what}").into())
}
