//! The store of sagas.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaName, SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaState, SagaStore,
    SagaTransition, Signal, StoreError, Wake,
};
use sqlx::Row;
use sqlx::postgres::{PgBindIterExt, PgConnection, PgRow};
use tokio::time::Instant;

use super::commit::Entry;
use super::row::{Unreadable, claimed, counts, saga};
use crate::database::calls::{lock_wait, waiting};
use crate::database::error::store_error;
use crate::database::handle::Database;
use crate::database::retry;
use crate::events::row::{decode_error, text};
use crate::projections::checkpoint_store::{TTL_MAX, signed};
use crate::store::PgStore;

#[async_trait]
impl SagaStore for PgStore {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        self.carried_out(sagas).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        if claim.limit == 0 || claim.ttl.is_zero() {
            return Err(StoreError::invalid("a claim of no sagas, or for no time"));
        }
        let log = self.log();
        let definitions = || claim.definitions.iter();
        let query = log.sql.query(&log.sql.claim_sagas).bind(claim.owner.as_str());
        let query = query.bind(microseconds(claim.ttl)).bind(rows(claim.limit));
        let query = query.bind(definitions().map(|(name, _)| name.as_str()).bind_iter());
        let query = query.bind(definitions().map(|(_, version)| i64::from(*version)).bind_iter());
        let query = query.bind(log.options.page_size().min(rows(claim.max_bytes)));
        let rows = log.fetch_all(query).await?;
        Ok(rows.iter().filter_map(|row| readable(claimed(row))).collect())
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        self.carried_out(transitions).await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        let log = Arc::clone(self.log());
        let deadline = Instant::now() + log.options.append_timeout;
        let renew = async move { log.renew_sagas(&leases, ttl, deadline).await };
        self.log().apart(deadline, renew).await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        let deadline = self.log().deadline();
        while Instant::now() < deadline {
            let saga = self.saga(id).await?;
            let saga = saga.ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })?;
            // Whoever moved the saga meanwhile may have changed what it can be asked.
            if let Some(asked) = self.log().request_saga(&saga, request).await? {
                return Ok(asked);
            }
        }
        Err(StoreError::Unavailable("the saga moves faster than it can be asked".into()))
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        let log = self.log();
        let query = log.sql.query(&log.sql.deliver_signal).bind(signal.id.as_uuid());
        let query = query.bind(signal.saga.as_str()).bind(signal.key.as_str());
        let (query, sagas_due) = (query.bind(signal.data.as_str()), log.sagas_due.clone());
        let deadline = log.deadline();
        log.with(deadline, move |conn| {
            let deliver = async move {
                let delivery = delivery(&waiting(query, deadline).fetch_one(conn).await?)?;
                if delivery == Delivery::Woken {
                    sagas_due.ring_all();
                }
                Ok(delivery)
            };
            deliver.boxed()
        })
        .await
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        let broken_off = || StoreError::Unavailable("the look-up of a saga broke off".into());
        self.saga_reads().submit(id.clone()).await.unwrap_or_else(|| Err(broken_off()))
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        if query.limit == 0 {
            return Err(StoreError::invalid("a search for no sagas"));
        }
        let after = match &query.after {
            None => None,
            Some(id) => {
                let unknown = || StoreError::invalid(format!("saga {id:?} to search after"));
                Some(self.saga(id).await?.ok_or_else(unknown)?)
            }
        };
        self.log().search(query, after.as_ref()).await
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        let log = self.log();
        let query = log.sql.query(&log.sql.count_sagas);
        let query = query.bind(microseconds(overdue)).bind(rows(up_to));
        let row = log.fetch_one(query).await?;
        Ok(counts(&row).map_err(store_error)?)
    }

    fn sagas_due(&self) -> Wake {
        self.log().sagas_due.wake()
    }
}

impl PgStore {
    /// Has each of the entries carried out, whatever becomes of whoever asked for it.
    async fn carried_out<E: Entry + 'static>(&self, entries: Vec<E>) -> Each<E::Answer> {
        let log = Arc::clone(self.log());
        let deadline = Instant::now() + log.options.append_timeout;
        let work = async move { log.commit_sagas(&entries, deadline).await };
        self.log().apart(deadline, work).await
    }
}

impl Database {
    /// Extends those of the leases that are the latest.
    async fn renew_sagas(
        &self,
        leases: &[SagaLease],
        ttl: Duration,
        deadline: Instant,
    ) -> Each<()> {
        let mut sorted: Vec<_> = leases.iter().collect();
        // Rows are locked in this order, so that two calls wait for each other in turn.
        sorted.sort_unstable_by_key(|lease| &lease.id);
        let sorted = &sorted;
        let renewed: HashSet<String> = retry::until(deadline, |end| async move {
            let query = self.sql.query(&self.sql.renew_sagas);
            let query = query.bind(sorted.iter().map(|lease| lease.id.as_str()).bind_iter());
            let query = query.bind(sorted.iter().map(|lease| signed(lease.epoch)).bind_iter());
            let query = query.bind(sorted.iter().map(|lease| lease.owner.as_str()).bind_iter());
            let query = query.bind(microseconds(ttl)).bind(lock_wait(end));
            let renew = async |conn: &mut PgConnection| query.fetch_one(conn).await;
            // Neither one of the pool nor that of transitions: whoever takes all of those, or moves
            // large sagas on, must not cost a worker its leases.
            let row = self.saga_renewals.with(&self.pool, renew).await?;
            Ok(row.try_get::<Vec<_>, _>(0)?.into_iter().collect())
        })
        .await?;
        let lost = leases.iter().map(|lease| lease.id.as_str()).filter(|id| !renewed.contains(*id));
        let lost: Vec<&str> = lost.collect();
        let mut known = HashSet::new();
        if !lost.is_empty() {
            let found = self.sagas(&lost, deadline).await?;
            known.extend(found.into_keys());
        }
        let answer = |lease: &SagaLease| match lease.id.clone() {
            id if renewed.contains(id.as_str()) => Ok(()),
            id if known.contains(id.as_str()) => {
                Err(StoreError::SagaLeaseLost { id, epoch: lease.epoch })
            }
            id => Err(StoreError::SagaUnknown { id }),
        };
        Ok(leases.iter().map(answer).collect())
    }

