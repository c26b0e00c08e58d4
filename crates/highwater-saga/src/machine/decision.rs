//! Transitions, and how the progress of a saga changes in them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{SagaProgress, SagaRequest, SagaState, StepOutcome, StepRecord};

use super::Stage;

/// A transition to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) progress: SagaProgress,
    pub(crate) timer: Option<Duration>,
    pub(crate) then: Then,
    /// True when the signal in hand is used up.
    pub(crate) consumes: bool,
}

/// Next act after a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The same worker goes on.
    Continue,
    /// The saga sleeps until its timer, its deadline, a signal or a request.
    Sleep,
    /// The saga rests until a request, or for ever.
    Rest,
}

impl Decision {
    /// Cuts what would be too long for the store, or for an event.
    pub(crate) fn cut_texts(&mut self) {
        let SagaProgress { steps, error, .. } = &mut self.progress;
        let texts = steps.iter_mut().filter_map(|step| step.error.as_mut());
        texts.chain(error.as_mut()).for_each(storable);
    }

    /// The move as it is when the saga has been asked this meanwhile.
    pub(crate) fn under(self, request: Option<SagaRequest>, plan: &[(String, Stage)]) -> Self {
        let is_moving = !self.progress.state.is_at_rest();
        match request {
            Some(SagaRequest::Pause) if is_moving => {
                let progress = SagaProgress { state: SagaState::Paused, ..self.progress };
                Self { progress, then: Then::Rest, ..self }
            }
            Some(SagaRequest::Cancel) if !self.progress.is_unwinding => {
                give_up(self, plan, "cancelled")
            }
            _ => self,
        }
    }
}

/// The longest error that is kept, in bytes.
pub(crate) const TEXT_MAX: usize = 4 << 10;

/// The text without what not every database has, and no longer than it need be.
fn storable(text: &mut String) {
    if text.contains('\0') {
        // The same is told from here as from there.
        *text = text.replace('\0', "\u{fffd}");
    }
    if text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text.push_str(" […]");
    }
}

/// When an attempt began and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: DateTime<Utc>,
}

/// The state of a saga that does not rest.
pub(super) fn moving(is_unwinding: bool) -> SagaState {
    if is_unwinding { SagaState::Compensating } else { SagaState::Running }
}

/// An attempt at the step has come back, whatever it has come to.
pub(super) fn come_back(step: &mut StepRecord) {
    (step.lost_attempts, step.is_begun_again) = (0, false);
    step.lost_owners.clear();
}

pub(super) fn is_stuck(step: &StepRecord) -> bool {
    step.outcome == StepOutcome::Stuck
}

/// The entry of a step, made when the saga comes to it first.
pub(super) fn entry<'a>(
    progress: &'a mut SagaProgress,
    plan: &[(String, Stage)],
    at: usize,
    times: Times,
) -> &'a mut StepRecord {
    while progress.steps.len() <= at {
        let name = plan.get(progress.steps.len()).map(|(name, _)| name.clone());
        progress.steps.push(StepRecord {
            step: name.unwrap_or_default(),
            outcome: StepOutcome::Pending,
            is_in_doubt: false,
            attempts: 0,
            compensation_attempts: 0,
            lost_attempts: 0,
            lost_owners: Vec::new(),
            is_begun_again: false,
            started_at: times.started_at,
            finished_at: times.finished_at,
            error: None,
        });
    }
    let entry = &mut progress.steps[at];
    entry.finished_at = times.finished_at;
    entry
}

/// The newest step whose effect stands, or may stand.
pub(super) fn newest_effect(progress: &SagaProgress, plan: &[(String, Stage)]) -> Option<usize> {
    let steps = progress.steps.iter().zip(plan);
    steps.enumerate().rev().find_map(|(at, (step, (_, stage)))| {
        let has_effect = matches!(stage, Stage::Step | Stage::Opening);
        (has_effect && step.is_to_be_compensated()).then_some(at)
    })
}

/// On to the next step, or to the end.
pub(super) fn advance(mut made: Decision, plan: &[(String, Stage)]) -> Decision {
    let progress = &mut made.progress;
    progress.error = None;
    progress.waiting_for = None;
    progress.current_step = index(progress.steps.len());
    let is_last = progress.steps.len() >= plan.len();
    (progress.state, made.then) = if is_last {
        (SagaState::Completed, Then::Rest)
    } else {
        (SagaState::Running, Then::Continue)
    };
    Decision { timer: None, ..made }
}

/// Gives up, and on to the first compensation.
pub(super) fn give_up(mut made: Decision, plan: &[(String, Stage)], reason: &str) -> Decision {
    turn_round(&mut made.progress);
    made.progress.error = Some(reason.to_owned());
    unwind(made, plan)
}

/// From now on the saga compensates.
pub(super) fn turn_round(progress: &mut SagaProgress) {
    progress.is_unwinding = true;
    progress.waiting_for = None;
    progress.steps.iter_mut().for_each(come_back);
    for step in progress.steps.iter_mut().filter(|step| step.outcome == StepOutcome::Pending) {
        step.outcome = StepOutcome::Failed;
    }
}

/// On to the next compensation, or to the end.
pub(super) fn unwind(mut made: Decision, plan: &[(String, Stage)]) -> Decision {
    let progress = &mut made.progress;
    (progress.state, made.then) = match newest_effect(progress, plan) {
        Some(at) => {
            progress.current_step = index(at);
            (SagaState::Compensating, Then::Continue)
        }
        None => (SagaState::Compensated, Then::Rest),
    };
    Decision { timer: None, ..made }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
