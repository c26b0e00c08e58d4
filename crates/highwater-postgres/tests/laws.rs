//! The laws of every store, each in a fresh schema.

mod support;

highwater_testkit::conformance!(all: crate::support::fresh);
highwater_testkit::conformance!(sagas: crate::support::fresh);
