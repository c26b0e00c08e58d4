//! How many bytes the bodies of all requests hold together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Up to here a body may use what is kept back from larger ones.
const SMALL: usize = 64 << 10;

/// Time that a body is left in peace, however scarce room is.
const GRACE: Duration = Duration::from_secs(1);

/// Bounds the bytes of all bodies; whoever has taken longest makes room for others.
#[derive(Debug)]
pub(super) struct Bodies {
    limit: usize,
    held: Mutex<Reservation>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Reservation {
    bytes: usize,
    last: u64,
    /// The bodies that are still coming, in the order in which they began.
    coming: BTreeMap<u64, (Instant, CancellationToken)>,
}

/// The bytes of one body, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    bodies: Arc<Bodies>,
    number: u64,
    bytes: Mutex<usize>,
    /// Cancelled when the body has to make room.
    pub(super) revoked: CancellationToken,
}

impl Bodies {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default(), freed: Notify::new() })
    }

    /// The share of a body that begins to come, of no bytes yet.
    pub(super) fn begin(self: &Arc<Self>) -> Share {
        let revoked = CancellationToken::new();
        let mut held = self.held();
        held.last += 1;
        let number = held.last;
        held.coming.insert(number, (Instant::now(), revoked.clone()));
        drop(held);
        Share { bodies: Arc::clone(self), number, bytes: Mutex::new(0), revoked }
    }

    /// The bytes that are held now.
    pub(super) fn bytes(&self) -> usize {
        self.held().bytes
    }

    fn held(&self) -> MutexGuard<'_, Reservation> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Adds bytes to the share; waits for as long as there is no room for them.
    pub(super) async fn add(&self, bytes: usize) {
        loop {
            let mut freed = std::pin::pin!(self.bodies.freed.notified());
            freed.as_mut().enable();
            if self.try_add(bytes) {
                return;
            }
            // Nobody may be old enough yet to make room.
            tokio::select! {
                () = freed => {}
                () = tokio::time::sleep(GRACE / 4) => {}
            }
        }
    }

    fn try_add(&self, bytes: usize) -> bool {
        let mut own = lock(&self.bytes);
        let mut held = self.bodies.held();
        let kept_back = if *own + bytes <= SMALL { 0 } else { self.bodies.limit / 4 };
        if held.bytes + bytes + kept_back <= self.bodies.limit {
            held.bytes += bytes;
            *own += bytes;
            return true;
        }
        held.revoke_oldest(self.number);
        false
    }

    /// The body has come, and has no need to make room any more.
    pub(super) fn complete(&self) {
        self.bodies.held().coming.remove(&self.number);
    }
}

impl Reservation {
    fn revoke_oldest(&mut self, except: u64) {
        let mut others = self.coming.iter().filter(|(number, _)| **number != except);
        let Some((number, (began, revoked))) = others.next() else { return };
        if began.elapsed() >= GRACE {
            revoked.cancel();
            let number = *number;
            self.coming.remove(&number);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = *lock(&self.bytes);
        let mut held = self.bodies.held();
        held.bytes -= bytes;
        held.coming.remove(&self.number);
        drop(held);
        self.bodies.freed.notify_waiters();
    }
}

fn lock(bytes: &Mutex<usize>) -> MutexGuard<'_, usize> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const MIB: usize = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_that_still_comes_makes_room_and_small_ones_need_not_wait() {
        let bodies = Bodies::new(4 * MIB);
        let (whole, first, second) = (bodies.begin(), bodies.begin(), bodies.begin());
        whole.add(MIB).await;
        whole.complete();
        first.add(MIB).await;
        second.add(MIB).await;
        assert!(!second.try_add(MIB) && !first.revoked.is_cancelled(), "it has just begun");
        bodies.begin().add(SMALL).await;
        advance(GRACE).await;
        assert!(!second.try_add(MIB) && first.revoked.is_cancelled());
        assert!(!whole.revoked.is_cancelled() && !second.revoked.is_cancelled());
        let waits = second.add(MIB);
        drop(first);
        waits.await;
        assert_eq!(bodies.bytes(), 3 * MIB);
        drop((whole, second));
        assert_eq!(bodies.bytes(), 0);
    }
}
