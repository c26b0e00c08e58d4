//! What can happen to users.

use highwater::{Event, StreamName};
use serde::{Deserialize, Serialize};

/// The stream of everything that happens to users.
pub(crate) const USERS: StreamName = StreamName::from_static("UserWorkflow");

/// Something that happened to a user.
///
/// Fields that another writer left out read as empty: to count users, none is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub(crate) enum UserEvent {
    UserAdded {
        #[serde(default)]
        user_id: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        email: String,
    },
    UserRemoved {
        #[serde(default)]
        user_id: String,
        /// Tells the request that removed the user from others that tried to.
        #[serde(default)]
        request_id: String,
    },
}

impl Event for UserEvent {}
