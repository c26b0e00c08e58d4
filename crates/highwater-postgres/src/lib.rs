//! PostgreSQL storage for Highwater: events in commit order, checkpoints, read models.
