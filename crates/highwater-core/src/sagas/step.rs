//! What has become of each step of a saga.

use chrono::{DateTime, Utc};

use crate::projections::Owner;

/// One step that a saga has come to; kept as JSON with the saga.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The step's name.
    pub step: String,
    /// Outcome.
    pub outcome: StepOutcome,
    /// True when an attempt ended without saying if it had an effect; it stays so.
    pub is_in_doubt: bool,
    /// Number of times it has been run; attempts that died with their worker are not counted.
    pub attempts: u32,
    /// Number of times it has been compensated, in vain or not.
    pub compensation_attempts: u32,
    /// Number of attempts in a row that were lost with their lease; the last of them is not counted
    /// until the saga is taken over.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lost_attempts: u32,
    /// Who began these attempts and has not been heard of since, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_owners: Vec<Owner>,
    /// True when an attempt was begun after others were lost.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_begun_again: bool,
    /// When its first recorded attempt began, by the worker's clock.
    pub started_at: DateTime<Utc>,
    /// When its last recorded attempt ended, by the worker's clock.
    pub finished_at: DateTime<Utc>,
    /// The last error of the step or of its compensation.
    pub error: Option<String>,
}

/// Outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum StepOutcome {
    /// It has been tried and has yet to finish.
    Pending,
    /// It has finished.
    Completed,
    /// It was given up.
    Failed,
    /// It was compensated.
    Compensated,
    /// Its compensation was given up.
    Stuck,
    /// Its compensation was given up, and somebody said to go on without it.
    Skipped,
}

impl StepRecord {
    /// Tells whether the step had an effect, or may have had one, that still stands.
    #[must_use]
    pub fn is_to_be_compensated(&self) -> bool {
        match self.outcome {
            StepOutcome::Completed | StepOutcome::Stuck => true,
            StepOutcome::Pending | StepOutcome::Failed => self.is_in_doubt,
            StepOutcome::Compensated | StepOutcome::Skipped => false,
        }
    }
}

fn is_none(attempts: &u32) -> bool {
    *attempts == 0
}

fn is_false(is_so: &bool) -> bool {
    !is_so
}
