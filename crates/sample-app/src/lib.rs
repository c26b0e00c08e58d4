//! A sample application on Highwater: users, an imported event log, live projections.
