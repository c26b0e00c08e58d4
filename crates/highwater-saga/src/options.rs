//! How sagas are run.

use std::time::Duration;

use highwater_core::InvalidOption;

/// The longest time; beyond it databases and clocks disagree about when it ends.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Options of an orchestrator; the defaults suit most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrchestratorOptions {
    /// Sagas that are worked on at once; those that sleep or wait do not count. Default 1,024;
    /// lower it when steps are heavy, raise it when they are slow and light.
    pub max_in_flight: usize,
    /// Bytes of the states, and of the inputs, of the sagas that are worked on at once. Default
    /// 64 MiB. There may be one saga more than there is room for, lest a large one never has its
    /// turn.
    pub max_bytes: usize,
    /// Bytes of the state of one saga, as JSON. Default 4 MiB. A larger one is refused at the
    /// start; a step that leaves one fails, and the state before it is kept.
    pub max_state_bytes: usize,
    /// Number of processes that may end while they run one step. Default 3; then the step has
    /// failed and is compensated. Its last try is made with no other suspect beside it, so that it
    /// ends nobody else's; with 1 there is no such try. A process counts once, and no longer when
    /// it takes the saga up again: it was late, not dead. A step whose lease is lost ten times as
    /// often has failed, too.
    pub max_deaths: u32,
    /// A step that keeps its thread for longer than this is told of in the log and by
    /// [`blocked_steps`](crate::orchestrator::Orchestrator::blocked_steps). Default 1 s.
    pub block_warning: Duration,
    /// Time that a lease outlives its holder. Default 10 s; lower it for a faster take-over after
    /// a crash, raise it when the database may be away for longer than that.
    pub lease_ttl: Duration,
    /// Interval at which the store is asked for sagas that have become due by the clock or by
    /// another process; what this process does wakes it at once. Default 100 ms; raise it to spare
    /// an
    /// idle database, and in tests that skip time.
    pub poll_interval: Duration,
}

impl Default for OrchestratorOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 1_024,
            max_bytes: 64 << 20,
            max_state_bytes: 4 << 20,
            max_deaths: 3,
            block_warning: Duration::from_secs(1),
            lease_ttl: Duration::from_secs(10),
            poll_interval: Duration::from_millis(100),
        }
    }
}

impl OrchestratorOptions {
    /// The same with times that have an end.
    pub(crate) fn bounded(self) -> Self {
        let lease_ttl = self.lease_ttl.min(TIME_MAX);
        Self { lease_ttl, poll_interval: self.poll_interval.min(TIME_MAX), ..self }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        InvalidOption::require_positive([
            ("max_in_flight", self.max_in_flight > 0),
            ("max_bytes", self.max_bytes > 0),
            ("max_state_bytes", self.max_state_bytes > 0),
            ("max_deaths", self.max_deaths > 0),
            ("lease_ttl", !self.lease_ttl.is_zero()),
            ("poll_interval", !self.poll_interval.is_zero()),
        ])
    }
}
