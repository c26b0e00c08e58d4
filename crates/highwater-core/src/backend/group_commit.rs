//! Group commit: concurrent requests share one commit, a lone one does not wait.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Commit<Req, Res> = dyn Fn(Vec<Req>) -> BoxFuture<'static, Vec<Res>> + Send + Sync;

/// Turns concurrent requests into groups and has one group committed at a time.
///
/// For backends. Groups are committed in tasks of their own, so that a caller that is not polled,
/// or goes away, holds up nobody. A request that finds nothing under way is committed at once; what
/// arrives meanwhile forms the next group. Whose caller goes away before its group has begun is
/// dropped; what has begun is committed.
pub struct GroupCommit<Req: Send + 'static, Res: Send + 'static> {
    shared: Arc<Shared<Req, Res>>,
}

struct Shared<Req, Res> {
    queue: Mutex<Queue<Req, Res>>,
    choose: fn(&[&Req]) -> Vec<bool>,
    commit: Box<Commit<Req, Res>>,
    runtime: Handle,
}

struct Queue<Req, Res> {
    /// By the order in which they came.
    waiting: BTreeMap<u64, Waiting<Req, Res>>,
    /// Number of callers that have come.
    count: u64,
    is_busy: bool,
}

struct Waiting<Req, Res> {
    request: Req,
    answer: oneshot::Sender<Res>,
}

impl<Req: Send + 'static, Res: Send + 'static> GroupCommit<Req, Res> {
    /// Groups the requests that `choose` picks, and has `commit` answer each group.
    ///
    /// `choose` gets the waiting requests, oldest first, and says of each whether it belongs to
    /// the next group; when it picks none, the oldest goes alone. `commit` returns one answer for
    /// each request, in their order, and must end by itself: all others wait for it. Panics outside
    /// a tokio runtime.
    #[must_use]
    pub fn new(
        choose: fn(&[&Req]) -> Vec<bool>,
        commit: impl Fn(Vec<Req>) -> BoxFuture<'static, Vec<Res>> + Send + Sync + 'static,
    ) -> Self {
        let queue = Mutex::new(Queue { waiting: BTreeMap::new(), count: 0, is_busy: false });
        let (commit, runtime) = (Box::new(commit), Handle::current());
        Self { shared: Arc::new(Shared { queue, choose, commit, runtime }) }
    }

