//! Writes of many sagas that share a commit.

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use highwater_core::{
    CreatedSaga, Each, GroupCommit, NewSaga, SagaId, SagaLease, SagaRecorded, SagaStore,
    SagaTransition, StoreError,
};

/// Sagas in one commit; beyond it the latency of a commit grows faster than its throughput.
const GROUP_MAX: usize = 512;

type Grouped<Req, Res> = GroupCommit<Req, Result<Res, StoreError>>;

/// Creates, moves and renews sagas, each group of concurrent requests in one call to the store.
#[derive(Debug)]
pub(crate) struct Writer {
    creations: Grouped<NewSaga, CreatedSaga>,
    transitions: Grouped<SagaTransition, SagaRecorded>,
    renewals: Grouped<SagaLease, ()>,
}

impl Writer {
    /// Panics outside a tokio runtime.
    pub(crate) fn new(store: &Arc<dyn SagaStore>, ttl: Duration) -> Self {
        let (create, record, renew) = (Arc::clone(store), Arc::clone(store), Arc::clone(store));
        Self {
            creations: GroupCommit::new(
                |sagas| choose(sagas.iter().map(|saga| &saga.id)),
                move |sagas| {
                    let store = Arc::clone(&create);
                    each(sagas, move |sagas| async move { store.create_sagas(sagas).await }).boxed()
                },
            ),
            transitions: GroupCommit::new(
                |transitions| choose(transitions.iter().map(|transition| &transition.lease.id)),
                move |transitions| {
                    let store = Arc::clone(&record);
                    each(transitions, move |all| async move { store.record_sagas(all).await })
                        .boxed()
                },
            ),
            renewals: GroupCommit::new(
                |leases| choose(leases.iter().map(|lease| &lease.id)),
                move |leases| {
                    let store = Arc::clone(&renew);
                    each(leases, move |all| async move { store.renew_sagas(all, ttl).await })
                        .boxed()
                },
            ),
        }
    }

    pub(crate) async fn create(&self, saga: NewSaga) -> Result<CreatedSaga, StoreError> {
        answer(self.creations.submit(saga).await)
    }

    pub(crate) async fn record(
        &self,
        transition: SagaTransition,
    ) -> Result<SagaRecorded, StoreError> {
        answer(self.transitions.submit(transition).await)
    }

    pub(crate) async fn renew(&self, lease: SagaLease) -> Result<(), StoreError> {
        answer(self.renewals.submit(lease).await)
    }
}

/// The oldest requests, of each saga one.
fn choose<'a>(ids: impl Iterator<Item = &'a SagaId>) -> Vec<bool> {
    let mut chosen = HashSet::new();
    ids.map(|id| chosen.len() < GROUP_MAX && chosen.insert(id)).collect()
}

/// Calls the store, and gives everyone an answer even when the whole call failed.
async fn each<Req, Res, Fut>(
    requests: Vec<Req>,
    call: impl FnOnce(Vec<Req>) -> Fut,
) -> Vec<Result<Res, StoreError>>
where
    Fut: Future<Output = Each<Res>>,
    Res: Debug,
{
    let expected = requests.len();
    let error = match call(requests).await {
        Ok(answers) if answers.len() == expected => return answers,
        Ok(answers) => StoreError::Backend(
            format!("{} answers to a batch of {expected}", answers.len()).into(),
        ),
        Err(error) => error,
    };
    if expected == 1 {
        return vec![Err(error)];
    }
    let is_transient = error.is_transient();
    let shared = Arc::new(error);
    let share = || match is_transient {
        true => StoreError::Unavailable(Box::new(Arc::clone(&shared))),
        false => StoreError::Backend(Box::new(Arc::clone(&shared))),
    };
    (0..expected).map(|_| Err(share())).collect()
}

fn answer<Res>(answer: Option<Result<Res, StoreError>>) -> Result<Res, StoreError> {
    let broken_off = || StoreError::Unavailable("the commit broke off".into());
    answer.unwrap_or_else(|| Err(broken_off()))
}
