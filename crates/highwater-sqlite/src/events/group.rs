//! Appends that share a transaction with others.

use highwater_core::backend::{Bell, GroupCommit, append_group, calls};
use highwater_core::{Appended, StoreError, StreamAppend};
use sqlx::SqlitePool;
use tokio::time::Instant;

use super::commit;
use crate::database::calls::Deadlines;
use crate::store::{SqliteStore, ring};

/// The groups of appends that wait for their commit, each with its deadline.
pub(crate) type Appends = GroupCommit<(Vec<StreamAppend>, Instant), Result<Appended, StoreError>>;

/// Has the appends that arrive while others are committed share the next transaction.
pub(crate) fn appends(writer: &SqlitePool, bell: &Bell) -> Appends {
    let (writer, bell) = (writer.clone(), bell.clone());
    let choose = |waiting: &[&(Vec<StreamAppend>, Instant)]| {
        append_group::choose(&waiting.iter().map(|(batch, _)| batch).collect::<Vec<_>>())
    };
    GroupCommit::new(choose, move |group| {
        let (writer, bell) = (writer.clone(), bell.clone());
        Box::pin(async move {
            let (group, deadlines): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let latest = deadlines.into_iter().max().unwrap_or_else(Instant::now);
            let (answers, head) = commit::append_group(&writer, &group, latest).await;
            ring(&bell, head);
            answers
        })
    })
}

impl SqliteStore {
    /// Appends with whoever else appends at the moment.
    pub(crate) async fn append_grouped(
        &self,
        batch: Vec<StreamAppend>,
    ) -> Result<Appended, StoreError> {
        let Deadlines { wait, answer } = Deadlines::new(self.busy_timeout);
        let answer = calls::within(answer, self.appends.submit((batch, wait))).await?;
        let broken_off = || StoreError::Unavailable("the commit of the append broke off".into());
        answer.unwrap_or_else(|| Err(broken_off()))
    }
}
