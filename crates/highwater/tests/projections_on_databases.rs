//! Projections on SQLite and PostgreSQL: processes that die of an event, user code that hangs while
//! there are next to no connections, logs that lose events.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Stdio};
use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore};
use highwater::projection::{FailurePolicy, ProjectionOptions, Projections};
use highwater::sqlite::{SqliteOptions, SqliteStore};
use highwater::{
    BoxError, CheckpointKey, CheckpointStore, Event, EventStore, EventStoreExt, Expected, Handler,
    IdempotencyKey, Offset, ProjectionName, ProjectionStore, ProjectionStoreExt, Recorded, Source,
    StreamName, View,
};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

/// Names the database to a process that is to die.
const DATABASE: &str = "HIGHWATER_TEST_DATABASE";

/// The number whose event ends the process.
const DEADLY: u64 = 7;
const EVENTS: u64 = 20;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", content = "data")]
enum Step {
    Made(u64),
}
impl Event for Step {}

/// Counts events; one that is deadly aborts the process.
struct Count {
    name: &'static str,
    is_deadly: bool,
}

impl View for Count {
    type Event = Step;
    type Document = u64;

    fn name(&self) -> ProjectionName {
        ProjectionName::new(self.name).unwrap()
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, _: &Recorded<Step>) -> impl IntoIterator<Item = String> {
        Some("all".to_owned())
    }

    fn apply(&self, count: &mut u64, _: &str, event: &Recorded<Step>) -> Result<(), BoxError> {
        let Step::Made(number) = event.data;
        if self.is_deadly && number == DEADLY {
            std::process::abort();
        }
        *count += 1;
        Ok(())
    }
}

const VIEWS: [Count; 3] = [
    Count { name: "deadly", is_deadly: true },
    Count { name: "innocent", is_deadly: false },
    Count { name: "patient", is_deadly: false },
];

/// Never ends what it has begun.
struct Hang;

impl Handler for Hang {
    type Event = Step;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("hang")
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn handle(&self, _: &Recorded<Step>, _: &IdempotencyKey) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

/// Options under which a dead worker's lease is taken over soon.
fn options() -> ProjectionOptions {
    let on_failure = FailurePolicy::Skip;
    ProjectionOptions { on_failure, lease_ttl: Duration::from_secs(1), ..Default::default() }
}

async fn sqlite(url: &str) -> SqliteStore {
    let options = SqliteOptions { readers: 1, ..Default::default() };
    SqliteStore::connect(url, options).await.unwrap()
}

/// The store in the schema that the URL ends with.
async fn postgres(url: &str) -> PgStore {
    let (url, schema) = url.split_once('#').unwrap();
    let schema = schema.to_owned();
    let options = PgOptions { schema, max_connections: 2, ..Default::default() };
    PgStore::connect(url, options).await.unwrap()
}

async fn append(store: &impl EventStore, numbers: std::ops::Range<u64>) {
    let steps: Vec<Step> = numbers.map(Step::Made).collect();
    store.publish(StreamName::from_static("steps"), Expected::Any, &steps).await.unwrap();
}

async fn checkpoint(store: &impl CheckpointStore, name: ProjectionName) -> Option<u64> {
    let row = store.checkpoint(&CheckpointKey::new(name, Source::All)).await.unwrap();
    row.and_then(|row| row.last_processed_offset).map(Offset::get)
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(120), async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Runs the views until each has come to the end.
async fn project<S: EventStore + ProjectionStore>(store: S) {
    let projections = Projections::new(store.clone());
    for view in VIEWS {
        projections.register_view(view, options()).unwrap();
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { projections.run(stop).await.unwrap() }
    });
    for view in VIEWS {
        until("a view comes to the end", async || {
            checkpoint(&store, view.name()).await == Some(EVENTS - 1)
        })
        .await;
    }
    stop.cancel();
    running.await.unwrap();
}

/// The process that dies; nothing unless it is told of a database.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_dies_of_an_event() {
    match std::env::var(DATABASE) {
        Err(_) => {}
        Ok(url) if url.starts_with("sqlite:") => project(sqlite(&url).await).await,
        Ok(url) => project(postgres(&url).await).await,
    }
}

