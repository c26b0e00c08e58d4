//! Given, when, then: what users try their projections with.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use highwater_core::{
    BoxError, Category, Event, EventType, NewEvent, Payload, Projection, ProjectionName,
    ProjectionStore, ProjectionTx, Recorded, Source, Upcasters, View,
};
use highwater_testkit::{
    MemoryStore, MemoryTx, ProjectionTest, ViewTest, assert_cuts_do_not_matter, events_of,
    raw_events_of,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Account {
    Opened { owner: String },
    Deposited { cents: i64 },
    Closed,
}
impl Event for Account {}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Balance {
    owner: String,
    cents: i64,
    is_closed: bool,
}

struct Balances;

impl View for Balances {
    type Event = Account;
    type Document = Balance;

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
        balance: &mut Balance,
        _key: &str,
        event: &Recorded<Account>,
    ) -> Result<(), BoxError> {
        match &event.data {
            Account::Opened { owner } => balance.owner.clone_from(owner),
            Account::Deposited { cents } if *cents < 0 => return Err("a negative deposit".into()),
            Account::Deposited { cents } => balance.cents += cents,
            Account::Closed => balance.is_closed = true,
        }
        Ok(())
    }

    fn keep(&self, balance: &Balance) -> bool {
        !balance.is_closed
    }

    fn upcasters(&self) -> Upcasters {
        let (old, new) = (EventType::from_static("Paid"), EventType::from_static("Deposited"));
        Upcasters::new().rename(old, new.clone()).payload(new, |mut data| {
            if let Some(euros) = data.get("euros").and_then(serde_json::Value::as_i64) {
                data = serde_json::json!({ "cents": 100 * euros });
            }
            Ok(data)
        })
    }
}

fn opened() -> Account {
    Account::Opened { owner: "Ada".to_owned() }
}

fn deposited(cents: i64) -> Account {
    Account::Deposited { cents }
}

fn ada(cents: i64) -> Balance {
    Balance { owner: "Ada".to_owned(), cents, is_closed: false }
}

fn raw(event_type: &'static str, json: &str) -> NewEvent {
    NewEvent::new(EventType::from_static(event_type), Payload::parse(json).unwrap())
}

/// The message with which `test` panics.
fn complaint<T>(test: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).err().expect("a test that fails");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_view_is_tried_without_a_store() {
    ViewTest::given(Balances, events_of("account-1", [opened(), deposited(300)]))
        .when(events_of("account-1", [deposited(200)]))
        .then("account-1", &ada(500))
        .then_nothing("account-2")
        .then_keys(&["account-1"])
        .when(events_of("account-1", [Account::Closed]))
        .then_keys(&[]);
}

#[test]
fn a_view_gets_what_the_engine_would_send_it() {
    let old = raw_events_of("account-1", [raw("Paid", "{\"euros\":3}"), raw("Unknown", "{}")]);
    let of_others = events_of("user-1", [opened()]);
    ViewTest::given(Balances, events_of("account-1", [opened()]))
        .when(old.into_iter().chain(of_others))
        .then("account-1", &ada(300))
        .then_keys(&["account-1"]);
}

#[test]
fn an_event_that_does_not_apply_is_named() {
    let negative = || events_of("account-1", [deposited(1), deposited(-1)]);
    ViewTest::given(Balances, []).when(negative()).then_error("a negative deposit");
    let message = complaint(|| ViewTest::given(Balances, negative()));
    assert!(message.contains("\"Deposited\" at 1 of account-1"), "{message}");
    let misshapen = raw_events_of("account-1", [raw("Deposited", "{\"cents\":\"one\"}")]);
    ViewTest::given(Balances, []).when(misshapen).then_error("cannot be decoded");
}

#[test]
fn a_failed_test_shows_what_differs() {
    let test = || ViewTest::given(Balances, events_of("account-1", [opened(), deposited(5)]));
    let message = complaint(|| test().then("account-1", &ada(6)));
    assert!(message.contains("-   \"cents\": 6"), "{message}");
    assert!(message.contains("+   \"cents\": 5"), "{message}");
    assert!(message.contains("    \"owner\": \"Ada\""), "{message}");
    assert!(complaint(|| test().then("account-2", &ada(6))).contains("is not there"));
    assert!(complaint(|| test().then_nothing("account-1")).contains("expected nothing"));
    assert!(complaint(|| test().then_error("x")).contains("every event applied"));
}

/// Counts events; wrongly, by batches, when told to.
struct Count {
    by_batch: bool,
}

impl Projection<MemoryStore> for Count {
    type Event = Account;

    fn name(&self) -> ProjectionName {
        ProjectionName::from_static("count")
    }

    fn source(&self) -> Source {
        Source::All
    }

    async fn apply(&self, events: &[Recorded<Account>], tx: &mut MemoryTx) -> Result<(), BoxError> {
        let counted: usize = tx.document("n").map_or(Ok(0), |n| n.to())?;
        let n = if self.by_batch { 1 } else { events.len() };
        tx.write(vec![("n".to_owned(), Some(Payload::of(&(counted + n))?))]).await?;
        match events.iter().any(|event| matches!(event.data, Account::Closed)) {
            true => Err("closed accounts are not counted".into()),
            false => Ok(()),
        }
    }

    async fn reset(&self, tx: &mut MemoryTx) -> Result<(), BoxError> {
        Ok(tx.clear().await?)
    }
}

#[tokio::test]
async fn a_projection_is_tried_in_real_transactions() {
    ProjectionTest::new(MemoryStore::new(), Count { by_batch: false })
        .given(events_of("account-1", [opened()]))
        .await
        .when(events_of("account-2", [opened(), deposited(1)]))
        .await
        .then_document("n", &3)
        .await
        .when_refused(events_of("account-1", [deposited(1), Account::Closed]), "closed accounts")
        .await
        .then_document("n", &3)
        .await
        .when_reset()
        .await
        .when(events_of("account-1", [opened()]))
        .await
        .then_document("n", &1)
        .await;
}

#[tokio::test]
async fn a_projection_that_depends_on_batches_is_found_out() {
    let events = events_of("account-1", [opened(), deposited(1), deposited(2)]);
    let fresh = async || MemoryStore::new();
    let read = async |store: &MemoryStore| {
        store.documents(&ProjectionName::from_static("count"), &["n".to_owned()]).await.unwrap()
    };
    assert_cuts_do_not_matter(fresh, || Count { by_batch: false }, &events, read).await;

    let wrong = assert_cuts_do_not_matter(fresh, || Count { by_batch: true }, &events, read);
    let outcome = futures::FutureExt::catch_unwind(AssertUnwindSafe(wrong)).await;
    assert!(outcome.is_err());
}
