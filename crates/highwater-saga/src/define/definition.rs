//! Definitions with their types erased: what the orchestrator runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{Payload, RetryPolicy, SagaName, Signal, SignalKey};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Direction;
use super::{Step, StepContext, StepError, StepResult, Wait};
use crate::machine::Stage;

/// Definition of one version of a saga, step by step, on its state as JSON.
#[async_trait]
pub(crate) trait Definition: Send + Sync {
    fn name(&self) -> &SagaName;
    fn version(&self) -> u32;
    fn plan(&self) -> Vec<(String, Stage)>;
    fn deadline(&self) -> Option<Duration>;
    fn publishes_events(&self) -> bool;

    /// Runs or compensates a step.
    async fn call(
        &self,
        at: usize,
        data: &Payload,
        cx: &StepContext,
    ) -> Result<Payload, StepFailure>;
    fn timeout(&self, at: usize) -> Duration;
    fn retry(&self, at: usize, direction: Direction, error: &StepError) -> RetryPolicy;

    /// Key that a wait waits for, and the time it may take.
    fn awaited(&self, at: usize, data: &Payload) -> Result<Awaited, StepFailure>;
    /// Hands a wait its signal or, with `None`, tells it that the time is up.
    fn arrived(
        &self,
        at: usize,
        data: &Payload,
        signal: Option<&Signal>,
    ) -> Result<Payload, StepFailure>;
}

/// Key that a wait waits for, and the time it may take.
pub(crate) type Awaited = (SignalKey, Option<Duration>);

/// Reason why there is no new state.
#[derive(Debug)]
pub(crate) enum StepFailure {
    /// The step says so.
    Step(StepError),
    /// The stored state is not one that the definition can read.
    Unreadable(String),
}

impl From<StepError> for StepFailure {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

/// One element of the list of steps.
pub(crate) enum Element<S> {
    Step(Arc<dyn AnyStep<S>>),
    Wait(Arc<dyn AnyWait<S>>),
    Delay(Duration),
    Opening(Arc<dyn AnyStep<S>>),
}

impl<S> Clone for Element<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Step(step) => Self::Step(Arc::clone(step)),
            Self::Wait(wait) => Self::Wait(Arc::clone(wait)),
            Self::Delay(delay) => Self::Delay(*delay),
            Self::Opening(opening) => Self::Opening(Arc::clone(opening)),
        }
    }
}

/// A [`Step`] behind a pointer.
#[async_trait]
pub(crate) trait AnyStep<S>: Send + Sync {
    async fn call(&self, state: &mut S, cx: &StepContext) -> StepResult;
    fn timeout(&self) -> Duration;
    fn retry(&self, direction: Direction, error: &StepError) -> RetryPolicy;
}

#[async_trait]
impl<S: Send + 'static, T: Step<S>> AnyStep<S> for T {
    async fn call(&self, state: &mut S, cx: &StepContext) -> StepResult {
        match cx.direction {
            Direction::Run => self.run(state, cx).await,
            Direction::Compensate => self.compensate(state, cx).await,
        }
    }

    fn timeout(&self) -> Duration {
        Step::timeout(self)
    }

    fn retry(&self, direction: Direction, error: &StepError) -> RetryPolicy {
        match direction {
            Direction::Run => Step::retry(self, error),
            Direction::Compensate => self.retry_compensation(error),
        }
    }
}

/// A [`Wait`] behind a pointer.
pub(crate) trait AnyWait<S>: Send + Sync {
    fn awaited(&self, state: &S) -> (String, Option<Duration>);
    fn arrived(&self, state: &mut S, signal: Option<&Signal>) -> StepResult;
}

impl<S, T: Wait<S>> AnyWait<S> for T {
    fn awaited(&self, state: &S) -> (String, Option<Duration>) {
        (self.key(state), self.timeout())
    }

    fn arrived(&self, state: &mut S, signal: Option<&Signal>) -> StepResult {
        match signal {
            Some(signal) => self.received(state, signal),
            None => self.timed_out(state),
        }
    }
}

