//! One lease on a saga in flight: until when it holds, and what its step is doing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use highwater_core::SagaLease;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Renewals within the time to live of a lease, so that one or two may fail.
const RENEWALS: u32 = 3;

/// Tries within the time to live of a lease once a renewal has failed.
const RETRIES: u32 = 10;

/// A lease, and until when it surely holds.
///
/// The time to live counts from before each request was sent: this side's idea of when the lease
/// ends is never later than the store's.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) lease: SagaLease,
    ttl: Duration,
    times: Mutex<Times>,
    has_lost: Notify,
}

#[derive(Debug)]
struct Times {
    renew_at: Instant,
    expires_at: Instant,
    /// When a step under way is broken off, unless the lease is renewed before: at its end or, if
    /// nobody had time to renew it before that, a little later.
    ends_at: Instant,
    is_renewing: bool,
    /// True when a result is in hand: it is recorded unless somebody took the saga over, whatever
    /// the clock says.
    is_recording: bool,
    is_lost: bool,
    /// True when the store failed to renew it, rather than nobody having had time to ask.
    has_failed: bool,
    /// The step under way.
    step: String,
    /// Since when its code has the thread, and whether it was told that it has it for long.
    polled: Option<(std::time::Instant, bool)>,
}

/// What is to be done about a lease.
pub(crate) enum Chore {
    Renew,
    At(Instant),
    None,
}

impl Hold {
    pub(crate) fn new(lease: SagaLease, ttl: Duration, asked_at: Instant) -> Self {
        let times = Times {
            renew_at: asked_at + ttl / RENEWALS,
            expires_at: asked_at + ttl,
            ends_at: asked_at + ttl,
            is_renewing: false,
            is_recording: false,
            is_lost: false,
            has_failed: false,
            step: String::new(),
            polled: None,
        };
        Self { lease, ttl, times: Mutex::new(times), has_lost: Notify::new() }
    }

    pub(crate) fn renew_at(&self) -> Instant {
        self.times().renew_at
    }

    pub(crate) fn ends_at(&self) -> Instant {
        self.times().ends_at
    }

    pub(crate) fn expires_at(&self) -> Instant {
        self.times().expires_at
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.times().is_lost
    }

    /// Tells whether it is past its end, and not known to be lost.
    pub(crate) fn is_overdue(&self) -> bool {
        let times = self.times();
        !times.is_lost && Instant::now() >= times.expires_at
    }

    /// Returns what is to be done; a lease that was not renewed in time is lost.
    pub(crate) fn chore(&self, now: Instant) -> Chore {
        let mut times = self.times();
        if times.is_lost {
            return Chore::None;
        }
        let is_over = now >= times.ends_at && !times.is_recording;
        let is_late =
            now >= times.expires_at && times.ends_at <= times.expires_at && !times.has_failed;
        if !times.is_renewing && now >= times.renew_at && (!is_over || is_late) {
            if is_late {
                times.ends_at = now + self.ttl / RENEWALS;
            }
            times.is_renewing = true;
            return Chore::Renew;
        }
        if is_over {
            drop(times);
            self.lose();
            return Chore::None;
        }
        match (times.is_renewing, times.is_recording) {
            (true, true) => Chore::None,
            (true, false) => Chore::At(times.ends_at),
            (false, true) => Chore::At(times.renew_at),
            (false, false) => Chore::At(times.renew_at.min(times.ends_at)),
        }
    }

    /// Says that the lease was extended by a request that was sent at `asked_at`.
    pub(crate) fn renewed(&self, asked_at: Instant) {
        let mut times = self.times();
        times.is_renewing = false;
        self.extend(&mut times, asked_at);
    }

    /// Says that a transition under the lease, which was sent at `asked_at`, extended it.
    pub(crate) fn extended(&self, asked_at: Instant) {
        self.extend(&mut self.times(), asked_at);
    }

    fn extend(&self, times: &mut Times, asked_at: Instant) {
        times.has_failed = false;
        times.renew_at = times.renew_at.max(asked_at + self.ttl / RENEWALS);
        times.expires_at = times.expires_at.max(asked_at + self.ttl);
        times.ends_at = times.ends_at.max(times.expires_at);
    }

    /// Says that a renewal has failed; it is tried again soon.
    pub(crate) fn failed(&self) {
        let mut times = self.times();
        times.is_renewing = false;
        times.has_failed = true;
        times.renew_at = Instant::now() + self.ttl / RETRIES;
    }

    /// Says that somebody else has the saga, or may have.
    pub(crate) fn lose(&self) {
        self.times().is_lost = true;
        self.has_lost.notify_waiters();
    }

    /// Returns once the lease is lost.
    pub(crate) async fn lost(&self) {
        loop {
            let lost = self.has_lost.notified();
            tokio::pin!(lost);
            lost.as_mut().enable();
            if self.is_lost() {
                return;
            }
            lost.await;
        }
    }

    /// Says whether there is a result in hand.
    pub(crate) fn set_recording(&self, is_recording: bool) {
        self.times().is_recording = is_recording;
    }

    /// Says which step is under way.
    pub(crate) fn begin(&self, step: &str) {
        step.clone_into(&mut self.times().step);
    }

    /// Says that the step's code has the thread.
    pub(crate) fn enter(&self) {
        self.times().polled = Some((std::time::Instant::now(), false));
    }

    /// Says that it has given the thread back; for how long it had it, and whether that was told.
    pub(crate) fn leave(&self) -> (Duration, bool) {
        let polled = self.times().polled.take();
        polled.map_or((Duration::ZERO, true), |(since, is_told)| (since.elapsed(), is_told))
    }

    /// The step whose code has kept its thread for longer than `limit`, and for how long.
    pub(crate) fn blocked(&self, limit: Duration) -> Option<(String, Duration)> {
        let times = self.times();
        let blocked = times.polled.as_ref()?.0.elapsed();
        (blocked > limit).then(|| (times.step.clone(), blocked))
    }

    /// Tells whether the step that is blocked is yet to be told of, which it is now.
    pub(crate) fn tell(&self) -> bool {
        let mut times = self.times();
        times.polled.as_mut().is_some_and(|(_, is_told)| !std::mem::replace(is_told, true))
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
