//! Hints that the log has grown: heard from other processes, and given to them.
//!
//! A hint may be lost; the poll then finds what it told of.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use highwater_core::{Position, StoreError};
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::error::store_error;
use super::handle::Database;

/// The channel of all logs of a database; the payload tells them apart.
const CHANNEL: &str = "highwater";

/// The shortest time between two notifications: one for each append would cost two thirds of
/// the throughput.
const NOTIFY_PAUSE: Duration = Duration::from_millis(5);

/// The longest that a poll waits: a connection that is dead without a word must not stop all
/// others from being tried.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// After so long without a hint the connection that listens is asked whether it is alive.
const SILENCE: Duration = Duration::from_secs(5);

/// By when it must have answered.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(2);

const FIRST_RECONNECT: Duration = Duration::from_millis(50);
const LAST_RECONNECT: Duration = Duration::from_secs(5);

/// Runs until the handles are aborted.
pub(crate) fn spawn(log: &Arc<Database>) -> Vec<AbortHandle> {
    let mut tasks = vec![
        tokio::spawn(poll(Arc::clone(log))).abort_handle(),
        tokio::spawn(notify(Arc::clone(log))).abort_handle(),
    ];
    if log.options.listen {
        tasks.push(tokio::spawn(listen(Arc::clone(log))).abort_handle());
    }
    tasks
}

/// Looks every now and then how far the log reaches.
async fn poll(log: Arc<Database>) {
    let mut ticks = interval(log.options.poll_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = Trouble::default();
    loop {
        ticks.tick().await;
        let last = timeout(POLL_TIMEOUT, log.last()).await;
        let last = last.unwrap_or_else(|late| Err(StoreError::Unavailable(Box::new(late))));
        trouble.report("polling for appends", &last.map(|last| log.bell.ring(last)));
    }
}

/// Tells other processes of the appends of this one: at once, or after the pause since the last.
async fn notify(log: Arc<Database>) {
    let mut appended = log.appended.subscribe();
    let mut trouble = Trouble::default();
    while appended.changed().await.is_ok() {
        let last = *appended.borrow_and_update();
        let hint = format!("{} {}", log.options.schema, Position::to_sql(last));
        let query = log.sql.query(&log.sql.notify_append).bind(hint);
        let told = log.with(log.deadline(), |conn| query.execute(conn).boxed()).await.map(drop);
        trouble.report("telling of appends", &told);
        sleep(NOTIFY_PAUSE).await;
    }
}

/// Listens for the appends of other processes, on a connection of its own.
async fn listen(log: Arc<Database>) {
    let (mut trouble, mut pause) = (Trouble::default(), FIRST_RECONNECT);
    loop {
        let Err(error) = listen_once(&log, &mut trouble, &mut pause).await;
        trouble.report("listening for appends", &Err(store_error(error)));
        sleep(pause).await;
        pause = LAST_RECONNECT.min(pause * 2);
    }
}

/// Listens until the connection is lost.
async fn listen_once(
    log: &Database,
    trouble: &mut Trouble,
    pause: &mut Duration,
) -> Result<std::convert::Infallible, sqlx::Error> {
    // Its own pool, so that it neither takes a connection from users nor waits for one.
    let connection = (*log.pool.connect_options()).clone();
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.acquire_timeout(LISTEN_TIMEOUT).connect_lazy_with(connection);
    let mut listener = in_time(PgListener::connect_with(&pool)).await?;
    in_time(listener.listen(CHANNEL)).await?;
    (*trouble, *pause) = (Trouble::default(), FIRST_RECONNECT);
    loop {
        let Ok(hint) = timeout(SILENCE, listener.recv()).await else {
            // A connection that is dead without a word tells of nothing, either.
            in_time(sqlx::raw_sql("").execute(&mut listener)).await?;
            continue;
        };
        if let Some(last) = parse_notification(hint?.payload(), &log.options.schema) {
            // Anyone who is connected to the database can say anything.
            log.bell.hint(Some(last));
        }
    }
}

/// Waits for the answer to something short.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(LISTEN_TIMEOUT, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Tells how far the log in `schema` reaches, when the hint is about it.
fn parse_notification(hint: &str, schema: &str) -> Option<Position> {
    let (about, last) = hint.split_once(' ')?;
    let last = last.parse().ok().filter(|_| about == schema)?;
    Position::from_sql(last).ok()?
}

/// Says once that something has begun to fail, and once that it works again.
#[derive(Default)]
struct Trouble {
    is_known: bool,
}

impl Trouble {
    fn report(&mut self, what: &str, outcome: &Result<(), StoreError>) {
        match outcome {
            Err(error) if !self.is_known => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(%error, cause, "{what} fails");
            }
            Ok(()) if self.is_known => tracing::info!("{what} works again"),
            _ => {}
        }
        self.is_known = outcome.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_about_another_log_is_none() {
        assert_eq!(parse_notification("highwater 7", "highwater"), Some(Position::new(7)));
        for other in ["tenant 7", "highwater -1", "highwater", "highwater x", ""] {
            assert_eq!(parse_notification(other, "highwater"), None, "{other:?}");
        }
    }
}
