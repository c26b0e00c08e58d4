//! Saga orchestrator of Highwater: long-running processes that finish or undo themselves.
//!
//! To begin with there is `docs/sagas.md` in the repository; the facade `highwater` has this crate
//! as `highwater::saga`, with the feature `saga`.
//!
//! A [`Saga`] is a list of [`Step`]s on a state. [`Orchestrator::register`] returns a
//! [`SagaHandle`] that starts sagas; [`Orchestrator::run`] runs them, beside any number of other
//! processes on the same [`SagaStore`](highwater_core::SagaStore).
//!
//! ```
//! use highwater_core::{SagaId, SagaState};
//! use highwater_saga::{Orchestrator, Saga, Step, StepContext, StepResult};
//! use tokio_util::sync::CancellationToken;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Trip {
//!     hotel: String,
//!     booking: Option<String>,
//! }
//!
//! /// Whatever a step depends on are its fields.
//! struct ReserveHotel;
//!
//! impl Step<Trip> for ReserveHotel {
//!     const NAME: &'static str = "reserve-hotel";
//!
//!     async fn run(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
//!         trip.booking = Some(format!("{} under {}", trip.hotel, cx.idempotency_key()));
//!         Ok(())
//!     }
//!
//!     async fn compensate(&self, trip: &mut Trip, _: &StepContext) -> StepResult {
//!         trip.booking = None;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = highwater_testkit::MemoryStore::new();
//! let sagas = Orchestrator::new(store);
//! let book_trip = sagas.register(Saga::new("book-trip").step(ReserveHotel))?;
//! let stop = CancellationToken::new();
//! let running = tokio::spawn({
//!     let (sagas, stop) = (sagas.clone(), stop.clone());
//!     async move { sagas.run(stop).await }
//! });
//!
//! let id = SagaId::new("order-42")?;
//! let trip = Trip { hotel: "Bristol".to_owned(), booking: None };
//! book_trip.start(id.clone(), &trip).await?;
//! let ended = sagas.wait(&id, std::time::Duration::from_secs(10)).await?;
//! assert_eq!(ended.progress.state, SagaState::Completed);
//! # stop.cancel();
//! # running.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//! - Every transition is stored before the next begins, in one write that also appends the
//!   saga's events. A process may die anywhere; another goes on when its lease ends.
//! - A step is run, and compensated, **at least once**, each time with the same
//!   [idempotency key](StepContext::idempotency_key). Effects outside the store happen once only
//!   when the other side tells repetitions by that key.
//! - When a saga gives up, every step that finished or may have had an effect is compensated,
//!   newest first. A step that [aborts](StepError::abort) is not.
//! - A worker that was frozen and wakes after its saga was taken over changes nothing in the
//!   store; [`StepContext::epoch`] lets others turn it away, too.
//! - Timers, back-offs, deadlines and waits live in the store: they survive restarts and cost no
//!   worker.
//! - A compensation that gives up ends in `Failed`, where [`Orchestrator::retry`] and
//!   [`Orchestrator::skip`] wait for a human.
//!
//! # Which failures are compensated
//! | what a step says | tried again | compensated once given up |
//! |---|---|---|
//! | `Err` by `?`, or [`StepError::unknown`] | as its policy says | yes |
//! | took too long, panicked | as its policy says | yes |
//! | [`StepError::retry`] | as its policy says | no, it had no effect |
//! | [`StepError::abort`] | no | no, it had no effect |
//! | left a state that cannot be kept | no | yes |
//! | nothing, its worker died | by the next worker, [so often](OrchestratorOptions::max_deaths) | yes |
//!
//! One attempt that may have had an effect suffices, whatever later ones say.
//!
//! # Changing a saga
//! The version of a definition and the names of its steps are stored with every saga.
//! - **Adding, renaming, reordering or removing steps, or changing the state incompatibly**: give
//!   the definition a new [`version`](Saga::version), and register the old one beside it until
//!   its last saga has ended ([`Orchestrator::find`] tells). New sagas are started through the
//!   handle of the new version; those under way keep theirs.
//! - **A version that no process has registered** is claimed by none: its sagas stay as they are,
//!   and [`Orchestrator::obstacle`] says why.
//! - **A version that was changed without a new number** is refused: its sagas are paused before
//!   anything is run, with both lists of steps in their error. Register the old definition and
//!   [resume](Orchestrator::resume) them. So are sagas whose state cannot be read.
//! - **What a step does inside** may change at any time, as long as its idempotency keys keep
//!   their meaning.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod define;
mod error;
mod machine;
mod options;
mod orchestrator;
mod run;
mod start;
#[cfg(feature = "testing")]
pub mod testing;

pub use highwater_core::{Backoff, InvalidOption, RetryPolicy};

pub use define::{
    Direction, Opening, Saga, SagaData, Step, StepContext, StepError, StepOptions, StepResult, Wait,
};
pub use error::{RegisterSagaError, StartError, WaitError};
pub use options::OrchestratorOptions;
pub use orchestrator::Orchestrator;
pub use run::{BlockedStep, SagaEvent, StepEvent};
pub use start::{OnEvent, SagaHandle, Start};

/// The program in the README, which is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
