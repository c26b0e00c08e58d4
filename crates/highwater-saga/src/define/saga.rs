//! How a saga is put together.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{RetryPolicy, SagaName};

use super::Direction;
use super::Opening;
use super::definition::{AnyStep, Checked, Element};
use super::opening::Opened;
use super::{SagaData, Step, StepContext, StepError, StepOptions, StepResult, Wait};
use crate::error::RegisterSagaError;

/// A list of steps on a state `S`, run in order and compensated in reverse.
///
/// Its name, its version and the names of its steps are stored with every saga. To add, rename,
/// reorder or remove steps give the new list a new [`version`](Self::version) and register both:
/// a saga that is under way keeps the version that it began with. One that finds its version
/// changed is paused with an explanation, never misread.
pub struct Saga<S> {
    name: String,
    version: u32,
    deadline: Option<Duration>,
    publishes_events: bool,
    opening: Option<(String, Element<S>)>,
    elements: Vec<(String, Element<S>)>,
}

impl<S: Send + 'static> Saga<S> {
    /// A saga without steps, version 1.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: 1,
            deadline: None,
            publishes_events: false,
            opening: None,
            elements: Vec::new(),
        }
    }

    /// Sets the version of the list of steps and of the state.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Makes a saga that has not finished after this long give up and compensate.
    ///
    /// Counted from its start on the store's clock, also while it is paused or nobody runs it.
    /// Compensations have all the time they need.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Appends each transition to the stream `saga-{name}-{id}`, in the same commit.
    ///
    /// The events are those of [`SagaEvent`](crate::run::SagaEvent).
    #[must_use]
    pub fn publish_events(mut self) -> Self {
        self.publishes_events = true;
        self
    }

    /// Says how what the saga was started with is made undone, such as events of
    /// [`Start::appending`](crate::start::Start::appending).
    ///
    /// It stands first in the list of steps, and is compensated last whenever the saga gives up,
    /// also before its first step.
    #[must_use]
    pub fn opening<T: Opening<S>>(mut self, opening: T) -> Self {
        let element = Element::Opening(Arc::new(Opened(opening)));
        self.opening = Some((T::NAME.to_owned(), element));
        self
    }

    /// Adds a step.
    #[must_use]
    pub fn step<T: Step<S>>(mut self, step: T) -> Self {
        self.elements.push((T::NAME.to_owned(), Element::Step(Arc::new(step))));
        self
    }

    /// Adds a step that waits for a signal.
    #[must_use]
    pub fn wait<T: Wait<S>>(mut self, wait: T) -> Self {
        self.elements.push((T::NAME.to_owned(), Element::Wait(Arc::new(wait))));
        self
    }

    /// Adds a step that lets time pass; the saga costs no worker meanwhile.
    #[must_use]
    pub fn delay(mut self, name: impl Into<String>, delay: Duration) -> Self {
        self.elements.push((name.into(), Element::Delay(delay)));
        self
    }

    /// Checks what has been put together.
    pub(crate) fn check(self) -> Result<Checked<S>, RegisterSagaError> {
        let name = SagaName::new(&self.name)?;
        if self.elements.is_empty() {
            return Err(RegisterSagaError::NoSteps(name));
        }
        let mut names = HashSet::new();
        let elements: Vec<_> = self.opening.into_iter().chain(self.elements).collect();
        for (step, _) in &elements {
            if step.is_empty() || step.contains('/') || step.chars().any(char::is_control) {
                return Err(RegisterSagaError::StepName { saga: name, step: step.clone() });
            }
            if !names.insert(step) {
                return Err(RegisterSagaError::DuplicateStep { saga: name, step: step.clone() });
            }
        }
        Ok(Checked {
            name,
            version: self.version,
            deadline: self.deadline,
            publishes_events: self.publishes_events,
            elements,
        })
    }
}

impl Saga<SagaData> {
    /// Adds a step made of two closures, for small sagas.
    ///
    /// What holds for [`Step`] holds for them. The timeout and the retries are the defaults.
    ///
    /// ```
    /// use highwater_saga::{Saga, SagaData, StepContext};
    ///
    /// let saga = Saga::new("book-trip").step_fn(
    ///     "hotel",
    ///     |data: SagaData, cx: StepContext| async move {
    ///         let hotel: String = data.require("hotel")?;
    ///         data.set("booking", format!("{hotel} under {}", cx.run_key()))
    ///     },
    ///     |_, cx: StepContext| async move {
    ///         println!("cancelled what {} may have booked", cx.run_key());
    ///         Ok(())
    ///     },
    /// );
    /// ```
    #[must_use]
    pub fn step_fn<R, C, RunFuture, CompensateFuture>(
        self,
        name: impl Into<String>,
        run: R,
        compensate: C,
    ) -> Self
    where
        R: Fn(SagaData, StepContext) -> RunFuture + Send + Sync + 'static,
        C: Fn(SagaData, StepContext) -> CompensateFuture + Send + Sync + 'static,
        RunFuture: Future<Output = StepResult> + Send + 'static,
        CompensateFuture: Future<Output = StepResult> + Send + 'static,
    {
        self.step_fn_with(name, StepOptions::default(), run, compensate)
    }

    /// Adds a step made of two closures, with a timeout and retries of its own.
    #[must_use]
    pub fn step_fn_with<R, C, RunFuture, CompensateFuture>(
        mut self,
        name: impl Into<String>,
        options: StepOptions,
        run: R,
        compensate: C,
    ) -> Self
    where
        R: Fn(SagaData, StepContext) -> RunFuture + Send + Sync + 'static,
        C: Fn(SagaData, StepContext) -> CompensateFuture + Send + Sync + 'static,
        RunFuture: Future<Output = StepResult> + Send + 'static,
        CompensateFuture: Future<Output = StepResult> + Send + 'static,
    {
        let step = Closures { options, run, compensate };
        self.elements.push((name.into(), Element::Step(Arc::new(step))));
        self
    }
}

/// A step made of closures, and what they cannot say about themselves.
struct Closures<R, C> {
    options: StepOptions,
    run: R,
    compensate: C,
}

#[async_trait]
impl<R, C, RunFuture, CompensateFuture> AnyStep<SagaData> for Closures<R, C>
where
    R: Fn(SagaData, StepContext) -> RunFuture + Send + Sync + 'static,
    C: Fn(SagaData, StepContext) -> CompensateFuture + Send + Sync + 'static,
    RunFuture: Future<Output = StepResult> + Send + 'static,
    CompensateFuture: Future<Output = StepResult> + Send + 'static,
{
    async fn call(&self, state: &mut SagaData, cx: &StepContext) -> StepResult {
        match cx.direction {
            Direction::Run => (self.run)(state.clone(), cx.clone()).await,
            Direction::Compensate => (self.compensate)(state.clone(), cx.clone()).await,
        }
    }

    fn timeout(&self) -> Duration {
        self.options.timeout
    }

    fn retry(&self, direction: Direction, _: &StepError) -> RetryPolicy {
        match direction {
            Direction::Run => self.options.retry,
            Direction::Compensate => self.options.retry_compensation,
        }
    }
}

impl<S> Clone for Saga<S> {
    fn clone(&self) -> Self {
        let (opening, elements) = (self.opening.clone(), self.elements.clone());
        Self { name: self.name.clone(), opening, elements, ..*self }
    }
}

impl<S> std::fmt::Debug for Saga<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let elements = self.opening.iter().chain(&self.elements);
        let steps: Vec<&str> = elements.map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Saga")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("steps", &steps)
            .finish_non_exhaustive()
    }
}
