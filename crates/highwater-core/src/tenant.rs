//! Tenants: projections of one tenant neither see nor move those of another.
