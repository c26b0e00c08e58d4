//! Projection engine of Highwater: read models that commit with their checkpoints.
