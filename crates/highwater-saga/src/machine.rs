//! What a saga does next: pure decisions, no I/O, no clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{
    Payload, SagaProgress, SagaRequest, SagaState, SignalKey, StepOutcome, StepRecord,
};

/// What kind of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has an effect, and can be compensated.
    Step,
    /// It waits for a signal.
    Wait,
    /// It lets time pass.
    Delay(Duration),
}

/// Where a saga stands, as far as it matters for what comes next.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) plan: Vec<(String, Stage)>,
    pub(crate) progress: SagaProgress,
    /// What is left of the timer; zero once it has run out, `None` when none was set.
    pub(crate) timer: Option<Duration>,
    pub(crate) is_past_deadline: bool,
    pub(crate) has_signal: bool,
    pub(crate) now: DateTime<Utc>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try this, then ask [`Standing::after`].
    Try(Attempt),
    /// Record this.
    Write(Move),
}

/// Something that only the user's code can answer, about the step with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Run(usize),
    Compensate(usize),
    /// Ask what it waits for.
    Await(usize),
    /// Take the signal in.
    Receive(usize),
    /// Say that the time for the signal is up.
    TimeOut(usize),
}

/// What an attempt has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It succeeded, and left the user's state like this.
    Done(Payload),
    /// It failed, and is tried again after a while or, with `None`, given up.
    Failed { error: String, is_in_doubt: bool, retry_in: Option<Duration> },
    /// The saga is to rest until this signal comes, or the time is up.
    Waiting { key: SignalKey, timeout: Option<Duration> },
    /// The user's code cannot read the saga: it is to be paused, with this explanation.
    Unreadable(String),
}

/// A transition to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) progress: SagaProgress,
    pub(crate) timer: Option<Duration>,
    pub(crate) then: Then,
    /// Whether the signal in hand is used up.
    pub(crate) consumes: bool,
}

/// What follows a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The same worker goes on.
    Continue,
    /// The saga sleeps until its timer, its deadline, a signal or a request.
    Sleep,
    /// The saga rests until a request, or for ever.
    Rest,
}

impl Standing {
    /// What comes next, given what the saga has been asked.
    pub(crate) fn next(&self, request: Option<SagaRequest>) -> Next {
        use SagaState::{Failed, Paused};
        let state = self.progress.state;
        match request {
            Some(SagaRequest::Resume) if state == Paused => Next::Write(self.resumed()),
            Some(SagaRequest::Retry) if state == Failed => Next::Write(self.retried()),
            Some(SagaRequest::Skip) if state == Failed => Next::Write(self.skipped()),
            Some(request) => Next::Write(self.stay().under(Some(request), &self.plan)),
            None if state.is_at_rest() => Next::Write(self.stay()),
            None if self.progress.is_unwinding => self.backward(),
            None => self.forward(),
        }
    }

    /// What a step's attempt leads to.
    pub(crate) fn after(&self, attempt: Attempt, outcome: Outcome, times: Times) -> Move {
        match (attempt, outcome) {
            (_, Outcome::Unreadable(error)) => self.unreadable(error),
            (_, Outcome::Waiting { key, timeout }) => self.waiting(key, timeout),
            (Attempt::Compensate(at), outcome) => self.compensated(at, outcome, times),
            (Attempt::Receive(at), outcome) => {
                Move { consumes: true, ..self.ran(at, outcome, times) }
            }
            (Attempt::Run(at) | Attempt::Await(at) | Attempt::TimeOut(at), outcome) => {
                self.ran(at, outcome, times)
            }
        }
    }

    /// Takes into account that a worker died while it may have been running the current step.
    pub(crate) fn doubt(&mut self) {
        let at = self.at();
        let is_run = self.progress.state == SagaState::Running && !self.progress.is_unwinding;
        if is_run && self.plan.get(at).is_some_and(|(_, stage)| *stage == Stage::Step) {
            let times = Times { started_at: self.now, finished_at: self.now };
            entry(&mut self.progress, &self.plan, at, times).is_in_doubt = true;
        }
    }

