//! `/api/users`: adds and removes users; what it decides, it decides on the event store.
//!
//! The ids of a user's two events are made from the user's id. So the store itself, by its rule
//! that an id stands for one event, answers whether a user was ever added and lets one of many
//! concurrent removals through: without reading the stream, and on however many instances.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};
use highwater::console::{JsonBody, Object, Problem};
use highwater::{
    EventId, EventStore, EventStoreExt, EventType, Expected, NewEvent, Offset, Payload, StoreError,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::retry::patiently;
use crate::user_event::{USERS, UserEvent};

const NAME_CHARS_MAX: usize = 200;

/// The longest address that can be written in a mail's envelope.
const EMAIL_BYTES_MAX: usize = 254;

/// How long a request waits for a store that is briefly away.
const PATIENCE: Duration = Duration::from_secs(2);

/// An offset that no stream reaches.
const NEVER: Expected = Expected::At(Offset::new(1 << 60));

type Events = Arc<dyn EventStore>;

pub(crate) fn routes(events: Events) -> Router {
    Router::new()
        .route("/api/users", post(add))
        .route("/api/users/{user_id}", delete(remove))
        .with_state(events)
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    email: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserBody {
    user_id: Uuid,
    offset: Offset,
}

async fn add(
    State(events): State<Events>,
    JsonBody(Object(user)): JsonBody<Object<NewUser>>,
) -> Result<(StatusCode, Json<UserBody>), Problem> {
    let NewUser { name, email } = user;
    check("name", &name, is_name)?;
    check("email", &email, is_email)?;
    let user_id = Uuid::now_v7();
    let added = UserEvent::UserAdded { user_id: user_id.to_string(), name, email };
    let offset = record(&events, &added, added_id(user_id)).await?;
    Ok((StatusCode::CREATED, Json(UserBody { user_id, offset })))
}

async fn remove(
    State(events): State<Events>,
    user_id: Result<Path<String>, PathRejection>,
) -> Result<Json<UserBody>, Problem> {
    let Path(user_id) = user_id?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, format!("there is no user {user_id:?}"));
    let id = Uuid::parse_str(&user_id).map_err(|_| unknown())?;
    if !was_added(&events, id).await? {
        return Err(unknown());
    }
    let request_id = Uuid::now_v7().to_string();
    let removed = UserEvent::UserRemoved { user_id: id.to_string(), request_id };
    match record(&events, &removed, removed_id(id)).await {
        Ok(offset) => Ok(Json(UserBody { user_id: id, offset })),
        Err(StoreError::IdTaken { .. }) => Err(unknown()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a user with this id was ever added.
///
/// Asks by an append that cannot succeed: the store finds either that the event id is taken,
/// or that the stream is not at an offset it never reaches.
async fn was_added(events: &Events, user_id: Uuid) -> Result<bool, StoreError> {
    let probe = NewEvent::new(EventType::from_static("UserAdded"), Payload::from_stored("null"))
        .with_id(added_id(user_id));
    let append = || events.append_to(USERS, NEVER, vec![probe.clone()]);
    match patiently(PATIENCE, append).await {
        Ok(_) | Err(StoreError::IdTaken { .. }) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Appends the event, once however often an answer is lost.
async fn record(events: &Events, event: &UserEvent, id: EventId) -> Result<Offset, StoreError> {
    let event = NewEvent::of(event).map_err(|error| StoreError::invalid(error.to_string()))?;
    let event = event.with_id(id);
    let append = || events.append_to(USERS, Expected::Any, vec![event.clone()]);
    Ok(patiently(PATIENCE, append).await?.first)
}

fn added_id(user_id: Uuid) -> EventId {
    EventId::from_uuid(Uuid::new_v5(&user_id, b"UserAdded"))
}

fn removed_id(user_id: Uuid) -> EventId {
    EventId::from_uuid(Uuid::new_v5(&user_id, b"UserRemoved"))
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