    /// Has `request` committed, alone or in a group; `None` when the commit broke off.
    pub async fn submit(&self, request: Req) -> Option<Res> {
        let (number, answer) = Shared::enter(&self.shared, request);
        let _place = Place { shared: &self.shared, number };
        answer.await.ok()
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Shared<Req, Res> {
    /// Joins the queue, and has it served when nobody does.
    fn enter(this: &Arc<Self>, request: Req) -> (u64, oneshot::Receiver<Res>) {
        let (answer, receiver) = oneshot::channel();
        let mut queue = this.lock();
        let number = queue.count;
        queue.count += 1;
        queue.waiting.insert(number, Waiting { request, answer });
        let is_first = !std::mem::replace(&mut queue.is_busy, true);
        // Not under the lock: a runtime that is shutting down drops the turn at once.
        drop(queue);
        if is_first {
            Turn::spawn(this, false);
        }
        (number, receiver)
    }

    /// Takes the next group off the queue.
    fn next_group(&self) -> Vec<Waiting<Req, Res>> {
        let mut queue = self.lock();
        let requests: Vec<&Req> = queue.waiting.values().map(|waiting| &waiting.request).collect();
        let mut chosen = (self.choose)(&requests);
        if !chosen.contains(&true) {
            chosen = vec![true];
        }
        let numbers = queue.waiting.keys().zip(chosen).filter(|(_, is_chosen)| *is_chosen);
        let numbers: Vec<u64> = numbers.map(|(number, _)| *number).collect();
        numbers.iter().filter_map(|number| queue.waiting.remove(number)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Queue<Req, Res>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a caller in the queue, which is free again once it has an answer or goes away.
struct Place<'a, Req: Send + 'static, Res: Send + 'static> {
    shared: &'a Shared<Req, Res>,
    number: u64,
}

impl<Req: Send + 'static, Res: Send + 'static> Drop for Place<'_, Req, Res> {
    fn drop(&mut self) {
        let left = self.shared.lock().waiting.remove(&self.number);
        drop(left);
    }
}

/// The right to commit; when it ends, however it ends, the next group has its turn.
struct Turn<Req: Send + 'static, Res: Send + 'static> {
    shared: Arc<Shared<Req, Res>>,
    /// False as long as the runtime has not run it, which one that is shutting down never does.
    has_begun: bool,
    /// Number of callers it has answered.
    answered: usize,
}

impl<Req: Send + 'static, Res: Send + 'static> Turn<Req, Res> {
    /// Commits the next group; one that `gathers` first lets others join it.
    fn spawn(shared: &Arc<Shared<Req, Res>>, gathers: bool) {
        let turn = Self { shared: Arc::clone(shared), has_begun: false, answered: 0 };
        shared.runtime.spawn(turn.commit_group(gathers));
    }

    async fn commit_group(mut self, gathers: bool) {
        self.has_begun = true;
        if gathers {
            // The callers whose answers have just been sent get to hand in their next requests.
            tokio::task::yield_now().await;
        }
        let (requests, answers): (Vec<_>, Vec<_>) = self
            .shared
            .next_group()
            .into_iter()
            .map(|waiting| (waiting.request, waiting.answer))
            .unzip();
        self.answered = requests.len();
        if requests.is_empty() {
            return;
        }
        let results = (self.shared.commit)(requests).await;
        for (answer, result) in answers.into_iter().zip(results) {
            // A caller that went away has no use for its answer.
            drop(answer.send(result));
        }
    }
}

impl<Req: Send + 'static, Res: Send + 'static> Drop for Turn<Req, Res> {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        // Without a runtime nobody commits any more, and whoever waits hears that it broke off.
        let given_up =
            if self.has_begun { BTreeMap::new() } else { std::mem::take(&mut queue.waiting) };
        // Callers that shared a commit come back together: were the first of them to go alone,
        // every other commit would be one of a single request.
        queue.is_busy = !queue.waiting.is_empty() || (self.has_begun && self.answered > 1);
        let is_busy = queue.is_busy;
        // Not under the lock: a runtime that is shutting down drops the turn at once.
        drop(queue);
        drop(given_up);
        if is_busy {
            Self::spawn(&self.shared, true);
        }
    }
}

impl<Req: Send + 'static, Res: Send + 'static> fmt::Debug for GroupCommit<Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCommit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::time::Duration;

    fn doubling() -> GroupCommit<u32, (u32, usize)> {
        GroupCommit::new(
            |requests| requests.iter().map(|n| **n != 13).collect(),
            |group| {
                async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    let size = group.len();
                    group.into_iter().map(|n| (2 * n, size)).collect()
                }
                .boxed()
            },
        )
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_gets_their_own_answer_and_latecomers_share_a_group() {
        let commits = doubling();
        let first = commits.submit(10);
        let late = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            futures::future::join_all((0..9).map(|n| commits.submit(n))).await
        };
        let (first, late) = tokio::join!(first, late);
        assert_eq!(first, Some((20, 1)));
        for (n, answer) in (0..).zip(late) {
            assert_eq!(answer, Some((2 * n, 9)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_shared_a_commit_share_the_next() {
        let commits = doubling();
        let callers = (0..4).map(|_| async {
            let mut sizes = Vec::new();
            for n in 0..6 {
                sizes.push(commits.submit(n).await.unwrap().1);
            }
            sizes
        });
        for sizes in futures::future::join_all(callers).await {
            assert_eq!(sizes[1..5], [4; 4], "{sizes:?}");
        }
        assert_eq!(commits.submit(7).await, Some((14, 1)), "whoever is left goes alone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_fits_no_group_goes_alone() {
        let commits = doubling();
        let (_, odd, _) = tokio::join!(commits.submit(1), commits.submit(13), commits.submit(2));
        assert_eq!(odd, Some((26, 1)));
    }

    #[test]
    fn a_runtime_that_ends_while_requests_wait_does_not_hang() {
        let (ended, has_ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let commits: GroupCommit<u32, u32> = runtime.block_on(async {
                GroupCommit::new(
                    |all| vec![true; all.len()],
                    |_| futures::future::pending().boxed(),
                )
            });
            let commits = Arc::new(commits);
            for n in 0..4 {
                let commits = Arc::clone(&commits);
                runtime.spawn(async move { commits.submit(n).await });
            }
            // One has begun, and the others wait for it.
            while commits.shared.lock().count < 4 || commits.shared.lock().waiting.len() > 3 {
                std::thread::yield_now();
            }
            drop(runtime);
            ended.send(commits.shared.lock().waiting.len()).unwrap();
        });
        assert_eq!(has_ended.recv_timeout(Duration::from_secs(10)), Ok(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_holds_up_nobody() {
        let commits = doubling();
        let soon = Duration::from_millis(5);
        let first = tokio::time::timeout(soon, commits.submit(1));
        let others = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let second = tokio::time::timeout(soon, commits.submit(2));
            tokio::join!(second, commits.submit(3))
        };
        let (first, (second, third)) = tokio::join!(first, others);
        assert!(first.is_err() && second.is_err());
        assert_eq!(third, Some((6, 1)), "who went away before its group began is not in it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_is_not_polled_holds_up_nobody() {
        let commits = doubling();
        let mut idle = Box::pin(commits.submit(1));
        assert!(idle.as_mut().now_or_never().is_none());
        for n in 2..4 {
            let other = tokio::time::timeout(Duration::from_secs(1), commits.submit(n)).await;
            assert_eq!(other.unwrap().unwrap().0, 2 * n);
        }
        assert_eq!(idle.await.unwrap().0, 2);
    }
}
