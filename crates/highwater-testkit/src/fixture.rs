//! A fresh store for each law, removed afterwards even when the law is broken.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt;

/// A law that has not ended by then hangs.
const PATIENCE: Duration = Duration::from_mins(5);

/// One fresh, empty store with default limits, and how to get rid of it.
///
/// ```
/// use highwater_testkit::{Fixture, MemoryStore};
///
/// /// A store of a backend of one's own; `MemoryStore` is a fixture by itself.
/// async fn fresh() -> impl Fixture {
///     MemoryStore::new()
/// }
/// ```
pub trait Fixture {
    /// The store to be proven.
    type Store;

    /// The store.
    fn store(&self) -> Self::Store;

    /// Another handle on the same data, such as another process would open.
    ///
    /// Where nothing outlives the handle, as in memory, a clone of it.
    fn reopen(&self) -> impl Future<Output = Self::Store>;

    /// Removes the data; called after every law, also after a broken one.
    fn finish(self) -> impl Future<Output = ()>;
}

/// Tries one law on a fresh store, on several threads; panics when it is broken or hangs.
///
/// What [`conformance!`](crate::conformance) makes every test of.
pub fn prove<F: Fixture>(fresh: impl AsyncFnOnce() -> F, law: impl AsyncFnOnce(&F)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime for the law").block_on(async {
        let fixture = fresh().await;
        let trial = AssertUnwindSafe(tokio::time::timeout(PATIENCE, law(&fixture)));
        let outcome = trial.catch_unwind().await;
        fixture.finish().await;
        match outcome {
            Ok(ended) => ended.expect("the law does not end"),
            Err(broken) => resume_unwind(broken),
        }
    });
}
