//! The states of a saga.

use std::fmt;
use std::str::FromStr;

/// Where a saga stands.
///
/// `NotStarted → Running → Completed`; once it gives up, `Running → Compensating → Compensated`,
/// or `Failed` when a compensation gives up. `Paused` is entered from `NotStarted`, `Running` or
/// `Compensating`, and left to where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum SagaState {
    /// Created; no worker has taken it up yet.
    NotStarted,
    /// Its steps are being run.
    Running,
    /// Every step has finished; final.
    Completed,
    /// It has given up; steps are being compensated, newest first.
    Compensating,
    /// Every step that had, or may have had, an effect is compensated; final.
    Compensated,
    /// A compensation has given up: it rests until somebody says retry or skip.
    Failed,
    /// It rests until somebody says resume.
    Paused,
}

/// A text that names no state of a saga.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a state of a saga")]
pub struct UnknownSagaState(pub String);

impl SagaState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::NotStarted,
        Self::Running,
        Self::Completed,
        Self::Compensating,
        Self::Compensated,
        Self::Failed,
        Self::Paused,
    ];

    /// The name of the state, as stores keep it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Compensating => "Compensating",
            Self::Compensated => "Compensated",
            Self::Failed => "Failed",
            Self::Paused => "Paused",
        }
    }

    /// Tells whether nothing can happen to the saga any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }

    /// Tells whether the saga goes on only when somebody says so, or never.
    #[must_use]
    pub const fn is_at_rest(self) -> bool {
        self.is_final() || matches!(self, Self::Failed | Self::Paused)
    }
}

impl fmt::Display for SagaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SagaState {
    type Err = UnknownSagaState;

    fn from_str(text: &str) -> Result<Self, UnknownSagaState> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownSagaState(text.to_owned()))
    }
}
