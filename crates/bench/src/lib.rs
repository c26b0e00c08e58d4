//! Benchmarks of Highwater against the raw limit.
