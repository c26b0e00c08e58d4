//! Writes of many sagas that share a commit.

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use highwater_core::backend::GroupCommit;
use highwater_core::{
    CreatedSaga, Each, NewSaga, SagaId, SagaRecorded, SagaStore, SagaTransition, StoreError,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Sagas in one commit; beyond it the latency of a commit grows faster than its throughput.
const GROUP_MAX: usize = 512;

/// Bytes of states in one commit, which is one message to a database. A larger one goes alone. No
/// more, so that a renewal of leases does not wait for long behind one.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// Time that one commit may take; a store that is away for longer is asked again.
const COMMIT_MAX: Duration = Duration::from_secs(60);

type Grouped<Req, Res> = GroupCommit<Req, Result<Res, StoreError>>;

/// Creates sagas and moves them on, each group of concurrent requests in one call to the store.
#[derive(Debug)]
pub(crate) struct Writer {
    creations: Grouped<NewSaga, CreatedSaga>,
    transitions: Grouped<SagaTransition, SagaRecorded>,
    /// Bytes that may wait for their commit; what is beyond waits outside.
    room: Semaphore,
    room_max: u32,
}

impl Writer {
    /// Panics outside a tokio runtime.
    pub(crate) fn new(store: &Arc<dyn SagaStore>, max_bytes: usize) -> Self {
        let (create, record) = (Arc::clone(store), Arc::clone(store));
        let room = max_bytes.min(Semaphore::MAX_PERMITS);
        let room_max = u32::try_from(room).unwrap_or(u32::MAX);
        Self {
            creations: GroupCommit::new(
                |sagas| choose(sagas.iter().map(|saga| (&saga.id, saga.input.as_str().len()))),
                move |sagas| {
                    let store = Arc::clone(&create);
                    each(sagas, move |sagas| async move { store.create_sagas(sagas).await }).boxed()
                },
            ),
            transitions: GroupCommit::new(
                |transitions| {
                    let size = |made: &SagaTransition| made.progress.data.as_str().len();
                    choose(transitions.iter().map(|made| (&made.lease.id, size(made))))
                },
                move |transitions| {
                    let store = Arc::clone(&record);
                    each(transitions, move |all| async move { store.record_sagas(all).await })
                        .boxed()
                },
            ),
            room: Semaphore::new(room),
            room_max,
        }
    }

    pub(crate) async fn create(&self, saga: NewSaga) -> Result<CreatedSaga, StoreError> {
        let _room = self.enter(saga.input.as_str().len()).await;
        answer(self.creations.submit(saga).await)
    }

    pub(crate) async fn record(
        &self,
        transition: SagaTransition,
    ) -> Result<SagaRecorded, StoreError> {
        let _room = self.enter(transition.progress.data.as_str().len()).await;
        answer(self.transitions.submit(transition).await)
    }

    /// Room for a request of so many bytes; one that is larger than all takes all of it.
    async fn enter(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.room_max.max(1));
        self.room.acquire_many(bytes).await.ok()
    }
}

/// The oldest requests, of each saga one, that make a commit of a reasonable size.
fn choose<'a>(requests: impl Iterator<Item = (&'a SagaId, usize)>) -> Vec<bool> {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    let mut fits = |(id, size)| {
        let is_small = seen.len() < GROUP_MAX && bytes + size <= GROUP_BYTES_MAX;
        let fits = (seen.is_empty() || is_small) && !seen.contains(id);
        seen.insert(id);
        bytes += if fits { size } else { 0 };
        fits
    };
    requests.map(&mut fits).collect()
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
    let answers = timeout(COMMIT_MAX, call(requests)).await;
    let error = match answers.unwrap_or_else(|late| Err(StoreError::Unavailable(late.into()))) {
        Ok(answers) if answers.len() == expected => return answers,
        Ok(answers) => StoreError::Backend(
            format!("{} answers to a batch of {expected}", answers.len()).into(),
        ),
        Err(error) => error,
    };
    if expected == 1 {
        return vec![Err(error)];
    }
    let mut error = error.split();
    (0..expected).map(|_| Err(error())).collect()
}

fn answer<Res>(answer: Option<Result<Res, StoreError>>) -> Result<Res, StoreError> {
    let broken_off = || StoreError::Unavailable("the commit broke off".into());
    answer.unwrap_or_else(|| Err(broken_off()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_each_saga_once_and_is_neither_long_nor_large() {
        let ids: Vec<_> = (0..600).map(|n| SagaId::new(format!("trip-{n}")).unwrap()).collect();
        let chosen = |requests: &[(usize, usize)]| {
            choose(requests.iter().map(|(id, size)| (&ids[*id], *size)))
        };
        assert_eq!(chosen(&[(0, 1), (1, 1), (0, 1)]), [true, true, false]);
        let large = GROUP_BYTES_MAX + 1;
        assert_eq!(chosen(&[(0, large), (1, 1), (2, 0)]), [true, false, false]);
        assert_eq!(chosen(&[(0, 1), (1, large), (2, 1)]), [true, false, true]);
        let many: Vec<_> = (0..600).map(|id| (id, 1)).collect();
        assert_eq!(chosen(&many).into_iter().filter(|chosen| *chosen).count(), GROUP_MAX);
    }
}
