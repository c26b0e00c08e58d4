//! Who is a user now, by whichever program it was written.

use std::collections::HashMap;

use highwater::{EventId, EventStore, EventType, Offset, Recorded, Source, StoreError};
use uuid::Uuid;

use super::event::{USERS, UserEvent};

/// Events read at a time.
const PAGE: usize = 500;

/// Users that are kept in mind, about 100 bytes each; of more, each question reads the stream.
const KNOWN_MAX: usize = 500_000;

/// The users that there are, as far as the stream has been read; reading on is cheap.
///
/// What other programs and imports append counts as what this one does: it goes by the `userId`
/// in the events.
#[derive(Debug, Default)]
pub(crate) struct UserDirectory {
    read_to: Option<Offset>,
    /// The event that added each user who is there, by what is left of the user's id.
    present: HashMap<Uuid, EventId>,
    is_full: bool,
}

/// The name space of what is left of the ids, which may be of any length.
const IDS: Uuid = Uuid::from_u128(0x86a0_31d4_5a56_4cc0_9b0f_2b7d_c9b9_5c11);

impl UserDirectory {
    /// The event that added the user, when the user is there at the end of the stream.
    pub(crate) async fn added(
        &mut self,
        events: &dyn EventStore,
        user_id: &str,
    ) -> Result<Option<EventId>, StoreError> {
        let wanted = key(user_id);
        if self.is_full {
            // What there is no room for is read again; nothing is kept of it.
            let mut all = Self::default();
            all.read_on(events, Some(wanted)).await?;
            return Ok(all.present.remove(&wanted));
        }
        self.read_on(events, None).await?;
        if self.is_full {
            self.present = HashMap::new();
            return Box::pin(self.added(events, user_id)).await;
        }
        Ok(self.present.get(&wanted).copied())
    }

    async fn read_on(
        &mut self,
        events: &dyn EventStore,
        only: Option<Uuid>,
    ) -> Result<(), StoreError> {
        let types = [EventType::from_static("UserAdded"), EventType::from_static("UserRemoved")];
        loop {
            let page = events.read(&Source::Stream(USERS), &types, self.read_to, PAGE).await?;
            // One that cannot be decoded is nobody: it is in the dead letters of the statistics.
            let decoded = page.events.into_iter().filter_map(|event| event.decode().ok());
            decoded.for_each(|event| self.apply(&event, only));
            self.read_to = page.scanned_to.max(self.read_to);
            if page.is_end || self.is_full {
                return Ok(());
            }
        }
    }

    fn apply(&mut self, event: &Recorded<UserEvent>, only: Option<Uuid>) {
        let (UserEvent::UserAdded { user_id, .. } | UserEvent::UserRemoved { user_id, .. }) =
            &event.data;
        let user = key(user_id);
        if user_id.is_empty() || only.is_some_and(|only| only != user) {
            return;
        }
        match event.data {
            UserEvent::UserAdded { .. } => self.present.insert(user, event.id),
            UserEvent::UserRemoved { .. } => self.present.remove(&user),
        };
        self.is_full = self.present.len() > KNOWN_MAX;
    }
}

fn key(user_id: &str) -> Uuid {
    Uuid::new_v5(&IDS, user_id.as_bytes())
}
