//! HTTP routers for Highwater: streams, projections, health.
