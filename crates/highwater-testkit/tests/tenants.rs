//! The laws, on a store that one tenant shares with others.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use highwater_core::{
    Advance, Change, Checkpoint, CheckpointKey, CheckpointStore, Document, EventId, EventType,
    NewDeadLetter, Offset, Owner, Payload, Position, ProjectionName, ProjectionStore, ProjectionTx,
    Source, StreamName, Tenant, TenantScoped,
};
use highwater_testkit::{Fixture, MemoryStore};
use std::time::Duration;

highwater_testkit::conformance!(checkpoints: fresh);
highwater_testkit::conformance!(read_models: fresh);

/// What stands beside the tenant's own rows: others' under the names that the laws use.
const OTHERS: [&str; 5] = ["balances", "other/balances", "acme2/balances", "acm", "a"];

type Seen = Vec<(Checkpoint, Vec<Document>, usize)>;

struct SharedStore {
    all: MemoryStore,
    others: Seen,
}

async fn fresh() -> SharedStore {
    let all = MemoryStore::new();
    for name in OTHERS {
        fill(&all, name).await;
    }
    let others = seen(&all).await;
    assert_eq!(others.len(), OTHERS.len());
    SharedStore { all, others }
}

impl Fixture for SharedStore {
    type Store = TenantScoped<MemoryStore>;

    fn store(&self) -> Self::Store {
        TenantScoped::new(self.all.clone(), Tenant::new("acme").unwrap())
    }

    async fn reopen(&self) -> Self::Store {
        self.store()
    }

    async fn finish(self) {
        assert_eq!(seen(&self.all).await, self.others, "nothing of others was touched");
    }
}

async fn fill(store: &MemoryStore, name: &str) {
    let key = CheckpointKey::new(ProjectionName::new(name).unwrap(), Source::All);
    let hour = Duration::from_hours(1);
    let (lease, _) = store.acquire(&key, &Owner::new("other"), hour).await.unwrap().unwrap();
    let letter = NewDeadLetter {
        offset: Offset::new(3),
        stream: StreamName::from_static("receipt-1"),
        position: Position::new(3),
        event_id: EventId::new(),
        event_type: EventType::from_static("Counted"),
        error: "out of ink".to_owned(),
        attempts: 1,
    };
    let advance = Advance::new(None, Some(Offset::new(7)), 8);
    let advance = Advance { dead_letters: vec![letter], ..advance };
    let mut tx = store.begin(&lease).await.unwrap();
    tx.write(vec![("ada".to_owned(), Some(Payload::parse("77").unwrap()))]).await.unwrap();
    tx.commit(Change::Advance(advance)).await.unwrap();
    store.record_error(&lease, "out of paper").await.unwrap();
}

/// Everything there is of others.
async fn seen(store: &MemoryStore) -> Seen {
    let mut all = Vec::new();
    for row in store.checkpoints(None).await.unwrap() {
        if row.key.projection.as_str().starts_with("acme/") {
            continue;
        }
        let documents = store.scan(&row.key.projection, "", None, 100).await.unwrap();
        let letters = store.dead_letters(&row.key, None, 100).await.unwrap().len();
        all.push((row, documents, letters));
    }
    all
}
