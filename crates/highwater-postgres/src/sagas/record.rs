//! Moving sagas on.

use highwater_core::{
    Due, SagaId, SagaProgress, SagaRecord, SagaRecorded, SagaRequest, SagaTransition, SagaVerdict,
    SignalKey, StoreError, StreamAppend,
};
use sqlx::postgres::{PgBindIterExt, PgRow};
use sqlx::{Row, SqlStr};

use super::commit::{Entry, PgQuery};
use super::store::microseconds;
use crate::database::connections::DedicatedConnection;
use crate::database::handle::Database;
use crate::database::statements::Statements;
use crate::projections::checkpoint_store::{signed, storable};

impl Entry for SagaTransition {
    type Answer = SagaRecorded;

    fn id(&self) -> &SagaId {
        &self.lease.id
    }

    fn appends(&self) -> &[StreamAppend] {
        &self.appends
    }

    fn statement(sql: &Statements) -> &SqlStr {
        &sql.record_sagas
    }

    fn connection(log: &Database) -> &DedicatedConnection {
        &log.saga_records
    }

    fn bind<'q>(all: &[&Self], query: PgQuery<'q>) -> PgQuery<'q> {
        let progress = || all.iter().map(|t| &t.progress);
        query
            .bind(all.iter().map(|t| t.lease.id.as_str()).bind_iter())
            .bind(all.iter().map(|t| signed(t.lease.epoch)).bind_iter())
            .bind(all.iter().map(|t| t.lease.owner.as_str()).bind_iter())
            .bind(all.iter().map(|t| signed(t.revision)).bind_iter())
            .bind(all.iter().map(|t| t.request.map(|r| r.as_str())).bind_iter())
            .bind(progress().map(|p| p.state.as_str()).bind_iter())
            .bind(progress().map(|p| p.is_unwinding).bind_iter())
            .bind(progress().map(|p| i64::from(p.current_step)).bind_iter())
            .bind(progress().map(steps).bind_iter())
            .bind(progress().map(|p| p.data.as_str()).bind_iter())
            .bind(progress().map(|p| p.error.as_deref().map(storable)).bind_iter())
            .bind(progress().map(|p| p.waiting_for.as_ref().map(|k| k.as_str())).bind_iter())
            .bind(all.iter().map(|t| t.timer.map(microseconds)).bind_iter())
            .bind(all.iter().map(|t| due(t.due)).bind_iter())
            .bind(all.iter().map(|t| lease(t.due)).bind_iter())
            .bind(all.iter().map(|t| t.consumes.map(|id| id.as_uuid())).bind_iter())
            .bind(all.iter().map(|t| closes(&t.closes)).bind_iter())
    }

    fn alone<'q>(&'q self, sql: &Statements) -> Option<PgQuery<'q>> {
        let Self { lease: held, progress, consumes, closes, .. } = self;
        if !closes.is_empty()
            || consumes.is_some()
            || progress.waiting_for.is_some()
            || progress.is_unwinding
        {
            return None;
        }
        let query = sql
            .query(&sql.record_saga)
            .bind(held.id.as_str())
            .bind(signed(held.epoch))
            .bind(held.owner.as_str())
            .bind(signed(self.revision))
            .bind(self.request.map(SagaRequest::as_str))
            .bind(progress.state.as_str())
            .bind(i64::from(progress.current_step))
            .bind(steps(progress))
            .bind(progress.data.as_str())
            .bind(progress.error.as_deref().map(storable))
            .bind(self.timer.map(microseconds))
            .bind(due(self.due))
            .bind(lease(self.due));
        Some(query)
    }

    fn done(&self, row: &PgRow) -> Result<(SagaRecorded, bool), sqlx::Error> {
        Ok((SagaRecorded::Written(row.try_get(5)?), row.try_get(1)?))
    }

    fn not_done(&self, saga: Option<SagaRecord>) -> Option<Result<SagaRecorded, StoreError>> {
        let unknown = || StoreError::SagaUnknown { id: self.lease.id.clone() };
        match saga.ok_or_else(unknown).and_then(|saga| self.judge(&saga)) {
            Ok(SagaVerdict::Write) => None,
            Ok(SagaVerdict::Answer(answer)) => Some(Ok(answer)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// As JSON, which steps can always be; a text that is none is refused by the database.
fn steps(progress: &SagaProgress) -> String {
    serde_json::to_string(&progress.steps).unwrap_or_default()
}

/// As JSON, which keys can always be.
fn closes(keys: &[SignalKey]) -> Option<String> {
    (!keys.is_empty()).then(|| serde_json::to_string(keys).unwrap_or_default())
}

/// As the function `record_sagas` takes it.
fn due(due: Due) -> &'static str {
    match due {
        Due::Held(_) => "held",
        Due::Now => "now",
        Due::OnTimer => "timer",
        Due::OnRequest => "request",
    }
}

/// Time that the lease is kept, if it is.
fn lease(due: Due) -> Option<i64> {
    match due {
        Due::Held(ttl) => Some(microseconds(ttl)),
        Due::Now | Due::OnTimer | Due::OnRequest => None,
    }
}
