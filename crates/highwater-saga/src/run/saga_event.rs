//! What a saga tells the world: one event for each thing that a transition changes.

use chrono::{DateTime, Utc};
use highwater_core::{
    CorrelationId, EncodeError, Event, Metadata, NewEvent, SagaName, SagaProgress, SagaState,
    StepOutcome, StepRecord, StreamAppend, StreamName,
};
use serde::{Deserialize, Serialize};

/// Something that has become of a saga, in the stream `saga-{name}-{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum SagaEvent {
    /// It was created.
    SagaStarted {
        /// Its kind.
        saga_name: SagaName,
        /// The version of its definition.
        version: u32,
        /// The names of its steps.
        steps: Vec<String>,
    },
    /// A step has finished.
    StepCompleted(StepEvent),
    /// A step has failed and is tried again.
    StepRetried(StepEvent),
    /// A step was given up.
    StepFailed(StepEvent),
    /// A step was compensated.
    StepCompensated(StepEvent),
    /// A compensation has failed and is tried again.
    CompensationRetried(StepEvent),
    /// A compensation was given up.
    CompensationFailed(StepEvent),
    /// A compensation that was given up is left out.
    CompensationSkipped(StepEvent),
    /// The saga's state is another one.
    SagaStateChanged {
        /// The state that it was in.
        from: SagaState,
        /// The state that it is in.
        to: SagaState,
        /// Reason why it gave up or rests.
        reason: Option<String>,
    },
}

impl Event for SagaEvent {}

/// The step that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepEvent {
    /// Its name.
    pub step: String,
    /// Number of times it has been run.
    pub attempts: u32,
    /// Number of times it has been compensated.
    pub compensation_attempts: u32,
    /// Its last error.
    pub error: Option<String>,
    /// When the attempt ended, by the worker's clock.
    pub at: DateTime<Utc>,
}

/// The events, to be appended to the saga's stream.
pub(crate) fn append(
    stream: StreamName,
    correlation_id: &CorrelationId,
    events: &[SagaEvent],
) -> Result<Vec<StreamAppend>, EncodeError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let metadata = Metadata::EMPTY.with_correlation_id(correlation_id.as_str());
    let encode = |event| Ok(NewEvent::of(event)?.with_metadata(metadata.clone()));
    let events = events.iter().map(encode).collect::<Result<_, EncodeError>>()?;
    Ok(vec![StreamAppend::new(stream, events)])
}

/// Returns what has become of a saga between two transitions.
pub(crate) fn between(before: &SagaProgress, after: &SagaProgress) -> Vec<SagaEvent> {
    let old = before.steps.iter().map(Some).chain(std::iter::repeat(None));
    let mut events: Vec<_> =
        after.steps.iter().zip(old).filter_map(|(step, old)| of_step(old, step)).collect();
    if before.state != after.state {
        events.push(SagaEvent::SagaStateChanged {
            from: before.state,
            to: after.state,
            reason: after.error.clone(),
        });
    }
    events
}

fn of_step(before: Option<&StepRecord>, after: &StepRecord) -> Option<SagaEvent> {
    let outcome = before.map_or(StepOutcome::Pending, |step| step.outcome);
    let tried = |step: &StepRecord| (step.attempts, step.compensation_attempts);
    let (runs, compensations) = before.map_or((0, 0), tried);
    let event = StepEvent {
        step: after.step.clone(),
        attempts: after.attempts,
        compensation_attempts: after.compensation_attempts,
        error: after.error.clone(),
        at: after.finished_at,
    };
    match after.outcome {
        StepOutcome::Completed if outcome != after.outcome => Some(SagaEvent::StepCompleted(event)),
        StepOutcome::Failed if outcome != after.outcome => Some(SagaEvent::StepFailed(event)),
        StepOutcome::Compensated if outcome != after.outcome => {
            Some(SagaEvent::StepCompensated(event))
        }
        StepOutcome::Stuck if outcome != after.outcome => {
            Some(SagaEvent::CompensationFailed(event))
        }
        StepOutcome::Skipped if outcome != after.outcome => {
            Some(SagaEvent::CompensationSkipped(event))
        }
        _ if after.compensation_attempts > compensations => {
            Some(SagaEvent::CompensationRetried(event))
        }
        _ if after.attempts > runs => Some(SagaEvent::StepRetried(event)),
        _ => None,
    }
}
