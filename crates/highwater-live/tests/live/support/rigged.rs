//! A memory store whose reads a test can hold up or fail.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::{
    Appended, EventStore, EventType, Imported, NewEvent, Offset, Page, Source, StoreError,
    StreamAppend, StreamName, Wake,
};
use highwater_testkit::MemoryStore;
use tokio::sync::watch;

/// What becomes of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    Work,
    /// They wait until they are told something else.
    Wait,
    /// They fail, and may work later.
    Away,
    /// They fail for good.
    Broken,
}

/// A memory store under the hands of a test; clones share rig and store.
#[derive(Clone)]
pub(crate) struct Rigged {
    store: MemoryStore,
    reads: watch::Sender<Reads>,
}

impl Rigged {
    pub(crate) fn new(store: &MemoryStore) -> Self {
        Self { store: store.clone(), reads: watch::Sender::new(Reads::Work) }
    }

    /// From now on reads do this.
    pub(crate) fn reads(&self, reads: Reads) {
        self.reads.send_replace(reads);
    }

    async fn read_or_fail(&self) -> Result<(), StoreError> {
        let mut reads = self.reads.subscribe();
        let reads = *reads.wait_for(|reads| *reads != Reads::Wait).await.expect("it is in self");
        match reads {
            Reads::Work | Reads::Wait => Ok(()),
            Reads::Away => Err(StoreError::Unavailable("rigged".into())),
            Reads::Broken => Err(StoreError::Backend("rigged".into())),
        }
    }
}

#[async_trait]
impl EventStore for Rigged {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        self.store.append(batch).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        self.store.import(events).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.read_or_fail().await?;
        self.store.read(source, types, after, limit).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        self.read_or_fail().await?;
        self.store.head(source).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.store.now().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }

    fn wake(&self) -> Wake {
        self.store.wake()
    }
}
