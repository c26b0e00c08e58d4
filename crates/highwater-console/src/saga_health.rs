//! Whether sagas go on by themselves.

use chrono::{TimeDelta, Utc};
use highwater_core::{Health, SagaQuery, SagaState, StoreError};
use serde::Serialize;

use crate::Console;

/// Sagas are counted up to here: who asks every few seconds must not read thousands of them.
const COUNTED: usize = 100;

/// Degraded at worst: other instances could help no more than this one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SagaHealth {
    pub(crate) status: Health,
    /// Those that wait for a human to say retry or skip; 100 stands for more.
    failed: usize,
    /// Those that nobody has taken up for as long as an event may wait: nobody runs them, or too
    /// few do; 100 stands for more.
    not_taken_up: usize,
}

impl SagaHealth {
    /// How the sagas that the console shows stand, if it shows any.
    pub(crate) async fn of(console: &Console) -> Result<Option<Self>, StoreError> {
        let Some(sagas) = &console.sagas else { return Ok(None) };
        let age = TimeDelta::from_std(console.thresholds.degraded_age).unwrap_or(TimeDelta::MAX);
        let in_state =
            |state| SagaQuery { state: Some(state), limit: COUNTED, ..SagaQuery::default() };
        let failed = sagas.sagas(&in_state(SagaState::Failed)).await?.len();
        let not_taken_up = match Utc::now().checked_sub_signed(age) {
            None => 0,
            until => {
                let waiting = SagaQuery { until, ..in_state(SagaState::NotStarted) };
                sagas.sagas(&waiting).await?.len()
            }
        };
        let status = match (failed, not_taken_up) {
            (0, 0) => Health::Healthy,
            _ => Health::Degraded,
        };
        Ok(Some(Self { status, failed, not_taken_up }))
    }
}
