//! The three ways to write a projection: a view, a projection with SQL of its own, a handler.

use highwater::projection::{CheckpointPolicy, ProjectionOptions, Projections};
use highwater::sqlite::{SqliteStore, sqlx};
use highwater::{
    BoxError, Category, Event, EventStoreExt, Expected, Handler, IdempotencyKey, Projection,
    ProjectionName, ProjectionStore, ProjectionStoreExt, Recorded, Source, StreamName, View,
};

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", content = "data")]
enum Shop {
    Registered { name: String },
    Ordered { customer: String, cents: i64 },
}

impl Event for Shop {}

/// A view folds events into JSON documents, and runs on every store.
struct Spending;

impl View for Spending {
    type Event = Shop;
    type Document = i64;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("spending")
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, event: &Recorded<Shop>) -> impl IntoIterator<Item = String> {
        match &event.data {
            Shop::Ordered { customer, .. } => Some(customer.clone()),
            Shop::Registered { .. } => None,
        }
    }

    fn apply(&self, spent: &mut i64, _: &str, event: &Recorded<Shop>) -> Result<(), BoxError> {
        if let Shop::Ordered { cents, .. } = event.data {
            *spent += cents;
        }
        Ok(())
    }
}

/// A projection writes tables of its own, in the transaction that moves its checkpoint.
struct Sales;

impl Sales {
    async fn create_tables(store: &SqliteStore) -> Result<(), BoxError> {
        let mut write = store.begin_write().await?;
        let tables = "create table if not exists customers (id text primary key, name text not null); \
                      create table if not exists orders (id text primary key, customer text, cents integer)";
        sqlx::raw_sql(tables).execute(write.conn()).await?;
        write.commit().await?;
        Ok(())
    }

    /// What views cannot do: a question over several tables.
    async fn by_name(store: &SqliteStore) -> Result<Vec<(String, i64)>, BoxError> {
        let question = "select name, sum(cents) from orders join customers on customers.id = customer \
                        group by name order by name";
        Ok(sqlx::query_as(question).fetch_all(store.readers()).await?)
    }
}

impl Projection<SqliteStore> for Sales {
    type Event = Shop;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("sales")
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn apply(
        &self,
        events: &[Recorded<Shop>],
        tx: &mut <SqliteStore as ProjectionStore>::Tx,
    ) -> Result<(), BoxError> {
        for event in events {
            let id = event.stream.as_str();
            let insert = match &event.data {
                Shop::Registered { name } => {
                    sqlx::query("insert into customers values (?, ?)").bind(id).bind(name)
                }
                Shop::Ordered { customer, cents } => {
                    let insert = sqlx::query("insert into orders values (?, ?, ?)");
                    insert.bind(id).bind(customer).bind(cents)
                }
            };
            insert.execute(tx.conn()).await?;
        }
        Ok(())
    }

    async fn reset(&self, tx: &mut <SqliteStore as ProjectionStore>::Tx) -> Result<(), BoxError> {
        sqlx::raw_sql("delete from customers; delete from orders").execute(tx.conn()).await?;
        Ok(())
    }
}

/// A handler has effects outside the store, at least once.
struct Welcome;

impl Handler for Welcome {
    type Event = Shop;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("welcome-mail")
    }

    fn source(&self) -> Source {
        Source::Category(Category::from_static("customer"))
    }

    async fn handle(&self, event: &Recorded<Shop>, key: &IdempotencyKey) -> Result<(), BoxError> {
        if let Shop::Registered { name } = &event.data {
            // The key is the same for every attempt: by it the other side tells a repetition.
            println!("mail to {name}, as {key}");
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = SqliteStore::open("shop.db", Default::default()).await?;
    Sales::create_tables(&store).await?;
    let projections = Projections::new(store.clone());
    projections.register_view(Spending, Default::default())?;
    projections.register(Sales, Default::default())?;
    let per_event =
        ProjectionOptions { checkpoint: CheckpointPolicy::PerEvent, ..Default::default() };
    projections.register_handler(Welcome, per_event)?;

    let ada = StreamName::from_static("customer-ada");
    let registered = Shop::Registered { name: "Ada".to_owned() };
    if store.publish(ada.clone(), Expected::NoStream, &[registered]).await.is_ok() {
        let ordered = Shop::Ordered { customer: ada.to_string(), cents: 1_999 };
        store.publish(StreamName::from_static("order-1"), Expected::Any, &[ordered]).await?;
    }

    // A server would `run` them until it stops.
    for name in [Spending.name(), Projection::name(&Sales), Handler::name(&Welcome)] {
        projections.catch_up(&name).await?;
    }
    println!("{:?}", store.document(&Spending, ada.as_str()).await?);
    println!("{:?}", Sales::by_name(&store).await?);
    Ok(())
}
