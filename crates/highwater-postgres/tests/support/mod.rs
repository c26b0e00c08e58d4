//! A schema of its own for every test, dropped at its end.

use highwater_postgres::{PgOptions, PgStore};
use highwater_testkit::Fixture;
use sqlx::AssertSqlSafe;

/// A store in a fresh schema.
pub(crate) struct Schema {
    pub(crate) url: String,
    pub(crate) options: PgOptions,
    store: PgStore,
}

impl Schema {
    /// Runs one statement, in which `@` stands for the schema.
    pub(crate) async fn run(&self, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(self.named(sql)).execute(self.store.pool()).await.map(|_| ())
    }

    /// The statement with the schema for every `@`.
    pub(crate) fn named(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace('@', &format!("\"{}\"", self.options.schema)))
    }
}

impl Fixture for Schema {
    type Store = PgStore;

    fn store(&self) -> PgStore {
        self.store.clone()
    }

    async fn reopen(&self) -> PgStore {
        open(&self.url, &self.options).await
    }

    async fn finish(self) {
        self.run("drop schema @ cascade").await.expect("the schema can be dropped");
        self.store.close().await;
    }
}

/// A store in a fresh schema, with the settings that users get.
pub(crate) async fn fresh() -> Schema {
    fresh_with(PgOptions::default()).await
}

/// A store in a fresh schema, whatever `options` say of the schema.
pub(crate) async fn fresh_with(options: PgOptions) -> Schema {
    let url = test_postgres::url().await.unwrap_or_else(|error| panic!("{error}"));
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let max_connections = options.max_connections.min(6);
    let options = PgOptions { schema, max_connections, ..options };
    let store = open(&url, &options).await;
    Schema { url, options, store }
}

/// Another store on the same schema, as another process has one.
pub(crate) async fn open(url: &str, options: &PgOptions) -> PgStore {
    PgStore::connect(url, options.clone()).await.expect("the server is there")
}
