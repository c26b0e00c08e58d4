//! The laws of every store, each in a fresh schema.

mod company;
#[path = "../support/mod.rs"]
mod support;

highwater_testkit::conformance!(all: crate::support::fresh);
highwater_testkit::conformance!(sagas: crate::support::fresh);

/// What is done to one saga in a call takes another way than what is done to several.
mod in_company {
    highwater_testkit::conformance!(sagas: crate::company::fresh);
}
