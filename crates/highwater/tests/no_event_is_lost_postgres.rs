//! No event is lost or doubled on PostgreSQL, whatever breaks while projections run.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use highwater::postgres::{PgOptions, PgStore, PgTx};
use highwater::projection::{ProjectionOptions, Projections};
use highwater::{
    BoxError, CheckpointKey, EventId, EventStore, Expected, Offset, Payload, Projection,
    ProjectionName, Recorded, Source, StoreError,
};
use sqlx::{Connection, PgConnection, Row};
use support::{Dice, Tally};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Writes every event into a table of its own, whose key refuses a second copy.
struct Ledger {
    schema: String,
}

impl Ledger {
    const NAME: ProjectionName = ProjectionName::from_static("ledger");
}

impl Projection<PgStore> for Ledger {
    type Event = Payload;

    fn name(&self) -> ProjectionName {
        Self::NAME
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn apply(&self, events: &[Recorded<Payload>], tx: &mut PgTx) -> Result<(), BoxError> {
        for event in events {
            let insert =
                format!("insert into {}.ledger(event_id, position) values ($1, $2)", self.schema);
            sqlx::query(sqlx::AssertSqlSafe(insert))
                .bind(event.id.as_uuid())
                .bind(event.position.get().cast_signed())
                .execute(tx.conn())
                .await?;
        }
        Ok(())
    }

    async fn reset(&self, tx: &mut PgTx) -> Result<(), BoxError> {
        let delete = format!("delete from {}.ledger", self.schema);
        sqlx::query(sqlx::AssertSqlSafe(delete)).execute(tx.conn()).await?;
        Ok(())
    }
}

/// A schema of its own on the server, dropped at the end.
struct Place {
    url: String,
    schema: String,
}

impl Place {
    async fn new(url: &str) -> Self {
        let schema = format!("chaos_{}", uuid::Uuid::new_v4().simple());
        let join = if url.contains('?') { '&' } else { '?' };
        Self { url: format!("{url}{join}application_name={}", &schema[..30]), schema }
    }

    async fn store(&self) -> PgStore {
        let options = PgOptions { schema: self.schema.clone(), ..PgOptions::default() };
        PgStore::connect(&self.url, options).await.unwrap()
    }

    /// A connection that the killing below spares.
    async fn outside(&self) -> PgConnection {
        let url = self.url.replace("application_name=", "application_name=outside_");
        PgConnection::connect(&url).await.unwrap()
    }

    async fn execute(&self, sql: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.outside().await).await.unwrap();
    }

    async fn finish(self) {
        self.execute(format!("drop schema {} cascade", self.schema)).await;
    }
}

/// Ids that must be in the log, and ids that must not.
#[derive(Default)]
struct Book {
    committed: BTreeSet<EventId>,
    undone: BTreeSet<EventId>,
}

/// Appends in every way there is until `stop`, and keeps book of each definite outcome.
async fn write(store: PgStore, book: Arc<Mutex<Book>>, seed: u64, stop: CancellationToken) {
    let mut dice = Dice::new(seed);
    while !stop.is_cancelled() {
        let append = support::any_append(&mut dice);
        let ids: Vec<EventId> =
            append.iter().flat_map(|part| part.events.iter().map(|event| event.id)).collect();
        let is_committed = match dice.below(10) {
            0 => {
                let wrong = append
                    .into_iter()
                    .map(|part| part.expecting(Expected::At(Offset::new(u64::MAX))))
                    .collect();
                let outcome = support::until_definite(&store, wrong).await;
                assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{outcome:?}");
                false
            }
            1 => in_a_slow_transaction(&store, append, &mut dice).await,
            2 => {
                let again = append.clone();
                let (one, two) = tokio::join!(
                    support::until_definite(&store, append),
                    support::until_definite(&store, again)
                );
                assert_eq!(one.unwrap(), two.unwrap(), "a repeated append has one result");
                true
            }
            3 => {
                // The caller goes away in the middle and asks again later.
                let impatience = Duration::from_micros(dice.below(2_000));
                let _ = tokio::time::timeout(impatience, store.append(append.clone())).await;
                support::until_definite(&store, append).await.unwrap();
                true
            }
            _ => {
                support::until_definite(&store, append).await.unwrap();
                true
            }
        };
        let mut book = book.lock().await;
        if is_committed {
            book.committed.extend(ids)
        } else {
            book.undone.extend(ids)
        }
        drop(book);
        dice.pause(5).await;
    }
}

/// Appends inside a transaction that first idles; one in three is rolled back.
async fn in_a_slow_transaction(
    store: &PgStore,
    append: Vec<highwater::StreamAppend>,
    dice: &mut Dice,
) -> bool {
    let is_rolled_back = dice.below(3) == 0;
    loop {
        let Ok(mut tx) = store.pool().begin().await else { continue };
        let begun = sqlx::query("select txid_current()").execute(&mut *tx).await;
        dice.pause(20).await;
        if is_rolled_back {
            return false;
        }
        if begun.is_err() {
            continue;
        }
        match store.append_and_commit(tx, append.clone()).await {
            Err(error) if error.is_transient() => dice.pause(20).await,
            definite => {
                definite.unwrap();
                return true;
            }
        }
    }
}

