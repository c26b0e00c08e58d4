//! Creating sagas.

use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{
    CreatedSaga, NewSaga, Owner, SagaId, SagaProgress, SagaRecord, SagaState, StoreError,
    StreamAppend,
};
use sqlx::postgres::{PgBindIterExt, PgRow};
use sqlx::{Row, SqlStr};

use super::commit::{Entry, PgQuery};
use super::store::microseconds;
use crate::database::connections::DedicatedConnection;
use crate::database::handle::Database;
use crate::database::statements::Statements;
use crate::events::row::decode_error;

impl Entry for NewSaga {
    type Answer = CreatedSaga;

    fn id(&self) -> &SagaId {
        &self.id
    }

    fn appends(&self) -> &[StreamAppend] {
        &self.appends
    }

    fn statement(sql: &Statements) -> &SqlStr {
        &sql.create_sagas
    }

    fn connection(log: &Database) -> &DedicatedConnection {
        &log.saga_creations
    }

    fn bind<'q>(sagas: &[&Self], query: PgQuery<'q>) -> PgQuery<'q> {
        let owners = sagas.iter().map(|s| s.claimed_by.as_ref().map(|(owner, _)| owner.as_str()));
        let leases = sagas.iter().map(|s| s.claimed_by.as_ref().map(|(_, ttl)| microseconds(*ttl)));
        query
            .bind(sagas.iter().map(|s| s.id.as_str()).bind_iter())
            .bind(sagas.iter().map(|s| s.correlation_id.as_str()).bind_iter())
            .bind(sagas.iter().map(|s| s.name.as_str()).bind_iter())
            .bind(sagas.iter().map(|s| i64::from(s.version)).bind_iter())
            .bind(sagas.iter().map(|s| plan(s)).bind_iter())
            .bind(sagas.iter().map(|s| i64::try_from(s.plan.len()).unwrap_or(i64::MAX)).bind_iter())
            .bind(sagas.iter().map(|s| s.input.as_str()).bind_iter())
            .bind(sagas.iter().map(|s| s.deadline.map(microseconds)).bind_iter())
            .bind(owners.bind_iter())
            .bind(leases.bind_iter())
    }

    fn alone<'q>(&'q self, sql: &Statements) -> Option<PgQuery<'q>> {
        let (owner, ttl) = self.claimed_by.as_ref().map(|(owner, ttl)| (owner, *ttl)).unzip();
        let query = sql
            .query(&sql.create_saga)
            .bind(self.id.as_str())
            .bind(self.correlation_id.as_str())
            .bind(self.name.as_str())
            .bind(i64::from(self.version))
            .bind(plan(self))
            .bind(i64::try_from(self.plan.len()).unwrap_or(i64::MAX))
            .bind(self.input.as_str())
            .bind(self.deadline.map(microseconds))
            .bind(owner.map(Owner::as_str))
            .bind(ttl.map(microseconds));
        Some(query)
    }

    fn done(&self, row: &PgRow) -> Result<(CreatedSaga, bool), sqlx::Error> {
        let record = created(self, row.try_get(1)?).ok_or_else(|| decode_error("no such time"))?;
        Ok((CreatedSaga { record, is_new: true }, self.claimed_by.is_none()))
    }

    fn not_done(&self, saga: Option<SagaRecord>) -> Option<Result<CreatedSaga, StoreError>> {
        let record = saga?;
        let is_same = record.name == self.name && record.input.same_value(&self.input);
        let taken = || StoreError::SagaTaken { id: self.id.clone() };
        Some(if is_same { Ok(CreatedSaga { record, is_new: false }) } else { Err(taken()) })
    }
}

/// As JSON, which names can always be; a text that is none is refused by the database.
fn plan(saga: &NewSaga) -> String {
    serde_json::to_string(&saga.plan).unwrap_or_default()
}

/// The saga as the function `create_sagas` stores it.
fn created(saga: &NewSaga, at: DateTime<Utc>) -> Option<SagaRecord> {
    let mut progress = SagaProgress::new(saga.input.clone());
    let (owner, ttl) = saga.claimed_by.clone().unzip();
    if owner.is_some() {
        progress.state = SagaState::Running;
    }
    let lease = Duration::from_micros(microseconds(ttl.unwrap_or_default()).unsigned_abs());
    Some(SagaRecord {
        id: saga.id.clone(),
        correlation_id: saga.correlation_id.clone(),
        name: saga.name.clone(),
        version: saga.version,
        plan: saga.plan.clone(),
        input: saga.input.clone(),
        progress,
        request: None,
        revision: 0,
        epoch: u64::from(owner.is_some()),
        owner,
        due_at: Some(at.checked_add_signed(chrono::TimeDelta::from_std(lease).ok()?)?),
        started_at: at,
        last_updated: at,
        completed_at: None,
    })
}
