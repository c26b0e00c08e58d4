//! Calls that end by themselves, whatever becomes of whoever made them.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::StoreError;

/// Time behind its deadline at which a call is given up that has not said why it is late.
const GRACE: Duration = Duration::from_millis(250);

/// Time that something that others wait for is kept for a caller who does not come to take it.
const KEPT: Duration = Duration::from_secs(1);

/// Runs each call of a store in a task of its own.
///
/// For backends. A caller may be dropped, or not be polled for an hour, and holds no connection,
/// lock or transaction meanwhile: the task goes on without it and has an end of its own. Calls run
/// on the runtime that this was made on.
#[derive(Debug, Clone)]
pub struct Calls(Handle);

impl Calls {
    /// Runs calls on the present runtime; panics outside one.
    #[must_use]
    pub fn new() -> Self {
        Self(Handle::current())
    }

    /// Does `work` with what `ready` returns, and hands over the answer.
    ///
    /// A caller that goes away while `ready` waits, for a connection in most cases, takes the call
    /// with it: nothing has begun. After that `work` goes on to its end. The caller gets
    /// `Unavailable` when there is no answer by `deadline`, and so must `work` end by then.
    pub async fn run<P, T, F>(
        &self,
        deadline: Instant,
        ready: impl Future<Output = Result<P, StoreError>> + Send + 'static,
        work: impl FnOnce(P) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        P: Send,
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let (mut answer, answered) = oneshot::channel();
        self.0.spawn(async move {
            let ready = tokio::select! {
                biased;
                ready = ready => ready,
                () = answer.closed() => return,
            };
            let result = match ready {
                Ok(ready) => work(ready).await,
                Err(error) => Err(error),
            };
            // A caller that went away has no use for it.
            drop(answer.send(result));
        });
        Self::answer(deadline, answered).await
    }

    /// Hands over what `ready` returns, and drops it when nobody takes it for a second: it may be
    /// a transaction, which others wait for.
    pub async fn take<T: Send + 'static>(
        &self,
        deadline: Instant,
        ready: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (mut answer, answered) = oneshot::channel();
        let (is_taken, taken) = oneshot::channel::<()>();
        let place = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&place);
        self.0.spawn(async move {
            let ready = tokio::select! {
                biased;
                ready = ready => ready,
                () = answer.closed() => return,
            };
            let found = ready.map(|value| {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            });
            drop(answer.send(found));
            // Ends when the caller has taken it, or goes away: dropped here in any case, where
            // there is a runtime.
            drop(timeout(KEPT, taken).await);
            let left = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(left);
        });
        Self::answer(deadline, answered).await?;
        let value = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(is_taken);
        value.ok_or_else(|| StoreError::Unavailable("it was not taken in time".into()))
    }

    async fn answer<T>(
        deadline: Instant,
        answered: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(deadline, answered)
            .await?
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the call broke off".into())))
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self::new()
    }
}

/// Waits for an answer that is due by `deadline`, and a little longer, for it may say why it is
/// late.
///
/// Fails with `Unavailable` when it does not come.
pub async fn within<T>(
    deadline: Instant,
    answer: impl Future<Output = T>,
) -> Result<T, StoreError> {
    timeout_at(deadline + GRACE, answer)
        .await
        .map_err(|_| StoreError::Unavailable("there was no answer in time".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Says when it is dropped.
    struct Held(Arc<AtomicBool>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_begun_ends_although_its_caller_has_gone() {
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Held(Arc::clone(&is_done));
        let calls = Calls::new();
        let call = calls.run(soon(), async { Ok(()) }, |()| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(done);
            Ok(())
        });
        assert!(timeout(Duration::from_millis(1), call).await.is_err());
        assert!(!is_done.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(is_done.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_not_begun_goes_with_its_caller() {
        let is_dropped = Arc::new(AtomicBool::new(false));
        let held = Held(Arc::clone(&is_dropped));
        let waits = async move {
            let _held = held;
            std::future::pending::<Result<(), StoreError>>().await
        };
        let calls = Calls::new();
        let call = calls.run(soon(), waits, |()| async { Ok(()) });
        assert!(timeout(Duration::from_millis(1), call).await.is_err());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(is_dropped.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_is_given_back() {
        let is_dropped = Arc::new(AtomicBool::new(false));
        let held = Held(Arc::clone(&is_dropped));
        let calls = Calls::new();
        let mut call = Box::pin(calls.take(soon(), async move { Ok(held) }));
        assert!(call.as_mut().now_or_never().is_none());
        tokio::time::sleep(KEPT * 2).await;
        assert!(is_dropped.load(Ordering::SeqCst));
        assert!(call.await.is_err_and(|error| error.is_transient()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_late_is_unavailable() {
        let pending = std::future::pending::<Result<(), StoreError>>();
        let called = Instant::now();
        let late = Calls::new().run(soon(), pending, |()| async { Ok(()) }).await;
        assert!(late.is_err_and(|error| error.is_transient()));
        assert!(called.elapsed() < Duration::from_secs(11));
    }
}
