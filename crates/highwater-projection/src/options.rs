//! How a projection is run.

use std::time::Duration;

use highwater_core::{Backoff, InvalidOption, RetryPolicy};

/// Options of one projection; the defaults suit most.
///
/// ```
/// use highwater_projection::{FailurePolicy, ProjectionOptions};
/// let options = ProjectionOptions { on_failure: FailurePolicy::Skip, ..Default::default() };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionOptions {
    /// Events read, and at most applied in one transaction. Default 500; raise it towards 1,000
    /// for a faster catch-up, lower it when one event changes much.
    pub batch_size: usize,
    /// Interval at which the checkpoint is stored. Default per batch; see [`CheckpointPolicy`].
    pub checkpoint: CheckpointPolicy,
    /// Time that an idle projection waits before it looks at its checkpoint for requests and
    /// resets; new events wake it earlier. Default 500 ms; raise it to spare an idle database.
    pub poll_interval: Duration,
    /// Time that a lease outlives its holder. Default 10 s; lower it for a faster take-over after
    /// a crash, raise it when the database may be away for longer than that.
    pub lease_ttl: Duration,
    /// Interval at which a standby tries to get the lease. Default 250 ms; lower it for a faster
    /// hand-over.
    pub standby_interval: Duration,
    /// Retries of an event that fails, and the waits between them. Default 5 attempts from 100
    /// ms on.
    pub retry: RetryPolicy,
    /// Workers that may end with an event that is tried alone, without a word, before it counts as
    /// failed: by an abort, an exhausted stack or memory. Default 3; raise it where processes are
    /// killed often and events take long.
    pub max_deaths: u32,
    /// What happens when an event has used up its attempts or its deaths. Default stop.
    pub on_failure: FailurePolicy,
    /// The waits while the store fails, which is blamed on no event. Default 100 ms doubling to
    /// 30 s; lower the cap for a faster recovery.
    pub poll_backoff: Backoff,
    /// Failures of the store in a row after which the projection gives up. Default none, it goes
    /// on trying; set it for a `catch_up` that must end. While [`run`](crate::projections::Projections::run)
    /// does, it is started again after the longest of the waits.
    pub max_poll_failures: Option<u32>,
    /// Time that a read may take before it counts as a failure of the store. Default 60 s; raise
    /// it where a filter passes over very many events between two that match.
    pub read_timeout: Duration,
    /// True when `run` starts the projection. Default true; otherwise `start` does.
    pub auto_start: bool,
    /// Mode: whether it goes on once it has caught up. Default continuous.
    pub mode: Mode,
}

/// Interval at which a checkpoint is stored.
///
/// A read model and its checkpoint always commit together; what a crash can repeat is only the
/// effects of a handler since its last stored checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckpointPolicy {
    /// After each batch: the fastest for read models.
    #[default]
    PerBatch,
    /// After each event: a crash repeats at most one effect, a read model commits each event
    /// alone.
    PerEvent,
    /// When this long has passed. A handler acts on each event at once and stores its checkpoint
    /// later; a read model that has caught up lets events gather this long, then commits them
    /// together.
    Every(Duration),
}

/// Policy for an event that has failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// The projection stops before the event, with the error in its checkpoint; others go on.
    #[default]
    Stop,
    /// The event becomes a dead letter, recorded together with the checkpoint that passes it.
    Skip,
}

/// Mode of a projection: whether it goes on once it has caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It follows its source for ever.
    #[default]
    Continuous,
    /// It stops when it has processed everything there is.
    CatchUpThenStop,
}

impl Default for ProjectionOptions {
    fn default() -> Self {
        Self {
            batch_size: 500,
            checkpoint: CheckpointPolicy::default(),
            poll_interval: Duration::from_millis(500),
            lease_ttl: Duration::from_secs(10),
            standby_interval: Duration::from_millis(250),
            retry: RetryPolicy::default(),
            max_deaths: 3,
            on_failure: FailurePolicy::default(),
            poll_backoff: Backoff::default(),
            max_poll_failures: None,
            read_timeout: Duration::from_secs(60),
            auto_start: true,
            mode: Mode::default(),
        }
    }
}

impl ProjectionOptions {
    /// The first rule that is broken, if any.
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        let rules = [
            ("batch_size", self.batch_size > 0),
            ("poll_interval", !self.poll_interval.is_zero()),
            ("lease_ttl", !self.lease_ttl.is_zero()),
            ("standby_interval", !self.standby_interval.is_zero()),
            ("retry.max_attempts", self.retry.max_attempts > 0),
            ("max_deaths", self.max_deaths > 0),
            ("retry.backoff.base", !self.retry.backoff.base.is_zero()),
            ("poll_backoff.base", !self.poll_backoff.base.is_zero()),
            ("read_timeout", !self.read_timeout.is_zero()),
            ("max_poll_failures", self.max_poll_failures != Some(0)),
            ("checkpoint", self.checkpoint != CheckpointPolicy::Every(Duration::ZERO)),
        ];
        InvalidOption::require_positive(rules)?;
        for (option, backoff) in
            [("retry.backoff", &self.retry.backoff), ("poll_backoff", &self.poll_backoff)]
        {
            if backoff.cap < backoff.base {
                return Err(InvalidOption { option, reason: "has a cap below its base" });
            }
            if !(backoff.factor >= 1.0 && backoff.factor.is_finite()) {
                return Err(InvalidOption { option, reason: "has a factor that is not 1 or more" });
            }
            if !(0.0..=1.0).contains(&backoff.jitter) {
                return Err(InvalidOption { option, reason: "has a jitter outside 0 to 1" });
            }
        }
        Ok(())
    }
}
