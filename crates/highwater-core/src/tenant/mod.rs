//! Tenants: names by which their projections are told apart.

pub(crate) mod scoped;

use std::fmt;

use crate::error::StoreError;
use crate::name::{InvalidName, ProjectionName};
use crate::projections::{Checkpoint, CheckpointKey, Lease};

/// Names a tenant: a name without `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant(ProjectionName);

impl Tenant {
    /// Checks `name`: 1 to 255 bytes, no `/`, no control characters, no space at either end.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
        let what = "tenant";
        let name = ProjectionName::new(name).map_err(|error| InvalidName { what, ..error })?;
        if name.as_str().contains('/') {
            let text = name.as_str().chars().take(64).collect();
            return Err(InvalidName {
                what,
                text,
                reason: "has a '/', which ends a tenant's name",
            });
        }
        Ok(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name under which the store keeps the tenant's projection.
    pub(crate) fn scoped(&self, name: &ProjectionName) -> Result<ProjectionName, StoreError> {
        Ok(ProjectionName::new(format!("{self}/{name}"))?)
    }

    /// The tenant's own name of a projection in the store, if it is one of the tenant's.
    fn own(&self, scoped: &ProjectionName) -> Option<ProjectionName> {
        let name = scoped.as_str().strip_prefix(self.as_str())?.strip_prefix('/')?;
        ProjectionName::new(name).ok()
    }

    pub(crate) fn scoped_key(&self, key: &CheckpointKey) -> Result<CheckpointKey, StoreError> {
        let projection = self.scoped(&key.projection)?;
        Ok(CheckpointKey { projection, source: key.source.clone() })
    }

    pub(crate) fn scoped_lease(&self, lease: &Lease) -> Result<Lease, StoreError> {
        let key = self.scoped_key(&lease.key)?;
        Ok(Lease { key, ..lease.clone() })
    }

    pub(crate) fn own_checkpoint(&self, row: Checkpoint) -> Option<Checkpoint> {
        let projection = self.own(&row.key.projection)?;
        Some(Checkpoint { key: CheckpointKey { projection, ..row.key }, ..row })
    }

    /// The error in the tenant's own names.
    pub(crate) fn own_error(&self, mut error: StoreError) -> StoreError {
        if let StoreError::CheckpointMoved { projection, .. }
        | StoreError::LeaseLost { projection, .. } = &mut error
            && let Some(own) = self.own(projection)
        {
            *projection = own;
        }
        error
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_name_without_a_slash() {
        for good in ["acme", "acme & söhne", "$"] {
            assert_eq!(Tenant::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "acme/eu", "/", " acme"] {
            assert_eq!(Tenant::new(bad).unwrap_err().what, "tenant", "{bad:?}");
        }
    }

    #[test]
    fn a_tenant_knows_its_own_projections_and_no_namesakes() {
        let acme = Tenant::new("acme").unwrap();
        let own = |name| acme.own(&ProjectionName::from_static(name));
        assert_eq!(own("acme/a/b"), Some(ProjectionName::from_static("a/b")));
        for other in ["acme", "acme/", "acme2/a", "acm/e", "other/acme/a"] {
            assert_eq!(own(other), None, "{other}");
        }
        let long = ProjectionName::new("x".repeat(251)).unwrap();
        assert!(acme.scoped(&long).is_err(), "it does not fit");
    }
}
