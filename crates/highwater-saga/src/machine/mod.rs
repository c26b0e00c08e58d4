//! What a saga does next: pure decisions, no I/O, no clock.

mod decision;

use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{
    Owner, Payload, SagaProgress, SagaRequest, SagaState, SignalKey, StepOutcome,
};

pub(crate) use decision::{Decision, Then, Times};
use decision::{
    advance, come_back, entry, give_up, is_stuck, moving, newest_effect, turn_round, unwind,
};

/// Kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has an effect, and can be compensated.
    Step,
    /// It waits for a signal.
    Wait,
    /// It lets time pass.
    Delay(Duration),
    /// It is done when the saga is created; there is only its compensation.
    Opening,
}

/// Where a saga stands, as far as it matters for what comes next.
#[derive(Debug, Clone)]
pub(crate) struct Situation {
    pub(crate) plan: Vec<(String, Stage)>,
    pub(crate) progress: SagaProgress,
    /// Rest of the timer; zero once it has run out, `None` when none was set.
    pub(crate) timer: Option<Duration>,
    pub(crate) is_past_deadline: bool,
    pub(crate) has_signal: bool,
    pub(crate) now: DateTime<Utc>,
}

/// Next act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try this, then ask [`Situation::after`].
    Try(Attempt),
    /// Record this.
    Write(Decision),
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

/// Outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It succeeded, and left the user's state like this.
    Done(Payload),
    /// It failed, and is tried again after a while or, with `None`, given up.
    Failed { error: String, is_in_doubt: bool, retry_in: Option<Duration> },
    /// The saga is to rest until this signal comes, or the time is up.
    Waiting { key: SignalKey, timeout: Option<Duration> },
    /// The signal is none that the saga waits for: it is used up, and the saga waits on.
    PassedOver(String),
    /// The user's code cannot read the saga: it is to be paused, with this explanation.
    Unreadable(String),
}

impl Situation {
    /// Returns what comes next, given what the saga has been asked.
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

    /// Returns what a step's attempt leads to.
    pub(crate) fn after(&self, attempt: Attempt, outcome: Outcome, times: Times) -> Decision {
        match (attempt, outcome) {
            (_, Outcome::Unreadable(error)) => self.unreadable(error, None),
            (_, Outcome::Waiting { key, timeout }) => self.waiting(key, timeout),
            (_, Outcome::PassedOver(error)) => self.passed_over(&error),
            (Attempt::Compensate(at), outcome) => self.compensated(at, outcome, times),
            (Attempt::Receive(at), outcome) => {
                Decision { consumes: true, ..self.ran(at, outcome, times) }
            }
            (Attempt::Run(at) | Attempt::Await(at) | Attempt::TimeOut(at), outcome) => {
                self.ran(at, outcome, times)
            }
        }
    }

    /// Takes into account that what the saga was started with is done already.
    pub(crate) fn open(&mut self) {
        let is_new = self.progress.steps.is_empty() && !self.progress.state.is_final();
        if is_new && self.plan.first().is_some_and(|(_, stage)| *stage == Stage::Opening) {
            let times = Times { started_at: self.now, finished_at: self.now };
            entry(&mut self.progress, &self.plan, 0, times).outcome = StepOutcome::Completed;
            self.progress.current_step = self.progress.current_step.max(1);
        }
    }

    /// Takes into account that `former` did not come back, who may have been running the current
    /// step; says whether it may.
    ///
    /// `claimant`, who takes the saga over, is alive: it was only late when it lost a lease before.
    pub(crate) fn doubt(&mut self, former: Owner, claimant: &Owner) -> bool {
        let (at, is_forward) = match self.progress.state {
            state if state.is_at_rest() => return false,
            _ if self.progress.is_unwinding => (newest_effect(&self.progress, &self.plan), false),
            _ => (Some(self.at()), true),
        };
        let stage = at.and_then(|at| self.plan.get(at)).map(|(_, stage)| *stage);
        let (Some(at), Some(stage @ (Stage::Step | Stage::Wait | Stage::Opening))) = (at, stage)
        else {
            return false;
        };
        let times = Times { started_at: self.now, finished_at: self.now };
        let step = entry(&mut self.progress, &self.plan, at, times);
        step.is_in_doubt |= is_forward && stage == Stage::Step;
        // A step that was lost begins only once that is said; until then it has not begun again.
        if step.lost_attempts == 0 || step.is_begun_again {
            step.lost_attempts += 1;
            step.is_begun_again = false;
            if !step.lost_owners.contains(&former) {
                step.lost_owners.push(former);
            }
        }
        step.lost_owners.retain(|owner| owner != claimant);
        true
    }

    /// Number of attempts at the current step that were lost in a row.
    pub(crate) fn lost_attempts(&self) -> u32 {
        self.suspect().map_or(0, |at| self.progress.steps[at].lost_attempts)
    }

    /// Number of workers that were lost in a row with attempts at the current step.
    pub(crate) fn deaths(&self) -> u32 {
        let owners = self.suspect().map_or(0, |at| self.progress.steps[at].lost_owners.len());
        u32::try_from(owners).unwrap_or(u32::MAX)
    }

