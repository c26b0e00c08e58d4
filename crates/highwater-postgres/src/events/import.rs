//! Imports: many events at once, each of them once.

use std::collections::{HashMap, HashSet};

use highwater_core::backend::append_rules;
use highwater_core::{
    EventId, Imported, NewEvent, Position, RecordedEvent, StoreError, StreamName,
};
use tokio::time::Instant;

use super::commit::Answer;
use super::group::Group;
use crate::database::handle::Database;

impl Database {
    /// Appends what is new of `events`, in their order, by `deadline`.
    pub(crate) async fn import(
        &self,
        events: &[(StreamName, NewEvent)],
        deadline: Instant,
    ) -> Result<Imported, StoreError> {
        append_rules::check_events(events.iter().map(|(_, event)| event), &self.options.limits)?;
        let mut new: Vec<&(StreamName, NewEvent)> = events.iter().collect();
        while !new.is_empty() {
            let mut group = Group::default();
            new.iter().for_each(|(stream, event)| group.push(stream, event));
            match self.call(&group, deadline).await? {
                Answer::Done(done) => {
                    self.announce(Position::from_sql(done.last)?);
                    break;
                }
                Answer::Refused { known, .. } => {
                    let known = self.compare(&new, &known, deadline).await?;
                    new.retain(|(_, event)| !known.contains(&event.id));
                }
            }
        }
        let (all, appended) = (events.len() as u64, new.len() as u64);
        Ok(Imported { appended, known: all - appended })
    }

    /// The ids among `known`, when each stands for just the event that is to be imported.
    async fn compare(
        &self,
        new: &[&(StreamName, NewEvent)],
        known: &[EventId],
        deadline: Instant,
    ) -> Result<HashSet<EventId>, StoreError> {
        let ids = known.iter().map(|id| id.as_uuid()).collect();
        let recorded = self.recorded(ids, deadline).await?;
        let recorded: HashMap<EventId, RecordedEvent> =
            recorded.into_iter().map(|event| (event.id, event)).collect();
        for (stream, event) in new {
            let recorded = recorded.get(&event.id);
            if recorded.is_some_and(|recorded| !append_rules::is_same(stream, event, recorded)) {
                return Err(StoreError::EventIdTaken { id: event.id });
            }
        }
        Ok(recorded.into_keys().collect())
    }
}
