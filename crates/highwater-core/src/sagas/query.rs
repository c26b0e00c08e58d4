//! How sagas are searched.

use chrono::{DateTime, Utc};

use super::{SagaRecord, SagaState};
use crate::name::{CorrelationId, SagaId, SagaName};

/// Which sagas to list, newest first; what is `None` does not narrow the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaQuery {
    /// Those of one business process.
    pub correlation_id: Option<CorrelationId>,
    /// Those of one kind.
    pub name: Option<SagaName>,
    /// Those in one state.
    pub state: Option<SagaState>,
    /// Those created at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Those created before this time.
    pub until: Option<DateTime<Utc>>,
    /// Those that come after this one in the list: the last one of the page before.
    pub after: Option<SagaId>,
    /// Number at most. Default 100; 0 is refused.
    pub limit: usize,
}

impl Default for SagaQuery {
    fn default() -> Self {
        Self {
            correlation_id: None,
            name: None,
            state: None,
            from: None,
            until: None,
            after: None,
            limit: 100,
        }
    }
}

impl SagaQuery {
    /// Tells whether the saga is one that is searched for, `after` and `limit` aside.
    #[must_use]
    pub fn admits(&self, saga: &SagaRecord) -> bool {
        self.correlation_id.as_ref().is_none_or(|id| *id == saga.correlation_id)
            && self.name.as_ref().is_none_or(|name| *name == saga.name)
            && self.state.is_none_or(|state| state == saga.progress.state)
            && self.from.is_none_or(|from| saga.started_at >= from)
            && self.until.is_none_or(|until| saga.started_at < until)
    }
}