    /// Asks a saga, unless it does not stand any more as it was seen.
    async fn request_saga(
        &self,
        seen: &SagaRecord,
        request: SagaRequest,
    ) -> Result<Option<SagaRecord>, StoreError> {
        let (state, is_unwinding) = (seen.progress.state, seen.progress.is_unwinding);
        let pending = seen.request;
        let Some(admitted) = request.admitted(state, is_unwinding, pending) else {
            return Err(StoreError::SagaRequestRefused {
                id: seen.id.clone(),
                request,
                state,
                pending,
            });
        };
        let query = self.sql.query(&self.sql.request_saga).bind(seen.id.as_str());
        let query = query.bind(admitted.map(SagaRequest::as_str)).bind(state.as_str());
        let query = query.bind(is_unwinding).bind(pending.map(SagaRequest::as_str));
        let (deadline, sagas_due) = (self.deadline(), self.sagas_due.clone());
        let row = self.with(deadline, move |conn| {
            let ask = async move {
                let row = waiting(query, deadline).fetch_optional(conn).await?;
                if row.is_some() {
                    sagas_due.ring_all();
                }
                Ok(row)
            };
            ask.boxed()
        });
        Ok(row.await?.as_ref().map(saga).transpose()?)
    }

    /// The sagas that are searched for, those behind `after`; whoever cannot be read is passed over.
    async fn search(
        &self,
        query: &SagaQuery,
        after: Option<&SagaRecord>,
    ) -> Result<Vec<SagaRecord>, StoreError> {
        let mut after = after.map(|saga| (saga.started_at, saga.id.to_string()));
        let mut found = Vec::new();
        loop {
            let page = self.found_page(query, after.take(), query.limit).await?;
            found.extend(page.iter().filter_map(|row| shown(saga(row))));
            match page.last().map(place).transpose() {
                // Not one of the page could be read: who sees none would take it for the end.
                Ok(Some(last)) if found.is_empty() => after = Some(last),
                _ => return Ok(found),
            }
        }
    }

    async fn found_page(
        &self,
        query: &SagaQuery,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<PgRow>, StoreError> {
        let (started_at, id) = after.unzip();
        // Planned anew for each search: which index serves it depends on what is null.
        let search = self.sql.query(&self.sql.search_sagas).persistent(false);
        let search = search
            .bind(query.correlation_id.as_ref().map(|id| id.as_str()))
            .bind(query.name.as_ref().map(SagaName::as_str))
            .bind(query.state.map(SagaState::as_str))
            .bind(query.from)
            .bind(query.until)
            .bind(started_at)
            .bind(id)
            .bind(rows(limit))
            .bind(self.options.page_size());
        self.fetch_all(search).await
    }
}

/// Where a saga stands in a search: when it was created, and its id.
type Place = (DateTime<Utc>, String);

fn place(row: &PgRow) -> Result<Place, sqlx::Error> {
    Ok((row.try_get(18)?, row.try_get(0)?))
}

/// A saga that is searched for; one that cannot be read is left out, and costs nobody the others.
fn shown(saga: Result<SagaRecord, Unreadable>) -> Option<SagaRecord> {
    let log = |error: &Unreadable| {
        let cause = error.source();
        tracing::error!(%error, cause, "a saga that is searched for is left out");
    };
    saga.inspect_err(log).ok()
}

fn delivery(row: &PgRow) -> Result<Delivery, sqlx::Error> {
    if !row.try_get::<bool, _>(0)? {
        return Ok(Delivery::Known);
    }
    if row.try_get(1)? {
        return Ok(Delivery::Woken);
    }
    let ended = text(row, 2)?.map(SagaId::new).transpose().map_err(decode_error)?;
    Ok(ended.map_or(Delivery::Kept, Delivery::Ended))
}

/// A claimed saga; one that cannot be read is left until its lease ends, and holds up no other.
fn readable(claimed: Result<ClaimedSaga, Unreadable>) -> Option<ClaimedSaga> {
    let log = |error: &Unreadable| {
        let cause = error.source();
        tracing::error!(%error, cause, "a saga that is due is left as it is");
    };
    claimed.inspect_err(log).ok()
}

/// A time to live, a timer or a deadline; none is longer than the longest lease.
pub(crate) fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.min(TTL_MAX).as_micros()).unwrap_or(i64::MAX)
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
