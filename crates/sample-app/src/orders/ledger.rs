//! Effects and what undid them, remembered on one stream for each order.

use std::sync::Arc;
use std::time::Duration;

use highwater::saga::{RetryPolicy, StepError};
use highwater::{
    EncodeError, Event, EventId, EventStore, EventStoreExt, Expected, InvalidName, Metadata,
    NewEvent, Offset, Source, StoreError, StreamName,
};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

const RUN_ATTEMPTS: u32 = 5;

/// More than of runs, a quarter of a minute: then the saga fails, and waits for a human.
const COMPENSATION_ATTEMPTS: u32 = 8;

/// Events read at a time.
const PAGE: usize = 100;

/// The name space of the ids that are made of idempotency keys.
const KEYS: Uuid = Uuid::from_u128(0x5e0b_6f5c_3a0e_4d07_9f59_0c8c_0f4e_7b21);

/// Makes each effect once, undoes it once, and never makes one that was undone.
///
/// Whatever it decides is an event whose id is made of the idempotency key, appended where the
/// stream was read to end: of two who decide at once the store lets one through. So it is right
/// on however many instances, and whichever of them are killed or wake up late.
#[derive(Clone)]
pub(super) struct Ledger {
    events: Arc<dyn EventStore>,
    /// How long the way there and back takes.
    delay: Duration,
}

/// One effect, and where it is kept.
pub(super) struct Effect<'a> {
    /// Such as `inventory`; with the order it names the stream.
    pub(super) category: &'static str,
    /// What it is called, such as `reservation`.
    pub(super) noun: &'static str,
    pub(super) order_id: &'a str,
    /// The idempotency key of the step that makes it.
    pub(super) key: &'a str,
}

/// An effect as its events name it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) order_id: String,
    pub(super) key: String,
}

/// Why nothing was decided; the effect may stand either way.
#[derive(Debug, thiserror::Error)]
enum LedgerError {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How an effect stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    Made,
    Undone,
}

impl Ledger {
    pub(super) fn new(events: Arc<dyn EventStore>, delay: Duration) -> Self {
        Self { events, delay }
    }

    /// Lets half of the time pass that a service takes.
    pub(super) async fn travel(&self) {
        sleep(self.delay / 2).await;
    }

    /// How long one attempt may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(30) + self.delay
    }

    /// Makes the effect, which `event` tells the store of and `said` the log; its id.
    ///
    /// Aborts when the effect was undone: whoever asks for it now comes too late.
    pub(super) async fn make<E: Event>(
        &self,
        effect: &Effect<'_>,
        event: &E,
        said: &str,
    ) -> Result<Uuid, StepError> {
        self.travel().await;
        let Effect { noun, order_id: order, key, .. } = *effect;
        let (standing, end) = self.standing(effect).await?;
        let id = effect.made_id();
        match standing {
            Standing::Open => {
                self.enter(effect, end, event, id).await?;
                tracing::info!(order, key, "{said}");
            }
            Standing::Made => tracing::info!(order, key, "the {noun} was made before"),
            Standing::Undone => {
                tracing::warn!(order, key, "a late {noun} is refused");
                return Err(StepError::abort(format!("the {noun} of order {order:?} was undone")));
            }
        }
        self.travel().await;
        Ok(id.as_uuid())
    }

    /// Undoes the effect, which `undone` tells the store of and `said` the log.
    ///
    /// Where there is nothing to undo, `cancelled` says so in the store, and there never will be: a
    /// worker that was frozen may still be about to make the effect.
    pub(super) async fn undo<E: Event>(
        &self,
        effect: &Effect<'_>,
        undone: &E,
        cancelled: &E,
        said: &str,
    ) -> Result<(), StepError> {
        self.travel().await;
        let Effect { noun, order_id: order, key, .. } = *effect;
        let (standing, end) = self.standing(effect).await?;
        match standing {
            Standing::Made => {
                self.enter(effect, end, undone, effect.undone_id()).await?;
                tracing::info!(order, key, "{said}");
            }
            Standing::Undone => tracing::info!(order, key, "the {noun} was undone before"),
            Standing::Open => {
                self.enter(effect, end, cancelled, effect.undone_id()).await?;
                tracing::info!(order, key, "no {noun} to undo, and none will be made");
            }
        }
        self.travel().await;
        Ok(())
    }

    /// How the effect stands, and where the stream ends.
    ///
    /// Goes by the ids of events, so that it matters nothing what else is in the stream.
    async fn standing(
        &self,
        effect: &Effect<'_>,
    ) -> Result<(Standing, Option<Offset>), LedgerError> {
        let source = Source::Stream(effect.stream()?);
        let (mut standing, mut end) = (Standing::Open, None);
        loop {
            let page = self.events.read(&source, &[], end, PAGE).await?;
            for event in &page.events {
                if event.id == effect.undone_id() {
                    standing = Standing::Undone;
                } else if event.id == effect.made_id() {
                    standing = Standing::Made;
                }
            }
            end = page.scanned_to.max(end);
            if page.is_end {
                return Ok((standing, end));
            }
        }
    }

    /// Appends the event behind `end`, unless somebody was faster.
    async fn enter<E: Event>(
        &self,
        effect: &Effect<'_>,
        end: Option<Offset>,
        event: &E,
        id: EventId,
    ) -> Result<(), LedgerError> {
        let metadata =
            Metadata::EMPTY.with_correlation_id(effect.order_id).with_causation_id(effect.key);
        let event = NewEvent::of(event)?.with_id(id).with_metadata(metadata);
        let expected = end.map_or(Expected::NoStream, Expected::At);
        self.events.append_to(effect.stream()?, expected, vec![event]).await?;
        Ok(())
    }
}

impl Effect<'_> {
    pub(super) fn entry(&self) -> Entry {
        Entry { order_id: self.order_id.to_owned(), key: self.key.to_owned() }
    }

    fn stream(&self) -> Result<StreamName, InvalidName> {
        StreamName::new(format!("{}-{}", self.category, self.order_id))
    }

    fn made_id(&self) -> EventId {
        self.id("made")
    }

    fn undone_id(&self) -> EventId {
        self.id("undone")
    }

    fn id(&self, what: &str) -> EventId {
        EventId::from_uuid(Uuid::new_v5(&KEYS, format!("{}#{what}", self.key).as_bytes()))
    }
}

/// Retries of a step on a ledger.
pub(super) fn retry(error: &StepError) -> RetryPolicy {
    retry_up_to(error, RUN_ATTEMPTS)
}

/// Retries of a compensation on a ledger.
pub(super) fn retry_compensation(error: &StepError) -> RetryPolicy {
    retry_up_to(error, COMPENSATION_ATTEMPTS)
}

/// As many attempts as it takes when the store is away or somebody else was faster, which says
/// nothing about the order, and else so many.
fn retry_up_to(error: &StepError, max_attempts: u32) -> RetryPolicy {
    let max_attempts = match error.source().downcast_ref() {
        Some(LedgerError::Store(StoreError::Unavailable(_) | StoreError::Conflict { .. })) => {
            u32::MAX
        }
        _ => max_attempts,
    };
    RetryPolicy::attempts(max_attempts)
}