/// Kills a random connection of the stores every 30 ms or so.
async fn kill_connections(place: &Place, stop: &CancellationToken) -> u64 {
    let (mut outside, mut dice, mut killed) = (place.outside().await, Dice::new(99), 0);
    while !stop.is_cancelled() {
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where application_name = $1 order by random() limit 1";
        let name = &place.schema[..30];
        killed += sqlx::query(kill).bind(name).fetch_all(&mut outside).await.unwrap().len() as u64;
        dice.pause(60).await;
    }
    killed
}

/// Keeps unrelated transactions open that have written, each for half a second.
async fn hold_transactions_open(place: &Place, stop: &CancellationToken) {
    let mut outside = place.outside().await;
    while !stop.is_cancelled() {
        let mut tx = outside.begin().await.unwrap();
        let write = format!("insert into {}.unrelated values (1)", place.schema);
        sqlx::query(sqlx::AssertSqlSafe(write)).execute(&mut *tx).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        tx.commit().await.unwrap();
    }
}

fn engine(store: &PgStore, place: &Place) -> Projections<PgStore> {
    let projections = Projections::new(store.clone());
    let options = || ProjectionOptions {
        batch_size: 50,
        lease_ttl: Duration::from_secs(2),
        ..ProjectionOptions::default()
    };
    projections.register_view(Tally, options()).unwrap();
    projections.register(Ledger { schema: place.schema.clone() }, options()).unwrap();
    projections
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_is_delivered_once_in_order_whatever_breaks() {
    let place = Place::new(&test_postgres::url().await.unwrap()).await;
    let stores = [place.store().await, place.store().await];
    place
        .execute(format!(
            "create table {0}.ledger(event_id uuid primary key, position bigint not null, \
             written bigint generated always as identity); create table {0}.unrelated(n int)",
            place.schema
        ))
        .await;
    let (stop_writing, stop) = (CancellationToken::new(), CancellationToken::new());
    let engines = stores.clone().map(|store| {
        let (engine, stop) = (engine(&store, &place), stop.clone());
        tokio::spawn(async move { engine.run(stop).await })
    });
    let book = Arc::new(Mutex::new(Book::default()));
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(write(store, Arc::clone(&book), n as u64, stop_writing.clone()))
        })
        .collect();

    let (killed, (), ()) = tokio::join!(
        kill_connections(&place, &stop_writing),
        hold_transactions_open(&place, &stop_writing),
        async {
            tokio::time::sleep(Duration::from_secs(12)).await;
            stop_writing.cancel();
        }
    );
    for writer in writers {
        writer.await.unwrap();
    }
    for key in [Tally::key(), CheckpointKey::new(Ledger::NAME, Source::All)] {
        support::caught_up(&stores[0], &key).await;
    }
    stop.cancel();
    for engine in engines {
        engine.await.unwrap().unwrap();
    }

    let log = support::log(&stores[0]).await;
    support::assert_in_order(&log);
    let book = book.lock().await;
    let logged: BTreeSet<EventId> = log.iter().map(|event| event.id).collect();
    assert_eq!(logged, book.committed, "the log is what was committed");
    assert!(logged.is_disjoint(&book.undone), "what was rolled back is not in the log");
    assert_eq!(support::tally(&stores[0]).await, support::fold(&log), "view = fold of the log");
    assert_eq!(ledger(&place).await, log.iter().map(|event| event.id).collect::<Vec<_>>());
    println!("{} events, {} undone, {killed} connections killed", log.len(), book.undone.len());
    assert!(killed > 20, "only {killed} connections were killed");
    for store in stores {
        store.close().await;
    }
    place.finish().await;
}

/// The ids in the ledger, in the order in which they were written.
async fn ledger(place: &Place) -> Vec<EventId> {
    let select = format!("select event_id from {}.ledger order by written", place.schema);
    let rows = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&mut place.outside().await).await;
    rows.unwrap().iter().map(|row| EventId::from_uuid(row.get(0))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_carries_on_when_the_database_restarts_under_load() {
    let cluster = test_postgres::Cluster::start(test_postgres::Settings::default()).await.unwrap();
    let place = Place::new(&cluster.url()).await;
    let store = place.store().await;
    let stop = CancellationToken::new();
    let projections = Projections::new(store.clone());
    projections.register_view(Tally, ProjectionOptions::default()).unwrap();
    let engine = tokio::spawn({
        let stop = stop.clone();
        async move { projections.run(stop).await }
    });
    let (book, stop_writing) = (Arc::new(Mutex::new(Book::default())), CancellationToken::new());
    let writers: Vec<_> = (0..4)
        .map(|n| tokio::spawn(write(store.clone(), Arc::clone(&book), n, stop_writing.clone())))
        .collect();
    for is_crash in [false, true] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = store.head(&Source::All).await.unwrap();
        if is_crash {
            cluster.kill().await.unwrap();
        } else {
            cluster.stop().await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.restart().await.unwrap();
        grown_beyond(&store, before).await;
    }
    stop_writing.cancel();
    for writer in writers {
        writer.await.unwrap();
    }
    support::caught_up(&store, &Tally::key()).await;
    stop.cancel();
    engine.await.unwrap().unwrap();

    let log = support::log(&store).await;
    support::assert_in_order(&log);
    let logged: BTreeSet<EventId> = log.iter().map(|event| event.id).collect();
    assert_eq!(logged, book.lock().await.committed);
    assert_eq!(support::tally(&store).await, support::fold(&log));
    store.close().await;
}

/// Waits until writers have got through again.
async fn grown_beyond(store: &PgStore, head: Option<Offset>) {
    let grow = async {
        while !store.head(&Source::All).await.is_ok_and(|now| now > head) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), grow).await.expect("the store is back");
}
