//! What tests may expect of a pooler.

use sqlx::{Connection, PgConnection, Row};
use test_postgres::{PoolMode, Pooler, url};

#[tokio::test]
async fn a_pooler_gives_clients_one_session_or_their_own_and_ends_when_it_is_dropped() {
    let server = url().await.unwrap();
    for (mode, is_shared) in [(PoolMode::Transaction, true), (PoolMode::Session, false)] {
        let pooler = Pooler::start(&server, mode).await.unwrap();
        let (mut one, mut two) = (connect(&pooler).await, connect(&pooler).await);
        let sessions = (session(&mut one).await, session(&mut two).await);
        assert_eq!(sessions.0 == sessions.1, is_shared, "{mode:?}");
        let url = pooler.url();
        drop(pooler);
        assert!(PgConnection::connect(&url).await.is_err());
    }
}

async fn connect(pooler: &Pooler) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = pooler.url().parse().expect("a URL");
    PgConnection::connect_with(&options.extra_float_digits(None)).await.expect("it answers")
}

async fn session(conn: &mut PgConnection) -> i32 {
    let asked = sqlx::raw_sql("select pg_backend_pid()").fetch_one(conn).await;
    asked.expect("it answers").get(0)
}
