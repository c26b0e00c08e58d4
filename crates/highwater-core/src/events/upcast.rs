//! Upcasting: bring old payloads up to date before they are decoded.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{Payload, RecordedEvent};
use crate::error::BoxError;
use crate::name::EventType;

type Upgrade = Arc<dyn Fn(Value) -> Result<Value, BoxError> + Send + Sync>;

/// An ordered chain of upgrades, from the oldest form of an event to today's.
///
/// The stored event is never changed: readers see it as if it had been written today. Each
/// step is tried once, in the order of the chain, on events whose type is its `from`.
///
/// ```
/// use highwater_core::{EventType, Upcasters};
/// let upcasters = Upcasters::new()
///     .rename(EventType::from_static("UserCreated"), EventType::from_static("UserAdded"))
///     .payload(EventType::from_static("UserAdded"), |mut user| {
///         if user.get("email").is_none() {
///             user["email"] = "".into();
///         }
///         Ok(user)
///     });
/// ```
#[derive(Clone, Default)]
pub struct Upcasters(Vec<Step>);

#[derive(Clone)]
struct Step {
    from: EventType,
    to: EventType,
    upgrade: Option<Upgrade>,
}

impl Upcasters {
    /// A chain without steps, which changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets events of type `from` be read as type `to`, their payload unchanged.
    #[must_use]
    pub fn rename(mut self, from: EventType, to: EventType) -> Self {
        self.0.push(Step { from, to, upgrade: None });
        self
    }

    /// Reshapes the payload of every event of this type; it sees old and new payloads alike.
    #[must_use]
    pub fn payload(
        mut self,
        event_type: EventType,
        upgrade: impl Fn(Value) -> Result<Value, BoxError> + Send + Sync + 'static,
    ) -> Self {
        let (from, to) = (event_type.clone(), event_type);
        self.0.push(Step { from, to, upgrade: Some(Arc::new(upgrade)) });
        self
    }

    /// The event in today's form; untouched when no step fits its type.
    pub fn upcast(&self, mut event: RecordedEvent) -> Result<RecordedEvent, BoxError> {
        for step in &self.0 {
            if step.from != event.event_type {
                continue;
            }
            if let Some(upgrade) = &step.upgrade {
                event.data = Payload::from(upgrade(event.data.to()?)?);
            }
            event.event_type = step.to.clone();
        }
        Ok(event)
    }

    /// The stored types from which events of the types `wanted` can come, `wanted` included.
    #[must_use]
    pub fn sources(&self, wanted: &[EventType]) -> Vec<EventType> {
        let mut all = wanted.to_vec();
        for step in self.0.iter().rev() {
            if all.contains(&step.to) && !all.contains(&step.from) {
                all.push(step.from.clone());
            }
        }
        all
    }

    /// Tells whether the chain has no steps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|step| (&step.from, &step.to))).finish()
    }
}
