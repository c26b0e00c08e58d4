//! What can be asked of a saga, from any process.

use std::fmt;
use std::str::FromStr;

use super::SagaState;

/// A request that whoever runs the saga obeys at its next transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SagaRequest {
    /// Rest after the step that is under way.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Give up, and compensate.
    Cancel,
    /// Try the compensation that gave up again.
    Retry,
    /// Go on without the compensation that gave up.
    Skip,
}

/// A text that names nothing that can be asked of a saga.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a request to a saga")]
pub struct UnknownSagaRequest(pub String);

impl SagaRequest {
    /// Every request.
    pub const ALL: [Self; 5] = [Self::Pause, Self::Resume, Self::Cancel, Self::Retry, Self::Skip];

    /// The name of the request, as stores keep it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Skip => "skip",
        }
    }

    /// Returns what is pending once the request was made; `None` when it cannot be made.
    ///
    /// For backends, which compare and set with it. A resume withdraws a pause that is yet to be
    /// obeyed, and the other way round; a cancel replaces both.
    #[must_use]
    pub fn admitted(
        self,
        state: SagaState,
        is_unwinding: bool,
        pending: Option<Self>,
    ) -> Option<Option<Self>> {
        use SagaState::{Compensating, Failed, NotStarted, Paused, Running};
        let is_moving = matches!(state, NotStarted | Running | Compensating);
        let is_cancellable = matches!(state, NotStarted | Running | Paused) && !is_unwinding;
        let is_first = pending.is_none() || pending == Some(self);
        match self {
            Self::Pause if is_moving && is_first => Some(Some(self)),
            Self::Pause if state == Paused && pending == Some(Self::Resume) => Some(None),
            Self::Resume if state == Paused && is_first => Some(Some(self)),
            Self::Resume if is_moving && pending == Some(Self::Pause) => Some(None),
            Self::Cancel if is_cancellable => Some(Some(self)),
            Self::Retry | Self::Skip if state == Failed && is_first => Some(Some(self)),
            _ => None,
        }
    }
}

impl fmt::Display for SagaRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SagaRequest {
    type Err = UnknownSagaRequest;

    fn from_str(text: &str) -> Result<Self, UnknownSagaRequest> {
        let found = Self::ALL.into_iter().find(|request| request.as_str() == text);
        found.ok_or_else(|| UnknownSagaRequest(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SagaRequest::{Cancel, Pause, Resume, Retry, Skip};
    use SagaState::{Compensated, Compensating, Completed, Failed, NotStarted, Paused, Running};

    #[test]
    fn each_state_allows_what_makes_sense_in_it() {
        let allowed: [(SagaState, bool, &[SagaRequest]); 8] = [
            (NotStarted, false, &[Pause, Cancel]),
            (Running, false, &[Pause, Cancel]),
            (Completed, false, &[]),
            (Compensating, true, &[Pause]),
            (Compensated, true, &[]),
            (Failed, true, &[Retry, Skip]),
            (Paused, false, &[Resume, Cancel]),
            (Paused, true, &[Resume]),
        ];
        for (state, is_unwinding, requests) in allowed {
            for request in SagaRequest::ALL {
                let expected = requests.contains(&request).then_some(Some(request));
                assert_eq!(request.admitted(state, is_unwinding, None), expected, "{request}");
            }
        }
    }

    #[test]
    fn a_pause_and_a_resume_withdraw_each_other_and_a_cancel_replaces_both() {
        assert_eq!(Resume.admitted(Running, false, Some(Pause)), Some(None));
        assert_eq!(Pause.admitted(Paused, false, Some(Resume)), Some(None));
        assert_eq!(Cancel.admitted(Running, false, Some(Pause)), Some(Some(Cancel)));
        assert_eq!(Cancel.admitted(Paused, false, Some(Resume)), Some(Some(Cancel)));
        assert_eq!(Pause.admitted(Running, false, Some(Cancel)), None);
        assert_eq!(Skip.admitted(Failed, true, Some(Retry)), None);
    }

    #[test]
    fn a_request_reads_back_from_its_text() {
        for request in SagaRequest::ALL {
            assert_eq!(request.as_str().parse(), Ok(request));
        }
        assert!("halt".parse::<SagaRequest>().is_err());
    }
}
