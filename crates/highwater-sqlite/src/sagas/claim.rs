//! Gives out sagas, and extends the leases on them.

use std::error::Error;
use std::time::Duration;

use highwater_core::{ClaimedSaga, PageBudget, SagaClaim, SagaLease, StoreError};
use sqlx::SqliteConnection;

use super::commit::now;
use super::{row, search, signals};

/// Claims sagas that are due; one that cannot be read is put off, and holds up no other.
pub(crate) async fn claim(
    conn: &mut SqliteConnection,
    claim: &SagaClaim,
    page: PageBudget,
) -> Result<Vec<ClaimedSaga>, StoreError> {
    let (due, now) = (search::due(conn, claim, page).await?, now(conn).await?);
    let mut found = row::find(&mut *conn, due.iter()).await?;
    let (mut claimed, mut rows) = (Vec::with_capacity(due.len()), Vec::with_capacity(due.len()));
    for id in &due {
        let mut saga = match found.remove(id) {
            Some(Ok(saga)) => saga,
            Some(Err(error)) => {
                let cause = error.source().map(ToString::to_string);
                tracing::error!(saga = %id, cause, "a saga that is due is left as it is");
                row::put_off(conn, id, claim.ttl, now).await?;
                continue;
            }
            None => continue,
        };
        let taken_from = saga.claim(&claim.owner, claim.ttl, now);
        let signal = signals::take_for(conn, &saga.record).await?;
        claimed.push(saga.claimed(taken_from, signal, now));
        rows.push(saga);
    }
    row::put(conn, &rows).await?;
    Ok(claimed)
}

/// Extends those of the leases that are the latest.
pub(crate) async fn renew(
    conn: &mut SqliteConnection,
    leases: &[SagaLease],
    ttl: Duration,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let now = now(conn).await?;
    let mut answers = Vec::with_capacity(leases.len());
    for lease in leases {
        answers.push(row::renew(conn, lease, ttl, now).await?);
    }
    Ok(answers)
}
