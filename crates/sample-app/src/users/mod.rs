//! `/api/users`: adds and removes users, also those that others have added.
//!
//! The id of the event that removes a user is made of what added the user. So the store itself, by
//! its rule that an id stands for one event, lets one of many concurrent removals through, on
//! however many instances.

pub(crate) mod directory;
pub(crate) mod event;
pub(crate) mod statistics;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use highwater::console::{JsonBody, Object, Problem};
use highwater::{EventId, EventStore, EventStoreExt, Expected, NewEvent, Offset, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::retry::patiently;
use crate::users::directory::UserDirectory;
use crate::users::event::{USERS, UserEvent};

const NAME_CHARS_MAX: usize = 200;

/// The longest address that can be written in a mail's envelope.
const EMAIL_BYTES_MAX: usize = 254;

/// How long a request waits for a store that is briefly away.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest id of a user that is looked for.
const ID_BYTES_MAX: usize = 1_000;

/// What the routes work on; clones share it.
#[derive(Clone)]
struct Users {
    events: Arc<dyn EventStore>,
    directory: Arc<Mutex<UserDirectory>>,
}

pub(crate) fn routes(events: Arc<dyn EventStore>) -> Router {
    let users = Users { events, directory: Arc::default() };
    Router::new()
        .route("/api/users", post(add))
        .route("/api/users/{user_id}", delete(remove))
        .with_state(users)
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    email: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserBody {
    user_id: String,
    offset: Offset,
}

async fn add(
    State(users): State<Users>,
    JsonBody(Object(user)): JsonBody<Object<NewUser>>,
) -> Result<(StatusCode, Json<UserBody>), Problem> {
    let NewUser { name, email } = user;
    check("name", &name, is_name)?;
    check("email", &email, is_email)?;
    let id = Uuid::now_v7();
    let user_id = id.to_string();
    let added = UserEvent::UserAdded { user_id: user_id.clone(), name, email };
    let offset = users.record(&added, added_id(id)).await?;
    Ok((StatusCode::CREATED, Json(UserBody { user_id, offset })))
}

async fn remove(
    State(users): State<Users>,
    user_id: Result<Path<String>, PathRejection>,
) -> Result<Json<UserBody>, Problem> {
    let Path(asked) = user_id?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no user {asked:?}"));
    if asked.len() > ID_BYTES_MAX {
        return Err(unknown());
    }
    let (user_id, added) = users.find(&asked).await?.ok_or_else(unknown)?;
    let request_id = Uuid::now_v7().to_string();
    let removed = UserEvent::UserRemoved { user_id: user_id.clone(), request_id };
    match users.record(&removed, removed_id(&user_id, added)).await {
        Ok(offset) => Ok(Json(UserBody { user_id, offset })),
        // Somebody else was faster.
        Err(StoreError::EventIdTaken { .. }) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}

impl Users {
    /// The user's id as it was written, and the event that has added the user.
    async fn find(&self, asked: &str) -> Result<Option<(String, EventId)>, StoreError> {
        // A UUID is the same however it is spelled; this program writes it in small letters.
        let uuid = Uuid::parse_str(asked).ok().map(|uuid| uuid.to_string());
        let spellings = std::iter::once(asked.to_owned()).chain(uuid);
        for spelling in spellings {
            let look =
                || async { self.directory.lock().await.added(&*self.events, &spelling).await };
            if let Some(added) = patiently(PATIENCE, look).await? {
                return Ok(Some((spelling, added)));
            }
        }
        Ok(None)
    }

    /// Appends the event, once however often an answer is lost.
    async fn record(&self, event: &UserEvent, id: EventId) -> Result<Offset, StoreError> {
        let event = NewEvent::of(event).map_err(|error| StoreError::invalid(error.to_string()))?;
        let event = event.with_id(id);
        let append = || self.events.append_to(USERS, Expected::Any, vec![event.clone()]);
        Ok(patiently(PATIENCE, append).await?.first)
    }
}

fn added_id(user_id: Uuid) -> EventId {
    EventId::from_uuid(Uuid::new_v5(&user_id, b"UserAdded"))
}

/// A user that came back after a removal was added by another event, and can be removed again.
fn removed_id(user_id: &str, added: EventId) -> EventId {
    let own = Uuid::parse_str(user_id).ok().filter(|id| added_id(*id) == added);
    EventId::from_uuid(Uuid::new_v5(&own.unwrap_or(added.as_uuid()), b"UserRemoved"))
}

fn check(field: &str, text: &str, is_valid: fn(&str) -> bool) -> Result<(), Problem> {
    if is_valid(text) {
        return Ok(());
    }
    let detail = format!("{field} is empty, too long or malformed");
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("field", field))
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.contains(char::is_control)
}

/// Whether mail could go there; only sending one can tell more.
fn is_email(email: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.');
    email.len() <= EMAIL_BYTES_MAX
        && !email.contains(|c: char| c.is_whitespace() || c.is_control())
        && email.rsplit_once('@').is_some_and(|(local, domain)| {
            is_part(local) && !local.contains('@') && is_part(domain) && !domain.contains("..")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_has_a_local_part_and_a_domain() {
        for good in ["ada@example.com", "a+b@localhost", "ä@exämple.org"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(EMAIL_BYTES_MAX));
        for bad in ["", "ada", "@b", "a@", "a@b@c", "a b@c", "a@.c", "a@b..c", &long] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_is_not_blank_and_has_at_most_200_characters() {
        assert!(is_name(&"ü".repeat(NAME_CHARS_MAX)));
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        for bad in ["", " \t", "a\nb", &long] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