/// Starts the process until it does not die any more; how often it has died.
fn deaths(url: &str) -> u32 {
    for deaths in 0..20 {
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_dies_of_an_event"])
            .env(DATABASE, url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if ended.unwrap().success() {
            return deaths;
        }
    }
    panic!("it dies for ever");
}

async fn assert_is_blamed<S: EventStore + ProjectionStore>(store: S, url: String) {
    append(&store, 0..EVENTS).await;
    let deaths = tokio::task::spawn_blocking(move || deaths(&url)).await.unwrap();
    for view in VIEWS {
        let key = CheckpointKey::new(view.name(), Source::All);
        let letters = store.dead_letters(&key, None, 10).await.unwrap();
        let counted = store.document(&view, "all").await.unwrap();
        if view.is_deadly {
            assert_eq!(letters.len(), 1);
            assert_eq!((letters[0].letter.offset, letters[0].letter.attempts), (place(), 3));
            assert!(letters[0].letter.error.contains("3 times in a row"), "{letters:?}");
            assert_eq!(counted, Some(EVENTS - 1), "its neighbours are done");
        } else {
            assert!(letters.is_empty(), "who dies with it is not blamed: {letters:?}");
            assert_eq!(counted, Some(EVENTS));
        }
    }
    // One that nobody expected, three alone, and perhaps one between by somebody else's turn.
    assert!((4..=6).contains(&deaths), "{deaths} deaths");
}

fn place() -> Offset {
    Offset::new(DEADLY)
}

/// A handler that hangs, beside a view and readers, on a store with next to no connections.
async fn assert_holds_nothing<S: EventStore + ProjectionStore>(store: S) {
    append(&store, 0..10).await;
    let projections = Projections::new(store.clone());
    projections.register_handler(Hang, options()).unwrap();
    let view = Count { name: "beside", is_deadly: false };
    projections.register_view(view, options()).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(async move { projections.run(stop).await });
    let hang = CheckpointKey::new(Hang.name(), Source::All);
    until("the handler is told of", async || {
        let row = store.checkpoint(&hang).await.unwrap();
        let error = row.and_then(|row| row.owner.and(row.last_error));
        error.is_some_and(|error| error.contains("applying the events 0 to 0"))
    })
    .await;
    append(&store, 10..20).await;
    let name = ProjectionName::from_static("beside");
    until("the view goes on", async || checkpoint(&store, name.clone()).await == Some(19)).await;
    let page = store.read(&Source::All, &[], None, 100).await.unwrap();
    assert_eq!(page.events.len(), 20);

    // Dropped in the middle of it all, it leaves nothing open: others lead at once.
    running.abort();
    until("the lease is given back", async || {
        store.checkpoint(&hang).await.unwrap().is_some_and(|row| row.owner.is_none())
    })
    .await;
    append(&store, 20..30).await;
}

/// Events 4 to 9 are lost while the engine runs, and 12 others come; nothing is skipped.
async fn assert_refuses_a_replaced_log<S: EventStore + ProjectionStore>(
    store: S,
    lose: impl AsyncFnOnce(),
) {
    append(&store, 0..10).await;
    let projections = Projections::new(store.clone());
    let view = || Count { name: "restored", is_deadly: false };
    projections.register_view(view(), options()).unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (projections, stop) = (projections.clone(), stop.clone());
        async move { projections.run(stop).await.unwrap() }
    });
    let key = CheckpointKey::new(view().name(), Source::All);
    until("it is at the end", async || checkpoint(&store, view().name()).await == Some(9)).await;
    lose().await;
    until("it refuses", async || {
        let row = store.checkpoint(&key).await.unwrap();
        row.and_then(|row| row.last_error).is_some_and(|error| error.contains("was replaced"))
    })
    .await;
    append(&store, 100..112).await;
    let error = projections.catch_up(&view().name()).await.unwrap_err().to_string();
    assert!(error.contains("9 of $all") && error.contains("rebase"), "{error}");
    assert_eq!(store.document(&view(), "all").await.unwrap(), Some(10));

    projections.rebase(&view().name(), Some(Offset::new(3))).await.unwrap();
    until("it goes on", async || checkpoint(&store, view().name()).await == Some(15)).await;
    assert_eq!(store.document(&view(), "all").await.unwrap(), Some(22));
    stop.cancel();
    running.await.unwrap();
}

struct File(tempfile::TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        format!("sqlite:{}?mode=rwc", self.0.path().join("projections.db").display())
    }
}

/// The URL of a fresh schema, which is removed with [`remove`].
async fn schema() -> String {
    let url = test_postgres::url().await.unwrap_or_else(|error| panic!("{error}"));
    format!("{url}#deaths_{}", uuid::Uuid::new_v4().simple())
}

async fn remove(store: &PgStore, url: &str) {
    let schema = url.split_once('#').unwrap().1;
    let drop = AssertSqlSafe(format!("drop schema {schema} cascade"));
    sqlx::raw_sql(drop).execute(store.pool()).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_ends_the_process_is_blamed_on_sqlite() {
    let file = File::new();
    assert_is_blamed(sqlite(&file.url()).await, file.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_ends_the_process_is_blamed_on_postgres() {
    let url = schema().await;
    let store = postgres(&url).await;
    assert_is_blamed(store.clone(), url.clone()).await;
    remove(&store, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_code_that_hangs_holds_no_connection_on_sqlite() {
    let file = File::new();
    assert_holds_nothing(sqlite(&file.url()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_code_that_hangs_holds_no_connection_on_postgres() {
    let url = schema().await;
    let store = postgres(&url).await;
    assert_holds_nothing(store.clone()).await;
    remove(&store, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_loses_events_is_refused_on_sqlite() {
    let file = File::new();
    let store = sqlite(&file.url()).await;
    let lose = async || {
        let mut write = store.begin_write().await.unwrap();
        let lose = "drop trigger events_are_not_deleted; delete from events where position > 3";
        sqlx::raw_sql(lose).execute(write.conn()).await.unwrap();
        write.commit().await.unwrap();
    };
    assert_refuses_a_replaced_log(store.clone(), lose).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_loses_events_is_refused_on_postgres() {
    let url = schema().await;
    let (store, name) = (postgres(&url).await, url.split_once('#').unwrap().1);
    let lose = async || {
        let lose = format!(
            "alter table {name}.events disable trigger user; \
             delete from {name}.events where position > 3; \
             alter table {name}.events enable trigger user;"
        );
        sqlx::raw_sql(AssertSqlSafe(lose)).execute(store.pool()).await.unwrap();
    };
    assert_refuses_a_replaced_log(store.clone(), lose).await;
    remove(&store, &url).await;
}
