//! Embedded SQLite storage for Highwater: events, checkpoints, read models.
