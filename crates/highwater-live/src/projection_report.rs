//! How a projection stands, as its followers are told.

use chrono::{DateTime, Utc};
use highwater_core::{Checkpoint, EventId, Lag, Offset, Payload, percent_complete};

/// One checkpoint of a projection, and what identifies this change of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) id: EventId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) checkpoint: Option<Offset>,
    pub(crate) data: Payload,
    state: State,
}

/// State of a checkpoint as followers are told; -1 stands for "nothing yet".
///
/// Its age is left out: it changes although nothing happens.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    projection_name: String,
    stream_name: String,
    checkpoint: i64,
    stream_head: i64,
    lag: u64,
    percent_complete: f64,
    events_processed: u64,
    updated_at: DateTime<Utc>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
    owner: Option<String>,
    rebuild_requested: bool,
}

impl State {
    pub(crate) fn of(row: &Checkpoint, head: Option<Offset>) -> Self {
        let at = row.last_processed_offset;
        Self {
            projection_name: row.key.projection.to_string(),
            stream_name: row.key.source.to_string(),
            checkpoint: Offset::to_sql(at),
            stream_head: Offset::to_sql(head),
            lag: Lag::between(at, head, None, Utc::now()).events,
            percent_complete: percent_complete(at, head),
            events_processed: row.events_processed,
            updated_at: row.last_updated,
            last_error: row.last_error.clone(),
            last_error_at: row.last_error_at,
            owner: row.owner.as_ref().map(|owner| owner.as_str().to_owned()),
            rebuild_requested: row.rebuild_requested,
        }
    }
}

impl Report {
    pub(crate) fn new(state: State, checkpoint: Option<Offset>) -> Self {
        let data = Payload::of(&state).expect("numbers and text can be written as JSON");
        Self { id: EventId::new(), at: Utc::now(), checkpoint, data, state }
    }

    /// Tells whether it tells the same as `state`.
    pub(crate) fn tells(&self, state: &State) -> bool {
        self.state == *state
    }
}
