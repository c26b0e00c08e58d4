//! How many sagas do not go on by themselves.

use crate::name::SagaName;
use crate::projections::{Health, Verdict};

/// Sagas that somebody should look at, each count up to a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SagaCounts {
    /// Those that wait for a human to say retry or skip.
    pub failed: usize,
    /// Those that are paused with an error: the engine has paused them, because their state or
    /// their definition does not fit.
    pub paused: usize,
    /// Those that have been due for too long and that nobody has taken, by kind and version.
    pub overdue: Vec<OverdueSagas>,
}

/// Sagas of one kind and version that nobody takes up: nobody alive has it, or too few do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueSagas {
    /// Their kind.
    pub name: SagaName,
    /// The version of their definition.
    pub version: u32,
    /// Number of them.
    pub count: usize,
}

impl SagaCounts {
    /// Tells how well they do, as a process sees it that has `registered` these kinds and
    /// versions, where that is known: degraded at worst, for other instances could help no more
    /// than this one.
    #[must_use]
    pub fn judge(&self, registered: Option<&[(SagaName, u32)]>) -> Verdict {
        let mut verdict = Verdict::default();
        let degraded = |count: usize| Health::of(count > 0, false);
        let Self { failed, paused, overdue } = self;
        verdict
            .add(degraded(*failed), || format!("{failed} failed sagas wait for a retry or a skip"));
        verdict.add(degraded(*paused), || format!("{paused} sagas are paused with an error"));
        for OverdueSagas { name, version, count } in overdue {
            let is_here = |known: &[(SagaName, u32)]| known.contains(&(name.clone(), *version));
            let whose = match registered.map(is_here) {
                Some(false) => ", which is not registered in this process",
                _ => "",
            };
            verdict.add(degraded(*count), || {
                format!(
                    "{count} sagas are due that nobody takes up: {name:?} version {version}{whose}"
                )
            });
        }
        verdict
    }
}