/// A saga whose state is `S`, checked.
pub(crate) struct Checked<S> {
    pub(crate) name: SagaName,
    pub(crate) version: u32,
    pub(crate) deadline: Option<Duration>,
    pub(crate) publishes_events: bool,
    pub(crate) elements: Vec<(String, Element<S>)>,
}

impl<S> Checked<S> {
    fn element(&self, at: usize) -> Option<&Element<S>> {
        self.elements.get(at).map(|(_, element)| element)
    }

    fn step(&self, at: usize) -> Option<&Arc<dyn AnyStep<S>>> {
        match self.element(at) {
            Some(Element::Step(step) | Element::Opening(step)) => Some(step),
            _ => None,
        }
    }

    fn wait(&self, at: usize) -> Result<&Arc<dyn AnyWait<S>>, StepFailure> {
        match self.element(at) {
            Some(Element::Wait(wait)) => Ok(wait),
            _ => Err(StepFailure::Unreadable(format!("its step {at} is not a wait"))),
        }
    }
}

#[async_trait]
impl<S> Definition for Checked<S>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn name(&self) -> &SagaName {
        &self.name
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn plan(&self) -> Vec<(String, Stage)> {
        let stage = |element: &Element<S>| match element {
            Element::Step(_) => Stage::Step,
            Element::Wait(_) => Stage::Wait,
            Element::Delay(delay) => Stage::Delay(*delay),
            Element::Opening(_) => Stage::Opening,
        };
        self.elements.iter().map(|(name, element)| (name.clone(), stage(element))).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn publishes_events(&self) -> bool {
        self.publishes_events
    }

    async fn call(
        &self,
        at: usize,
        data: &Payload,
        cx: &StepContext,
    ) -> Result<Payload, StepFailure> {
        let mut state: S = read(data)?;
        let step = self.step(at);
        let step = step.ok_or_else(|| StepFailure::Unreadable(format!("it has no step {at}")))?;
        step.call(&mut state, cx).await?;
        write(&state)
    }

    fn timeout(&self, at: usize) -> Duration {
        self.step(at).map_or(Duration::MAX, |step| step.timeout())
    }

    fn retry(&self, at: usize, direction: Direction, error: &StepError) -> RetryPolicy {
        self.step(at).map_or(RetryPolicy::NEVER, |step| step.retry(direction, error))
    }

    fn awaited(&self, at: usize, data: &Payload) -> Result<Awaited, StepFailure> {
        let (key, timeout) = self.wait(at)?.awaited(&read(data)?);
        Ok((SignalKey::new(key).map_err(StepError::abort)?, timeout))
    }

    fn arrived(
        &self,
        at: usize,
        data: &Payload,
        signal: Option<&Signal>,
    ) -> Result<Payload, StepFailure> {
        let mut state: S = read(data)?;
        self.wait(at)?.arrived(&mut state, signal)?;
        write(&state)
    }
}

fn read<S: DeserializeOwned>(data: &Payload) -> Result<S, StepFailure> {
    data.to().map_err(|error| StepFailure::Unreadable(format!("its state cannot be read: {error}")))
}

/// The state as JSON that reads back as a state: a saga whose state cannot be read is one that
/// nobody can compensate.
///
/// A state that cannot be kept leaves its step in doubt: what the step did has happened. It is
/// not tried again, which would leave the same.
fn write<S: Serialize + DeserializeOwned>(state: &S) -> Result<Payload, StepFailure> {
    let lasting = |error| StepFailure::Step(StepError::lasting(Unkept(error)));
    let data = Payload::of(state).map_err(lasting)?;
    data.to::<S>().map_err(lasting)?;
    Ok(data)
}

/// A state that is no JSON, or JSON that is no state.
#[derive(Debug, thiserror::Error)]
#[error("the state that it left does not survive as JSON")]
struct Unkept(#[source] serde_json::Error);
