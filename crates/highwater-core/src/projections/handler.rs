//! Handlers: side effects outside the store, such as mails and calls to other systems.

use std::fmt;
use std::future::Future;

use crate::error::BoxError;
use crate::events::{Decode, EventId, Recorded, Upcasters};
use crate::name::ProjectionName;
use crate::source::Source;

/// Reacts to each event with a side effect, at least once and in order.
///
/// The checkpoint is saved after the effect. A crash in between repeats the effect with the same
/// [`IdempotencyKey`], by which the other side can tell.
///
/// ```
/// use highwater_core::{
///     BoxError, Event, Handler, IdempotencyKey, ProjectionName, Recorded, Source,
/// };
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(tag = "type", content = "data")]
/// # enum Account { Deposited(i64) }
/// # impl Event for Account {}
///
/// struct Mails;
///
/// impl Handler for Mails {
///     type Event = Account;
///
///     fn name(&self) -> ProjectionName {
///         ProjectionName::from_static("mails")
///     }
///
///     fn source(&self) -> Source {
///         Source::All
///     }
///
///     async fn handle(&self, event: &Recorded<Account>, key: &IdempotencyKey) -> Result<(), BoxError> {
///         println!("mail about {} under {key}", event.stream);
///         Ok(())
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// The events: an [`Event`](crate::events::Event) enum, or [`Payload`](crate::events::Payload) for any.
    type Event: Decode;

    /// The name under which the checkpoint is kept.
    fn name(&self) -> ProjectionName;

    /// Returns what the handler follows.
    fn source(&self) -> Source;

    /// Carries out the effect of one event.
    fn handle(
        &self,
        event: &Recorded<Self::Event>,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Tells whether a rebuild, which repeats every effect, is allowed; it is not by default.
    fn can_rebuild(&self) -> bool {
        false
    }

    /// Brings old events up to date before they are decoded; none by default.
    fn upcasters(&self) -> Upcasters {
        Upcasters::new()
    }
}

/// Identifies one effect: the same for every attempt at one event by one handler.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key of what `projection` does about the event.
    #[must_use]
    pub fn new(projection: &ProjectionName, event: EventId) -> Self {
        Self(format!("{projection}/{event}"))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