    /// Why the definition cannot run the saga, which was begun with the steps `begun`.
    pub(crate) fn mismatch(&self, begun: &[String]) -> Option<String> {
        let known: Vec<&str> = self.plan.iter().map(|(name, _)| name.as_str()).collect();
        (known != begun).then(|| {
            format!(
                "it was begun with the steps {begun:?}, but this version of it now has {known:?}; \
                 give the changed definition a new version, keep the old one registered, and \
                 resume"
            )
        })
    }

    pub(crate) fn unreadable(&self, error: String) -> Move {
        let mut progress = self.progress.clone();
        progress.error = Some(error);
        if !progress.state.is_at_rest() {
            progress.state = SagaState::Paused;
        }
        Move { progress, timer: self.timer, then: Then::Rest, consumes: false }
    }

    /// No change but that a request is answered, or the lease given back.
    pub(crate) fn stay(&self) -> Move {
        let then = if self.progress.state.is_at_rest() { Then::Rest } else { Then::Continue };
        Move { progress: self.progress.clone(), timer: self.timer, then, consumes: false }
    }

    fn at(&self) -> usize {
        usize::try_from(self.progress.current_step).unwrap_or(usize::MAX)
    }

    fn is_timer_running(&self) -> bool {
        self.timer.is_some_and(|left| !left.is_zero())
    }

    fn sleep(&self) -> Next {
        Next::Write(Move { then: Then::Sleep, ..self.stay() })
    }

    fn forward(&self) -> Next {
        if self.is_past_deadline {
            return Next::Write(give_up(self.stay(), &self.plan, "the deadline has passed"));
        }
        let at = self.at();
        let Some((_, stage)) = self.plan.get(at) else {
            return Next::Write(advance(self.stay(), &self.plan));
        };
        let is_waiting = self.progress.waiting_for.is_some();
        match *stage {
            Stage::Wait if !is_waiting => Next::Try(Attempt::Await(at)),
            Stage::Wait if self.has_signal => Next::Try(Attempt::Receive(at)),
            Stage::Wait if self.timer.is_none() => self.sleep(),
            Stage::Delay(delay) if self.timer.is_none() => {
                let timer = Some(delay);
                Next::Write(Move { timer, then: Then::Sleep, ..self.stay() })
            }
            _ if self.is_timer_running() => self.sleep(),
            Stage::Step => Next::Try(Attempt::Run(at)),
            Stage::Wait => Next::Try(Attempt::TimeOut(at)),
            Stage::Delay(_) => {
                let times = Times { started_at: self.now, finished_at: self.now };
                let done = Outcome::Done(self.progress.data.clone());
                Next::Write(self.ran(at, done, times))
            }
        }
    }

    fn backward(&self) -> Next {
        match newest_effect(&self.progress, &self.plan) {
            _ if self.is_timer_running() => self.sleep(),
            Some(at) => Next::Try(Attempt::Compensate(at)),
            None => Next::Write(unwind(self.stay(), &self.plan)),
        }
    }

    fn ran(&self, at: usize, outcome: Outcome, times: Times) -> Move {
        let mut made = Move { timer: None, ..self.stay() };
        let step = entry(&mut made.progress, &self.plan, at, times);
        step.attempts += 1;
        match outcome {
            Outcome::Done(data) => {
                step.outcome = StepOutcome::Completed;
                step.error = None;
                made.progress.data = data;
                advance(made, &self.plan)
            }
            Outcome::Failed { error, is_in_doubt, retry_in } => {
                step.is_in_doubt |= is_in_doubt;
                step.error = Some(error.clone());
                let reason = format!("step {}: {error}", step.step);
                if retry_in.is_none() || self.is_past_deadline {
                    return give_up(made, &self.plan, &reason);
                }
                made.progress.error = Some(reason);
                Move { timer: retry_in, then: Then::Sleep, ..made }
            }
            Outcome::Waiting { .. } | Outcome::Unreadable(_) => made,
        }
    }

