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

/// A pool that a few calls use up.
mod on_two_connections {
    use highwater_postgres::PgOptions;

    use crate::support::{Schema, fresh_with};

    pub(crate) async fn fresh() -> Schema {
        fresh_with(PgOptions { max_connections: 2, ..PgOptions::default() }).await
    }

    highwater_testkit::conformance!(calls: crate::on_two_connections::fresh);
}
