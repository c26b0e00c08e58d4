//! Creations and transitions of sagas in one transaction, each with its own answer.

use highwater_core::backend::{append_group, append_rules as rules};
use highwater_core::{
    CreatedSaga, Limits, NewSaga, Position, SagaRecord, SagaRecorded, SagaTransition, SagaVerdict,
    StoreError, StreamAppend,
};
use sqlx::SqliteConnection;

use super::row::Found;
use super::rules::{Saga, by_calendar};
use super::{row, signals};
use crate::database::error::store_error;
use crate::events::commit;

/// Result of a batch.
pub(crate) struct Done<T> {
    /// One for each entry.
    pub(crate) answers: Vec<Result<T, StoreError>>,
    /// The last position of the log, if anything was appended.
    pub(crate) head: Option<Position>,
    /// True when one of the sagas can be claimed at once.
    pub(crate) is_any_due: bool,
}

/// The time, in microseconds.
pub(crate) async fn now(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let now = sqlx::query_scalar("select now from clock").fetch_one(conn).await;
    now.map_err(store_error)
}

/// Creates those of the sagas that are new, with their events.
pub(crate) async fn create(
    conn: &mut SqliteConnection,
    sagas: &[NewSaga],
    limits: &Limits,
) -> Result<Done<CreatedSaga>, StoreError> {
    let now = now(conn).await?;
    let mut found = row::find(&mut *conn, sagas.iter().map(|saga| &saga.id)).await?;
    let known: Vec<_> = sagas.iter().map(|saga| known(saga, &mut found)).collect();
    let new = known.iter().zip(sagas).map(|(known, saga)| match known {
        Some(_) => &[],
        None => saga.appends.as_slice(),
    });
    let (appended, head) = append_each(conn, &new.collect::<Vec<_>>(), limits).await?;

    let (mut answers, mut rows) = (Vec::with_capacity(sagas.len()), Vec::new());
    for ((saga, known), appended) in sagas.iter().zip(known).zip(appended) {
        answers.push(match (known, appended) {
            (Some(answer), _) => answer,
            (None, Err(error)) => Err(error),
            (None, Ok(())) => {
                let created = Saga::new(saga, now);
                rows.push(created.clone());
                Ok(CreatedSaga { record: created.record, is_new: true })
            }
        });
    }
    row::put(conn, &rows).await?;
    Ok(Done { answers, head, is_any_due: rows.iter().any(|saga| saga.is_due(now)) })
}

/// The answer to creating a saga whose id is in use.
fn known(saga: &NewSaga, found: &mut Found) -> Option<Result<CreatedSaga, StoreError>> {
    Some(found.remove(&saga.id)?.and_then(|Saga { record, .. }| {
        if record.name == saga.name && record.input.same_value(&saga.input) {
            return Ok(CreatedSaga { record, is_new: false });
        }
        Err(StoreError::SagaTaken { id: saga.id.clone() })
    }))
}

/// Makes those of the transitions that fit their sagas, with their events.
pub(crate) async fn record(
    conn: &mut SqliteConnection,
    transitions: &[SagaTransition],
    limits: &Limits,
) -> Result<Done<SagaRecorded>, StoreError> {
    let now = now(conn).await?;
    let ids = transitions.iter().map(|made| &made.lease.id);
    let mut found = row::find(&mut *conn, ids).await?;
    let judged: Vec<_> = transitions.iter().map(|made| judge(made, &mut found)).collect();
    let fitting = judged.iter().zip(transitions).map(|(judged, made)| match judged {
        Ok((_, SagaVerdict::Write)) => made.appends.as_slice(),
        _ => &[],
    });
    let (appended, head) = append_each(conn, &fitting.collect::<Vec<_>>(), limits).await?;

    let (mut answers, mut moving) = (Vec::with_capacity(transitions.len()), Vec::new());
    for ((made, judged), appended) in transitions.iter().zip(judged).zip(appended) {
        answers.push(match (judged, appended) {
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok((_, SagaVerdict::Answer(answer))), _) => Ok(answer),
            (Ok((saga, SagaVerdict::Write)), Ok(())) => {
                moving.push((saga, made));
                Ok(SagaRecorded::Written(by_calendar(now)))
            }
        });
    }
    let mut is_any_due = false;
    // First of all, for what one saga leaves may be what another begins to wait for.
    for (saga, made) in &moving {
        is_any_due |= end_wait(conn, &saga.record, made).await?;
        signals::close(conn, &saga.record, &made.closes).await?;
    }
    let mut rows = Vec::with_capacity(moving.len());
    for (mut saga, made) in moving {
        saga.record.progress.waiting_for.clone_from(&made.progress.waiting_for);
        let has_signal = signals::has_one_for(conn, &saga.record).await?;
        saga.make(made, has_signal, now);
        rows.push(saga);
    }
    row::put(conn, &rows).await?;
    is_any_due |= rows.iter().any(|saga| saga.is_due(now));
    Ok(Done { answers, head, is_any_due })
}

/// The saga that a transition is about, and what to do.
fn judge(made: &SagaTransition, found: &mut Found) -> Result<(Saga, SagaVerdict), StoreError> {
    let id = &made.lease.id;
    let saga = found.remove(id).ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })??;
    let verdict = made.judge(&saga.record)?;
    Ok((saga, verdict))
}

/// Uses up the signal that the saga has taken, or leaves it to others; says whether one that waits
/// for it is due now.
async fn end_wait(
    conn: &mut SqliteConnection,
    saga: &SagaRecord,
    made: &SagaTransition,
) -> Result<bool, StoreError> {
    match made.consumes {
        Some(signal) => signals::use_up(conn, signal, saga).await.map(|()| false),
        None if made.progress.is_unwinding => signals::leave(conn, saga).await,
        None => Ok(false),
    }
}

/// Appends each of the batches or says why not, in groups; one of no events is no append.
async fn append_each(
    conn: &mut SqliteConnection,
    batches: &[&[StreamAppend]],
    limits: &Limits,
) -> Result<(Vec<Result<(), StoreError>>, Option<Position>), StoreError> {
    let check = |batch: &&[StreamAppend]| match batch {
        [] => Ok(()),
        batch => rules::check(batch, limits),
    };
    let mut answers: Vec<_> = batches.iter().map(check).collect();
    let sound = answers.iter().enumerate().filter(|(_, answer)| answer.is_ok());
    let mut waiting: Vec<(usize, Vec<StreamAppend>)> = sound
        .map(|(index, _)| (index, batches[index].to_vec()))
        .filter(|(_, batch)| !batch.is_empty())
        .collect();
    let mut head = None;
    while !waiting.is_empty() {
        let parts: Vec<_> = waiting.iter().map(|(_, batch)| batch).collect();
        let mut chosen = append_group::choose(&parts).into_iter();
        let (group, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|_| chosen.next().unwrap_or(false));
        let (indices, group): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let (appended, last) = commit::append(conn, &group).await?;
        for (index, appended) in indices.into_iter().zip(appended) {
            answers[index] = appended.map(drop);
        }
        (head, waiting) = (last, rest);
    }
    Ok((answers, head))
}
