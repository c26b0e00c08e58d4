//! A live hub before it is one.

use std::fmt;
use std::sync::Arc;

use highwater_core::{CheckpointStore, EventStore};

use crate::access::Access;
use crate::hub::Parts;
use crate::live::Live;
use crate::options::LiveOptions;

/// Parts and options of a hub that is to be built.
///
/// ```
/// # use std::sync::Arc;
/// # use highwater_live::{Live, LiveOptions};
/// # let store = highwater_testkit::MemoryStore::new();
/// let options =
///     LiveOptions { allowed_origins: vec!["https://shop.example".to_owned()], ..Default::default() };
/// let live: Live = Live::builder(Arc::new(store.clone()))
///     .projections(Arc::new(store))
///     .options(options)
///     .build();
/// ```
#[must_use = "there is no hub before it is built"]
pub struct LiveBuilder(Parts);

impl LiveBuilder {
    pub(crate) fn new(events: Arc<dyn EventStore>) -> Self {
        let options = LiveOptions::default();
        Self(Parts { log: events, checkpoints: None, access: None, options })
    }

    /// Lets clients follow projections, too, as `$projection:NAME`.
    pub fn projections(self, checkpoints: Arc<dyn CheckpointStore>) -> Self {
        Self(Parts { checkpoints: Some(checkpoints), ..self.0 })
    }

    /// Sets times, sizes and limits.
    pub fn options(self, options: LiveOptions) -> Self {
        Self(Parts { options, ..self.0 })
    }

    /// Sets who may connect and follow what.
    pub fn access(self, access: impl Access) -> Self {
        Self(Parts { access: Some(Arc::new(access)), ..self.0 })
    }

    /// The hub, which stays as it is from now on.
    #[must_use]
    pub fn build(self) -> Live {
        Live::of(self.0)
    }
}

impl fmt::Debug for LiveBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveBuilder")
            .field("options", &self.0.options)
            .field("has_access", &self.0.access.is_some())
            .field("has_projections", &self.0.checkpoints.is_some())
            .finish_non_exhaustive()
    }
}
