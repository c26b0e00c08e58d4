//! Given, when, then for projections, in real transactions of a real store.

use std::fmt;
use std::time::Duration;

use highwater_core::{
    Advance, BoxError, Change, CheckpointKey, Owner, Projection, ProjectionStore, ProjectionTx,
    Recorded, RecordedEvent,
};

use crate::events_of::{Intake, Numbering, with_causes};
use crate::json_diff::assert_same;

/// A batch of a test does not take longer.
const LEASE: Duration = Duration::from_hours(1);

/// Tries a projection on a store: given these events, when those happen, then look into it.
///
/// Each call applies its events as one batch, in one transaction that also moves the checkpoint;
/// they go the way that the engine sends them. The projection must not have run on the store
/// before. What came of it is looked up in the store, with the user's own SQL if need be.
#[derive(Debug)]
pub struct ProjectionTest<S, P> {
    store: S,
    projection: P,
    intake: Intake,
    numbering: Numbering,
}

impl<S: ProjectionStore, P: Projection<S>> ProjectionTest<S, P> {
    /// A test of `projection` on `store`.
    pub fn new(store: S, projection: P) -> Self {
        let intake = Intake { source: projection.source(), upcasters: projection.upcasters() };
        Self { store, projection, intake, numbering: Numbering::default() }
    }

    /// Commits one batch of events; panics when it does not apply.
    pub async fn given(self, events: impl IntoIterator<Item = RecordedEvent>) -> Self {
        self.when(events).await
    }

    /// Commits one batch of events; panics when it does not apply.
    pub async fn when(mut self, events: impl IntoIterator<Item = RecordedEvent>) -> Self {
        if let Err(error) = self.commit(events).await {
            panic!("in projection {:?}: {}", self.projection.name(), with_causes(&*error));
        }
        self
    }

    /// Tries one batch that must not apply; panics unless `text` is in its error or a cause.
    ///
    /// The transaction is undone, as the engine would undo it.
    pub async fn when_refused(
        mut self,
        events: impl IntoIterator<Item = RecordedEvent>,
        text: &str,
    ) -> Self {
        match self.commit(events).await.map_err(|error| with_causes(&*error)) {
            Err(error) if error.contains(text) => self,
            Err(error) => panic!("expected an error with {text:?}, got: {error}"),
            Ok(()) => panic!("expected an error with {text:?}, but the batch was committed"),
        }
    }

    /// Empties the read model, as the beginning of a rebuild does; panics when that fails.
    pub async fn when_reset(mut self) -> Self {
        if let Err(error) = self.reset().await {
            panic!("reset of {:?}: {}", self.projection.name(), with_causes(&*error));
        }
        self
    }

    /// Panics unless the document under `key` is `expected`.
    pub async fn then_document(self, key: &str, expected: &impl serde::Serialize) -> Self {
        let name = self.projection.name();
        let found = self.store.documents(&name, &[key.to_owned()]).await.expect("documents");
        let actual = found.first().map(|document| document.data.to().expect("a JSON document"));
        assert_same(&format!("document {key:?} of {name:?}"), expected, actual.as_ref());
        self
    }

    /// The store, to look into.
    pub const fn store(&self) -> &S {
        &self.store
    }

    async fn commit(
        &mut self,
        events: impl IntoIterator<Item = RecordedEvent>,
    ) -> Result<(), BoxError> {
        let mut batch: Vec<Recorded<P::Event>> = Vec::new();
        let mut numbering = self.numbering.clone();
        for event in events {
            batch.extend(self.intake.take(numbering.number(event))?);
        }
        let Some(last) = batch.last() else {
            self.numbering = numbering;
            return Ok(());
        };
        let to = self.intake.source.offset_of(last);
        let key = CheckpointKey::new(self.projection.name(), self.intake.source.clone());
        let held = self.store.acquire(&key, &Owner::new("test"), LEASE).await?;
        let (lease, checkpoint) = held.ok_or("somebody else runs the projection")?;
        let advance = Advance::new(checkpoint.last_processed_offset, Some(to), batch.len() as u64);
        let outcome = async {
            let mut tx = self.store.begin(&lease).await?;
            self.projection.apply(&batch, &mut tx).await?;
            tx.commit(Change::Advance(advance)).await.map_err(BoxError::from)
        };
        let outcome = outcome.await;
        self.store.release(&lease).await?;
        if outcome.is_ok() {
            self.numbering = numbering;
        }
        outcome
    }

    async fn reset(&mut self) -> Result<(), BoxError> {
        let key = CheckpointKey::new(self.projection.name(), self.intake.source.clone());
        let held = self.store.acquire(&key, &Owner::new("test"), LEASE).await?;
        let (lease, _) = held.ok_or("somebody else runs the projection")?;
        let mut tx = self.store.begin(&lease).await?;
        self.projection.reset(&mut tx).await?;
        tx.commit(Change::Reset).await?;
        self.numbering = Numbering::default();
        Ok(self.store.release(&lease).await?)
    }
}

/// Panics unless the events lead to the same read model however they are cut into two batches.
///
/// The engine cuts them as load and failures have it, so a projection must not depend on it.
/// `read` returns what is to be compared, from the fresh store that each cut gets.
pub async fn assert_cuts_do_not_matter<S, P, T>(
    fresh: impl AsyncFn() -> S,
    projection: impl Fn() -> P,
    events: &[RecordedEvent],
    read: impl AsyncFn(&S) -> T,
) where
    S: ProjectionStore,
    P: Projection<S>,
    T: PartialEq + fmt::Debug,
{
    let mut uncut = None;
    for cut in 0..events.len() {
        let (first, second) = events.split_at(cut);
        let test = ProjectionTest::new(fresh().await, projection());
        let test = test.given(first.to_vec()).await.when(second.to_vec()).await;
        let outcome = read(test.store()).await;
        match &uncut {
            None => uncut = Some(outcome),
            Some(uncut) => assert_eq!(outcome, *uncut, "cut before event {cut}, left, or not cut"),
        }
    }
}
