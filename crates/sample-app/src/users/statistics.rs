//! `GET /api/projections/user-statistics`: how many users came, went and are there.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use highwater::console::Problem;
use highwater::{BoxError, ProjectionName, ProjectionStore, Recorded, Source, StoreError, View};
use serde::{Deserialize, Serialize};

use super::event::{USERS, UserEvent};

const NAME: ProjectionName = ProjectionName::from_static("user-statistics");

/// The key of the only document.
const KEY: &str = "all";

/// The view that counts users.
#[derive(Debug)]
pub(crate) struct UserStatistics;

/// What has been counted so far.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statistics {
    total_added: u64,
    total_removed: u64,
    last_updated: Option<DateTime<Utc>>,
}

impl View for UserStatistics {
    type Event = UserEvent;
    type Document = Statistics;

    fn name(&self) -> ProjectionName {
        NAME
    }

    fn source(&self) -> Source {
        USERS.into()
    }

    fn keys(&self, _: &Recorded<UserEvent>) -> impl IntoIterator<Item = String> {
        Some(KEY.to_owned())
    }

    fn apply(
        &self,
        statistics: &mut Statistics,
        _: &str,
        event: &Recorded<UserEvent>,
    ) -> Result<(), BoxError> {
        match event.data {
            UserEvent::UserAdded { .. } => statistics.total_added += 1,
            UserEvent::UserRemoved { .. } => statistics.total_removed += 1,
        }
        statistics.last_updated = Some(event.recorded_at);
        Ok(())
    }
}

pub(crate) fn routes<S: ProjectionStore>(store: S) -> Router {
    Router::new().route("/api/projections/user-statistics", get(show::<S>)).with_state(store)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatisticsBody {
    #[serde(flatten)]
    counted: Statistics,
    active_users: u64,
}

async fn show<S: ProjectionStore>(State(store): State<S>) -> Result<Json<StatisticsBody>, Problem> {
    let documents = store.documents(&NAME, &[KEY.to_owned()]).await?;
    let counted: Option<Statistics> = documents
        .first()
        .map(|document| document.data.to())
        .transpose()
        .map_err(|error| StoreError::Backend(error.into()))?;
    let counted = counted.unwrap_or_default();
    let active_users = counted.total_added.saturating_sub(counted.total_removed);
    Ok(Json(StatisticsBody { counted, active_users }))
}
