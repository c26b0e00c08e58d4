//! A saga as JSON.

use chrono::{DateTime, Utc};
use highwater_core::{
    CorrelationId, Payload, SagaId, SagaName, SagaRecord, SagaRequest, SagaState, SignalKey,
    StepRecord, StreamName,
};
use serde::Serialize;

/// State of a saga, as the routes tell it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SagaBody {
    saga_id: SagaId,
    correlation_id: CorrelationId,
    saga_name: SagaName,
    version: u32,
    state: SagaState,
    /// Request that it has yet to do.
    request: Option<SagaRequest>,
    /// The steps that have finished and were not compensated, of all: `2/3`.
    progress: String,
    /// The step that is next, under way, or stuck; `null` once the saga has ended.
    current_step: Option<String>,
    waiting_for: Option<SignalKey>,
    total_steps: usize,
    /// The steps that it has come to, in order, and what has become of each.
    completed_steps: Vec<StepRecord>,
    data: Payload,
    /// Where it tells its transitions, if its definition has it do so.
    stream: Option<StreamName>,
    started_at: DateTime<Utc>,
    last_updated: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    error_message: Option<String>,
    /// Reason why the process that answers cannot run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
}

impl SagaBody {
    pub(crate) fn new(saga: SagaRecord, obstacle: Option<String>) -> Self {
        let is_final = saga.progress.state.is_final();
        let total_steps = saga.plan.len();
        Self {
            progress: format!("{}/{total_steps}", saga.progress.completed_steps()),
            current_step: saga.current_step().filter(|_| !is_final).map(str::to_owned),
            stream: StreamName::of_saga(&saga.name, &saga.id).ok(),
            saga_id: saga.id,
            correlation_id: saga.correlation_id,
            saga_name: saga.name,
            version: saga.version,
            state: saga.progress.state,
            request: saga.request,
            waiting_for: saga.progress.waiting_for,
            total_steps,
            completed_steps: saga.progress.steps,
            data: saga.progress.data,
            started_at: saga.started_at,
            last_updated: saga.last_updated,
            completed_at: saga.completed_at,
            error_message: saga.progress.error,
            obstacle,
        }
    }
}
