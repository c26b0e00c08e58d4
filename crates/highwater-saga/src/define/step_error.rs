//! Why a step did not finish, and what that means for the saga.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use highwater_core::BoxError;

/// Reason why a step did not finish: try again, or give up; without effect, or perhaps with one.
///
/// It is not an [`Error`] itself, so that `?` turns every error into one. `?` says "try again,
/// and nobody knows whether it had an effect": a lost connection may hide a reservation that was
/// made. When the attempts are used up such a step is compensated like one that finished.
pub struct StepError {
    source: BoxError,
    is_final: bool,
    is_in_doubt: bool,
}

/// Result of a step or of a compensation.
pub type StepResult = Result<(), StepError>;

impl StepError {
    /// Give up: the step had no effect, and will never have one.
    ///
    /// The steps before it are compensated, it is not; unless an earlier attempt at it left
    /// doubts. In a compensation: only a human can help.
    pub fn abort(error: impl Into<BoxError>) -> Self {
        Self { source: error.into(), is_final: true, is_in_doubt: false }
    }

    /// Try again: this attempt had no effect, as when the other side was too busy.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        Self { source: error.into(), is_final: false, is_in_doubt: false }
    }

    /// Try again: this attempt may have had an effect; what `?` says.
    pub fn unknown(error: impl Into<BoxError>) -> Self {
        Self { source: error.into(), is_final: false, is_in_doubt: true }
    }

    /// Give up: what the step did stands, and what it left cannot be kept.
    pub(crate) fn lasting(error: impl Into<BoxError>) -> Self {
        Self { source: error.into(), is_final: true, is_in_doubt: true }
    }

    /// Wait on: the signal is none that can be used, such as one of another form.
    ///
    /// What [`Wait::received`](crate::define::Wait::received) says of a signal that says nothing about the
    /// saga. An error of `serde_json`, however it is wrapped here, says the same. Elsewhere it is
    /// [`abort`](Self::abort).
    pub fn malformed(error: impl Into<BoxError>) -> Self {
        Self::abort(Malformed(error.into()))
    }

    /// Tells whether it was a signal that could not be used.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.source.is::<Malformed>() || self.source.is::<serde_json::Error>()
    }

    /// The step's time was up, or the saga's.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::unknown(TimedOut(limit))
    }

    /// The error itself, so that a retry policy can tell one kind from another.
    #[must_use]
    pub fn source(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.source
    }

    /// Tells whether the step took too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.source.is::<TimedOut>()
    }

    /// Tells whether the step gave up, whatever its policy says.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// Tells whether the attempt may have had an effect.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// The error and its causes in one line; a cause that the error tells of itself is not
    /// repeated.
    pub(crate) fn text(&self) -> String {
        let mut text = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let told = error.to_string();
            if !text.ends_with(&told) {
                text = format!("{text}: {told}");
            }
            cause = error.source();
        }
        text
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::unknown(error)
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepError")
            .field("source", &self.source)
            .field("is_final", &self.is_final)
            .field("is_in_doubt", &self.is_in_doubt)
            .finish()
    }
}

/// A signal of another form.
#[derive(Debug, thiserror::Error)]
#[error("malformed: {0}")]
struct Malformed(BoxError);

/// The end of a step's time.
#[derive(Debug, thiserror::Error)]
#[error("not finished after {0:?}")]
struct TimedOut(Duration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_behind_a_question_mark_is_tried_again_and_leaves_doubts() {
        fn fails() -> StepResult {
            "x".parse::<u32>()?;
            Ok(())
        }
        let error = fails().unwrap_err();
        assert!(!error.is_final() && error.is_in_doubt() && !error.is_timeout());
        assert!(error.source().is::<std::num::ParseIntError>());
        let aborted = StepError::abort("no rooms");
        assert!(aborted.is_final() && !aborted.is_in_doubt());
        assert!(StepError::timed_out(Duration::from_secs(1)).is_timeout());
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_each_of_them_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("no room")]
        struct NoRoom;
        #[derive(Debug, thiserror::Error)]
        enum Hotel {
            #[error("the hotel refused")]
            Silent(#[source] NoRoom),
            #[error("the hotel refused: {0}")]
            Told(#[source] NoRoom),
        }
        for error in [Hotel::Silent(NoRoom), Hotel::Told(NoRoom)] {
            assert_eq!(StepError::abort(error).text(), "the hotel refused: no room");
        }
    }
}