    /// Says that the current step is begun although it was lost before.
    pub(crate) fn begun(&self) -> Decision {
        let mut made = self.stay();
        if let Some(at) = self.suspect() {
            made.progress.steps[at].is_begun_again = true;
        }
        made
    }

    fn suspect(&self) -> Option<usize> {
        self.progress.steps.iter().position(|step| step.lost_attempts > 0)
    }

    /// Reason why the definition cannot run the saga, which was begun with the steps `begun`.
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

    /// Rests, with this explanation, until somebody who can read the saga takes it up.
    ///
    /// A cancellation that was asked for is kept: the saga goes on by compensating.
    pub(crate) fn unreadable(&self, error: String, request: Option<SagaRequest>) -> Decision {
        let mut progress = self.progress.clone();
        if request == Some(SagaRequest::Cancel) {
            turn_round(&mut progress);
        }
        progress.error = Some(error);
        if !progress.state.is_at_rest() {
            progress.state = SagaState::Paused;
        }
        Decision { progress, timer: self.timer, then: Then::Rest, consumes: false }
    }

    /// No change but that a request is answered, or the lease given back.
    pub(crate) fn stay(&self) -> Decision {
        let then = if self.progress.state.is_at_rest() { Then::Rest } else { Then::Continue };
        Decision { progress: self.progress.clone(), timer: self.timer, then, consumes: false }
    }

    fn at(&self) -> usize {
        usize::try_from(self.progress.current_step).unwrap_or(usize::MAX)
    }

    fn is_timer_running(&self) -> bool {
        self.timer.is_some_and(|left| !left.is_zero())
    }

    fn sleep(&self) -> Next {
        Next::Write(Decision { then: Then::Sleep, ..self.stay() })
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
                Next::Write(Decision { timer, then: Then::Sleep, ..self.stay() })
            }
            _ if self.is_timer_running() => self.sleep(),
            Stage::Step => Next::Try(Attempt::Run(at)),
            Stage::Wait => Next::Try(Attempt::TimeOut(at)),
            Stage::Delay(_) | Stage::Opening => {
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

    fn ran(&self, at: usize, outcome: Outcome, times: Times) -> Decision {
        let mut made = Decision { timer: None, ..self.stay() };
        let step = entry(&mut made.progress, &self.plan, at, times);
        come_back(step);
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
                Decision { timer: retry_in, then: Then::Sleep, ..made }
            }
            Outcome::Waiting { .. } | Outcome::PassedOver(_) | Outcome::Unreadable(_) => made,
        }
    }

    fn compensated(&self, at: usize, outcome: Outcome, times: Times) -> Decision {
        let mut made = Decision { timer: None, ..self.stay() };
        let step = entry(&mut made.progress, &self.plan, at, times);
        come_back(step);
        step.compensation_attempts += 1;
        match outcome {
            Outcome::Done(data) => {
                step.outcome = StepOutcome::Compensated;
                made.progress.data = data;
                unwind(made, &self.plan)
            }
            Outcome::Failed { error, retry_in: Some(delay), .. } => {
                step.error = Some(error);
                Decision { timer: Some(delay), then: Then::Sleep, ..made }
            }
            Outcome::Failed { error, retry_in: None, .. } => {
                step.outcome = StepOutcome::Stuck;
                step.error = Some(error.clone());
                made.progress.error = Some(format!("compensation of step {}: {error}", step.step));
                made.progress.state = SagaState::Failed;
                Decision { then: Then::Rest, ..made }
            }
            Outcome::Waiting { .. } | Outcome::PassedOver(_) | Outcome::Unreadable(_) => made,
        }
    }

    fn waiting(&self, key: SignalKey, timeout: Option<Duration>) -> Decision {
        let mut made = Decision { timer: timeout, then: Then::Sleep, ..self.stay() };
        made.progress.waiting_for = Some(key);
        made.progress.steps.iter_mut().for_each(come_back);
        made
    }

    /// Waits on for what is left of the time.
    fn passed_over(&self, error: &str) -> Decision {
        let mut made = Decision { then: Then::Sleep, consumes: true, ..self.stay() };
        made.progress.steps.iter_mut().for_each(come_back);
        made.progress.error = Some(format!("a signal was passed over: {error}"));
        made
    }

    fn resumed(&self) -> Decision {
        let mut made = Decision { then: Then::Continue, ..self.stay() };
        made.progress.state = moving(self.progress.is_unwinding);
        made
    }

    /// The compensation that gave up has all its attempts again.
    fn retried(&self) -> Decision {
        let mut made = Decision { timer: None, then: Then::Continue, ..self.stay() };
        made.progress.state = SagaState::Compensating;
        for step in made.progress.steps.iter_mut().filter(|step| is_stuck(step)) {
            step.compensation_attempts = 0;
        }
        made
    }

    fn skipped(&self) -> Decision {
        let mut made = Decision { timer: None, ..self.stay() };
        for step in made.progress.steps.iter_mut().filter(|step| is_stuck(step)) {
            step.outcome = StepOutcome::Skipped;
        }
        unwind(made, &self.plan)
    }
}

#[cfg(test)]
mod tests;
