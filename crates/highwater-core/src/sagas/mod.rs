//! Sagas as a store keeps them: records, transitions, requests and signals.

pub(crate) mod counts;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod signal;
pub(crate) mod state;
pub(crate) mod step;
pub(crate) mod store;
pub(crate) mod transition;

pub use counts::{OverdueSagas, SagaCounts};
pub use query::SagaQuery;
pub use record::{
    ClaimedSaga, CreatedSaga, NewSaga, SagaClaim, SagaLease, SagaProgress, SagaRecord,
};
pub use request::{SagaRequest, UnknownSagaRequest};
pub use signal::{Delivery, Signal};
pub use state::{SagaState, UnknownSagaState};
pub use step::{StepOutcome, StepRecord};
pub use store::{Each, SagaStore};
pub use transition::{Due, SagaRecorded, SagaTransition, SagaVerdict};
