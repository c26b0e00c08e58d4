//! Looking sagas up by their ids: many in one call.

use std::collections::HashMap;
use std::sync::Arc;

use highwater_core::backend::GroupCommit;
use highwater_core::{SagaId, SagaRecord, StoreError};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::row::{Unreadable, saga};
use crate::database::handle::Database;
use crate::database::retry;

/// Sagas in one call.
const GROUP_MAX: usize = 512;

/// Everybody who looks for one saga at the same time.
pub(crate) type SagaReads = GroupCommit<SagaId, Result<Option<SagaRecord>, StoreError>>;

/// Sagas by their ids; one that cannot be read keeps nobody from the others.
pub(crate) type Found = HashMap<String, Result<SagaRecord, Unreadable>>;

/// Has those who look for sagas while a call is under way share the next one, which begins after
/// they have asked.
pub(crate) fn group(log: &Arc<Database>) -> SagaReads {
    let log = Arc::clone(log);
    GroupCommit::new(
        |ids| (0..ids.len()).map(|nth| nth < GROUP_MAX).collect(),
        move |ids| {
            let log = Arc::clone(&log);
            Box::pin(async move { log.each_saga(&ids).await })
        },
    )
}

impl Database {
    /// Those of the sagas that there are, asked for until `deadline`.
    pub(crate) async fn sagas(&self, ids: &[&str], deadline: Instant) -> Result<Found, StoreError> {
        retry::until(deadline, |_| async {
            let query = self.sql.query(&self.sql.find_sagas).bind(ids);
            let read = async |conn: &mut PgConnection| query.fetch_all(conn).await;
            let rows = self.saga_reads.with(&self.pool, read).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, saga(row)))).collect()
        })
        .await
    }

    /// Each of the sagas, if it is there.
    async fn each_saga(&self, ids: &[SagaId]) -> Vec<Result<Option<SagaRecord>, StoreError>> {
        let texts: Vec<&str> = ids.iter().map(SagaId::as_str).collect();
        let deadline = Instant::now() + self.options.append_timeout;
        let found = match self.sagas(&texts, deadline).await {
            Ok(found) => found,
            Err(error) => {
                let mut error = error.split();
                return ids.iter().map(|_| Err(error())).collect();
            }
        };
        let find = |id: &SagaId| Ok(found.get(id.as_str()).cloned().transpose()?);
        ids.iter().map(find).collect()
    }
}
