//! The bound on what one page of a store holds.

use crate::events::RecordedEvent;
use crate::projections::{DeadLetter, Document};
use crate::sagas::{ClaimedSaga, SagaProgress, SagaRecord};

/// The bytes that a page of a store holds at most, or one item where that alone is larger.
pub const PAGE_BYTES: usize = 4 << 20;

/// Counts what goes on a page; for backends, which read no more than it admits.
///
/// ```
/// use highwater_core::PageBudget;
/// let mut budget = PageBudget::new(10);
/// let page: Vec<usize> = [4, 4, 4, 1].into_iter().take_while(|&n| budget.admits(n)).collect();
/// assert_eq!(page, [4, 4]);
/// assert!(PageBudget::new(10).admits(11), "a page has at least one item");
/// ```
#[derive(Debug, Clone)]
pub struct PageBudget {
    left: usize,
    is_empty: bool,
}

impl Default for PageBudget {
    fn default() -> Self {
        Self::new(PAGE_BYTES)
    }
}

impl PageBudget {
    /// A page of at most `bytes`.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes, is_empty: true }
    }

    /// Tells whether an item of `bytes` goes on the page: the first always does, and none behind
    /// one that did not.
    pub fn admits(&mut self, bytes: usize) -> bool {
        let is_first = std::mem::take(&mut self.is_empty);
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(0);
        // What is left is nothing from the first item on that does not fit.
        is_first || left.is_some()
    }
}

impl RecordedEvent {
    /// The bytes that it holds in memory, of names that it shares with others too.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let metadata = self.metadata.as_payload().map_or(0, |json| json.as_str().len());
        let names = self.stream.as_str().len() + self.event_type.as_str().len();
        size_of::<Self>() + names + self.data.as_str().len() + metadata
    }
}

impl Document {
    /// The bytes that it holds in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.data.as_str().len()
    }
}

impl DeadLetter {
    /// The bytes that it holds in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.letter.stream.as_str().len() + self.letter.error.len()
    }
}

impl SagaRecord {
    /// The bytes that it holds in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let SagaProgress { steps, data, error, .. } = &self.progress;
        let errors = steps.iter().map(|step| step.error.as_ref().map_or(0, String::len));
        let texts = self.plan.iter().map(String::len).chain(errors).sum::<usize>();
        let error = error.as_ref().map_or(0, String::len);
        let steps = steps.len() * size_of::<crate::sagas::StepRecord>();
        size_of::<Self>() + self.input.as_str().len() + data.as_str().len() + error + texts + steps
    }
}

impl ClaimedSaga {
    /// The bytes that it holds in memory, those of its signal too.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let signal = self.signal.as_ref().map_or(0, |signal| signal.data.as_str().len());
        self.record.bytes() + signal
    }
}
