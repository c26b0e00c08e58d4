//! Trials for users' sagas: does everything finish or undo itself, whatever fails and dies?
//!
//! Each trial runs the saga again and again, each time in a fresh [`Scene`], with one more place
//! at which something goes wrong. Call them under paused time (`#[tokio::test(start_paused =
//! true)]`) and on a store in memory: days pass in a moment then. On a database they take
//! [real time](Pace::real_time), and each crash that of a lease.
//!
//! A trial panics when a saga does not end, or ends otherwise than it must. Whether the world is
//! as it should be is for [`Scene::check`] to say: that nothing stands after `Compensated`, and
//! that everything stands once after `Completed`.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//!
//! use highwater_core::SagaState;
//! use highwater_saga::testing::{self, Pace, Scene};
//! use highwater_saga::{Saga, SagaData, StepContext};
//! use highwater_testkit::MemoryStore;
//!
//! /// The saga, the world that it acts on, and what must have become of that world.
//! fn scene() -> Scene<SagaData> {
//!     let booked: Arc<Mutex<Vec<String>>> = Arc::default();
//!     let (books, cancels) = (Arc::clone(&booked), Arc::clone(&booked));
//!     let book = move |_: SagaData, cx: StepContext| {
//!         let mut booked = books.lock().unwrap();
//!         // What is known by its key was booked before.
//!         if !booked.contains(&cx.run_key()) {
//!             booked.push(cx.run_key());
//!         }
//!         std::future::ready(Ok(()))
//!     };
//!     let cancel = move |_: SagaData, cx: StepContext| {
//!         cancels.lock().unwrap().retain(|key| *key != cx.run_key());
//!         std::future::ready(Ok(()))
//!     };
//!     Scene {
//!         store: Arc::new(MemoryStore::new()),
//!         pace: Pace::default(),
//!         saga: Saga::new("trip")
//!             .step_fn("hotel", book.clone(), cancel.clone())
//!             .delay("night", Duration::from_secs(8 * 60 * 60))
//!             .step_fn("flight", book, cancel),
//!         input: SagaData::new(),
//!         signals: Vec::new(),
//!         check: Box::new(move |ended| {
//!             let is_completed = ended.progress.state == SagaState::Completed;
//!             assert_eq!(booked.lock().unwrap().len(), if is_completed { 2 } else { 0 });
//!         }),
//!     }
//! }
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! testing::every_step_may_fail(scene).await;
//! testing::every_compensation_may_fail(scene).await;
//! testing::every_step_may_repeat(scene).await;
//! testing::a_crash_anywhere_resumes(scene).await;
//! # }
//! ```
//!
//! What is a saga's own, such as a payment that is declined or an approval that never comes, is
//! tried with [`run_to_end`]. A test that has an [`Orchestrator`](crate::orchestrator::Orchestrator) of its own
//! should give it the options of [`Pace::default`]: with the usual ones it would look for due
//! sagas ten times in each second that it skips, and weeks would take minutes.

mod sabotage;
mod scene;
mod unpluggable;

use highwater_core::{SagaRecord, SagaState};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::machine::Stage;

use sabotage::Fault;
use scene::Trial;
pub use scene::{Pace, Scene};
use unpluggable::Cut;

/// Runs the saga with nothing going wrong but what is its own, and returns how it stands then:
/// completed, compensated, or failed.
///
/// Panics when it does not end, or when [`Scene::check`] does.
pub async fn run_to_end<S>(scene: Scene<S>) -> SagaRecord
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    Trial::new(scene, Fault::None).checked().await
}

/// Aborts each step in turn: those before it must be compensated.
///
/// And has each step lose its answer after it was run: it must be compensated as well.
pub async fn every_step_may_fail<S>(scene: impl Fn() -> Scene<S>)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    for at in stages(&scene(), |stage| !matches!(stage, Stage::Delay(_))) {
        Trial::new(scene(), Fault::Abort(at)).ends(SagaState::Compensated).await;
    }
    for at in stages(&scene(), |stage| stage == Stage::Step) {
        Trial::new(scene(), Fault::LoseAnswer(at)).ends(SagaState::Compensated).await;
    }
}

/// Has each compensation give up, after each step in turn was aborted.
///
/// The saga must fail then, and must be compensated once somebody says retry.
pub async fn every_compensation_may_fail<S>(scene: impl Fn() -> Scene<S>)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let steps = stages(&scene(), |stage| stage == Stage::Step);
    for (nth, aborted) in steps.iter().enumerate() {
        for stuck in &steps[..nth] {
            let fault = Fault::Stick { aborted: *aborted, stuck: *stuck };
            Trial::new(scene(), fault).fails_until_retried().await;
        }
    }
}

/// Runs and compensates every step twice: it must be as if it had been once.
///
/// What a worker's death does to a step. It fails for steps that do not hand their idempotency
/// key on.
pub async fn every_step_may_repeat<S>(scene: impl Fn() -> Scene<S>)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    Trial::new(scene(), Fault::Repeat { aborted: None }).ends_somehow().await;
    for at in stages(&scene(), |stage| stage == Stage::Step) {
        let fault = Fault::Repeat { aborted: Some(at) };
        Trial::new(scene(), fault).ends(SagaState::Compensated).await;
    }
}

/// Kills the process before and after each of its writes: another must end what it began.
///
/// On the way to the end, and on the way back from each step in turn.
pub async fn a_crash_anywhere_resumes<S>(scene: impl Fn() -> Scene<S>)
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let steps = stages(&scene(), |stage| stage == Stage::Step);
    let faults = steps.into_iter().map(Fault::Abort).chain([Fault::None]);
    for fault in faults {
        for write in 0.. {
            let before = Trial::new(scene(), fault).survives(Cut::Before(write)).await;
            let after = Trial::new(scene(), fault).survives(Cut::After(write)).await;
            if !before && !after {
                break;
            }
        }
    }
}

/// The indices of the steps of this kind.
fn stages<S>(scene: &Scene<S>, is_wanted: impl Fn(Stage) -> bool) -> Vec<usize>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let plan = scene.plan().into_iter().enumerate();
    plan.filter(|(_, (_, stage))| is_wanted(*stage)).map(|(at, _)| at).collect()
}
