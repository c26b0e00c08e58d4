//! The smallest program: appends events, folds them into balances, reads a balance.

use highwater::projection::Projections;
use highwater::sqlite::SqliteStore;
use highwater::{
    BoxError, Category, Event, EventStoreExt, Expected, ProjectionName, ProjectionStoreExt,
    Recorded, Source, StreamName, View,
};

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(tag = "type", content = "data")]
enum Account {
    Deposited(i64),
    Withdrawn(i64),
}

impl Event for Account {}

struct Balances;

impl View for Balances {
    type Event = Account;
    type Document = i64;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("balances")
    }

    fn source(&self) -> Source {
        Source::Category(Category::from_static("account"))
    }

    fn keys(&self, event: &Recorded<Account>) -> impl IntoIterator<Item = String> {
        Some(event.stream.to_string())
    }

    fn apply(
        &self,
        balance: &mut i64,
        _key: &str,
        event: &Recorded<Account>,
    ) -> Result<(), BoxError> {
        *balance += match event.data {
            Account::Deposited(amount) => amount,
            Account::Withdrawn(amount) => -amount,
        };
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = SqliteStore::open("bank.db", Default::default()).await?;
    let projections = Projections::new(store.clone());
    projections.register_view(Balances, Default::default())?;

    let ada = StreamName::from_static("account-ada");
    let events = [Account::Deposited(100), Account::Withdrawn(30)];
    store.publish(ada.clone(), Expected::Any, &events).await?;

    // A server would `run` its projections until it stops; this program catches up once.
    projections.catch_up(&Balances.name()).await?;
    let balance = store.document(&Balances, ada.as_str()).await?;
    println!("{ada}: {}", balance.unwrap_or_default());
    Ok(())
}
