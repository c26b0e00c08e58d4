//! The laws, on the store in memory.

use highwater_testkit::MemoryStore;

async fn fresh() -> MemoryStore {
    MemoryStore::new()
}

highwater_testkit::conformance!(all: fresh);
highwater_testkit::conformance!(sagas: fresh);
highwater_testkit::conformance!(calls: fresh);

/// Code that keeps its store behind a trait object is promised the same.
mod behind_a_trait_object {
    use std::sync::Arc;

    use highwater_core::EventStore;
    use highwater_testkit::{Fixture, MemoryStore};

    struct Shared(Arc<dyn EventStore>);

    impl Fixture for Shared {
        type Store = Arc<dyn EventStore>;

        fn store(&self) -> Self::Store {
            Arc::clone(&self.0)
        }

        async fn reopen(&self) -> Self::Store {
            Arc::clone(&self.0)
        }

        async fn finish(self) {}
    }

    async fn fresh() -> Shared {
        Shared(Arc::new(MemoryStore::new()))
    }

    highwater_testkit::conformance!(events: fresh);
}