    fn compensated(&self, at: usize, outcome: Outcome, times: Times) -> Move {
        let mut made = Move { timer: None, ..self.stay() };
        let step = entry(&mut made.progress, &self.plan, at, times);
        step.compensation_attempts += 1;
        match outcome {
            Outcome::Done(data) => {
                step.outcome = StepOutcome::Compensated;
                made.progress.data = data;
                unwind(made, &self.plan)
            }
            Outcome::Failed { error, retry_in: Some(delay), .. } => {
                step.error = Some(error);
                Move { timer: Some(delay), then: Then::Sleep, ..made }
            }
            Outcome::Failed { error, retry_in: None, .. } => {
                step.outcome = StepOutcome::Stuck;
                step.error = Some(error.clone());
                made.progress.error = Some(format!("compensation of step {}: {error}", step.step));
                made.progress.state = SagaState::Failed;
                Move { then: Then::Rest, ..made }
            }
            Outcome::Waiting { .. } | Outcome::Unreadable(_) => made,
        }
    }

    fn waiting(&self, key: SignalKey, timeout: Option<Duration>) -> Move {
        let mut made = Move { timer: timeout, then: Then::Sleep, ..self.stay() };
        made.progress.waiting_for = Some(key);
        made
    }

    fn resumed(&self) -> Move {
        let mut made = Move { then: Then::Continue, ..self.stay() };
        made.progress.state = moving(self.progress.is_unwinding);
        made
    }

    /// The compensation that gave up has all its attempts again.
    fn retried(&self) -> Move {
        let mut made = Move { timer: None, then: Then::Continue, ..self.stay() };
        made.progress.state = SagaState::Compensating;
        for step in made.progress.steps.iter_mut().filter(|step| is_stuck(step)) {
            step.compensation_attempts = 0;
        }
        made
    }

    fn skipped(&self) -> Move {
        let mut made = Move { timer: None, ..self.stay() };
        for step in made.progress.steps.iter_mut().filter(|step| is_stuck(step)) {
            step.outcome = StepOutcome::Skipped;
        }
        unwind(made, &self.plan)
    }
}

impl Move {
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

/// When an attempt began and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: DateTime<Utc>,
}

/// The state of a saga that does not rest.
fn moving(is_unwinding: bool) -> SagaState {
    if is_unwinding { SagaState::Compensating } else { SagaState::Running }
}

fn is_stuck(step: &StepRecord) -> bool {
    step.outcome == StepOutcome::Stuck
}

/// The entry of a step, made when the saga comes to it first.
fn entry<'a>(
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
fn newest_effect(progress: &SagaProgress, plan: &[(String, Stage)]) -> Option<usize> {
    let steps = progress.steps.iter().zip(plan);
    steps.enumerate().rev().find_map(|(at, (step, (_, stage)))| {
        (*stage == Stage::Step && step.is_to_be_compensated()).then_some(at)
    })
}

/// On to the next step, or to the end.
fn advance(mut made: Move, plan: &[(String, Stage)]) -> Move {
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
    Move { timer: None, ..made }
}

/// Turns round.
fn give_up(mut made: Move, plan: &[(String, Stage)], reason: &str) -> Move {
    let progress = &mut made.progress;
    progress.is_unwinding = true;
    progress.error = Some(reason.to_owned());
    progress.waiting_for = None;
    for step in progress.steps.iter_mut().filter(|step| step.outcome == StepOutcome::Pending) {
        step.outcome = StepOutcome::Failed;
    }
    unwind(made, plan)
}

/// On to the next compensation, or to the end.
fn unwind(mut made: Move, plan: &[(String, Stage)]) -> Move {
    let progress = &mut made.progress;
    (progress.state, made.then) = match newest_effect(progress, plan) {
        Some(at) => {
            progress.current_step = index(at);
            (SagaState::Compensating, Then::Continue)
        }
        None => (SagaState::Compensated, Then::Rest),
    };
    Move { timer: None, ..made }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
