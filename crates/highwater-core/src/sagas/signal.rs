//! What a waiting saga waits for.

use crate::events::{EventId, Payload};
use crate::name::{SagaId, SagaName, SignalKey};

/// Something that happened outside, for one saga that waits for it or is going to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Its identity, such as that of the event behind it: delivering it again to the same kind of
    /// saga under the same key does nothing. Under another key it is another signal.
    pub id: EventId,
    /// The kind of saga that it is for.
    pub saga: SagaName,
    /// Key that the saga waits for.
    pub key: SignalKey,
    /// Content.
    pub data: Payload,
}

/// What has become of a signal that was delivered; it is kept in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A saga that waits for it goes on.
    Woken,
    /// No saga waits for it yet.
    Kept,
    /// It was delivered before.
    Known,
    /// No saga waits for it, and this one, which did or would have, has ended. A later saga that
    /// waits for the same key would get it.
    Ended(SagaId),
}
