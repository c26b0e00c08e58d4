//! Creations and transitions of sagas: many in one call, and each with its own answer.

use std::collections::HashSet;

use highwater_core::backend::append_rules;
use highwater_core::{
    Each, ErrorClass, EventId, Position, SagaId, SagaRecord, StoreError, StreamAppend,
};
use sqlx::postgres::{PgArguments, PgBindIterExt, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row, SqlStr};
use tokio::time::Instant;
use uuid::Uuid;

use crate::database::calls::lock_wait;
use crate::database::connections::DedicatedConnection;
use crate::database::error::store_error;
use crate::database::handle::Database;
use crate::database::retry;
use crate::database::statements::Statements;
use crate::events::commit::{bind_group, refusal};
use crate::events::group::{Done, Group};
use crate::events::plan::{Facts, Plan};

/// Change of one saga, with the events that commit with it.
///
/// Its statement returns the ids for which it was done, or null when it was undone; something of
/// its own; and what the function `append` says of the events.
pub(crate) trait Entry: Send + Sync {
    /// The answer when it is not refused.
    type Answer: Send + Sync + 'static;

    fn id(&self) -> &SagaId;
    fn appends(&self) -> &[StreamAppend];
    fn statement(sql: &Statements) -> &SqlStr;
    fn connection(log: &Database) -> &DedicatedConnection;

    /// Gives the statement all parameters but those of the events.
    fn bind<'q>(entries: &[&Self], query: PgQuery<'q>) -> PgQuery<'q>;

    /// A query that does this entry alone and without events, in less time, and returns the same
    /// columns; `None` when there is no function for what it is.
    fn alone<'q>(&'q self, sql: &Statements) -> Option<PgQuery<'q>>;

    /// The answer once it was done, and whether its saga can be claimed at once.
    fn done(&self, row: &PgRow) -> Result<(Self::Answer, bool), sqlx::Error>;

    /// The answer when it was not, given its saga; `None` when it could be done by now.
    fn not_done(&self, saga: Option<SagaRecord>) -> Option<Result<Self::Answer, StoreError>>;
}

pub(crate) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

impl Database {
    /// Does each of the entries, or says why not, in as few calls as may be.
    ///
    /// What has not been done by `deadline` is not done.
    pub(crate) async fn commit_sagas<E: Entry>(
        &self,
        entries: &[E],
        deadline: Instant,
    ) -> Each<E::Answer> {
        let mut commit = Commit::new(self, entries, deadline);
        loop {
            let waiting = commit.waiting();
            if waiting.is_empty() {
                return Ok(commit.answers.into_iter().flatten().collect());
            }
            if let Err(error) = commit.round(&waiting).await {
                commit.fail(&waiting, error);
            }
        }
    }
}

/// The commit of one batch under way.
struct Commit<'a, E: Entry> {
    log: &'a Database,
    entries: &'a [E],
    answers: Vec<Option<Result<E::Answer, StoreError>>>,
    /// Entries whose events the log has already, and which need append none.
    appended: HashSet<usize>,
    facts: Facts,
    /// The database has refused a call as a whole, and not one of its entries alone yet.
    is_one_by_one: bool,
    deadline: Instant,
}

impl<'a, E: Entry> Commit<'a, E> {
    fn new(log: &'a Database, entries: &'a [E], deadline: Instant) -> Self {
        let limits = &log.options.limits;
        let check = |entry: &E| match entry.appends() {
            [] => None,
            batch => append_rules::check(batch, limits).err().map(Err),
        };
        Self {
            log,
            entries,
            answers: entries.iter().map(check).collect(),
            appended: HashSet::new(),
            facts: Facts::default(),
            is_one_by_one: false,
            deadline,
        }
    }

    /// The entries that the next round is about.
    fn waiting(&self) -> Vec<usize> {
        let unanswered = self.answers.iter().enumerate().filter(|(_, answer)| answer.is_none());
        let most = if self.is_one_by_one { 1 } else { self.entries.len() };
        unanswered.map(|(index, _)| index).take(most).collect()
    }

    /// The events that are yet to be appended with an entry.
    fn appends(&self, index: usize) -> &'a [StreamAppend] {
        if self.appended.contains(&index) { &[] } else { self.entries[index].appends() }
    }

    /// Answers some of the entries, or learns what rules out the call that was just made.
    async fn round(&mut self, waiting: &[usize]) -> Result<(), StoreError> {
        let batches: Vec<_> = waiting.iter().map(|index| self.appends(*index)).collect();
        let plan = Plan::new(&batches, &self.facts);
        let refused: Vec<usize> = plan.refused.iter().map(|nth| waiting[*nth]).collect();
        self.settle(&refused).await?;
        let mut taken: Vec<usize> = plan.taken.iter().map(|(nth, _)| waiting[*nth]).collect();
        if taken.is_empty() {
            return Ok(());
        }
        // Rows are locked in this order, so that two calls wait for each other in turn.
        taken.sort_unstable_by_key(|index| self.entries[*index].id());
        match self.call(&taken, &plan.group).await {
            Ok(row) => {
                let rejected = self.learn(&taken, &plan.group, &row)?;
                self.judge(&rejected).await
            }
            // Which of them the database cannot take shows when each is tried alone.
            Err(error) if error.class() == ErrorClass::Request && waiting.len() > 1 => {
                self.is_one_by_one = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Has the entries done; whoever repeats one that was done is told so.
    async fn call(&self, taken: &[usize], group: &Group<'_>) -> Result<PgRow, StoreError> {
        let entries: Vec<&E> = taken.iter().map(|index| &self.entries[*index]).collect();
        let appends = || taken.iter().map(|index| !self.appends(*index).is_empty());
        let Database { sql, pool, .. } = self.log;
        let alone = || match entries[..] {
            [entry] if group.events().is_empty() => entry.alone(sql),
            _ => None,
        };
        let together = || {
            let query = E::bind(&entries, sql.query(E::statement(sql))).bind(appends().bind_iter());
            bind_group(query, group)
        };
        let (alone, together) = (&alone, &together);
        retry::until(self.deadline, |end| async move {
            let query = alone().unwrap_or_else(together).bind(lock_wait(end));
            let call = async |conn: &mut PgConnection| query.fetch_one(conn).await;
            E::connection(self.log).with(pool, call).await
        })
        .await
    }

    /// Answers entries that were done, and returns those that did not fit.
    fn learn(
        &mut self,
        taken: &[usize],
        group: &Group<'_>,
        row: &PgRow,
    ) -> Result<Vec<usize>, StoreError> {
        let done: Option<HashSet<String>> = row
            .try_get(0)
            .map(|ids: Option<Vec<_>>| Some(ids?.into_iter().collect()))
            .map_err(store_error)?;
        let heads: Option<Vec<i64>> = row.try_get(2).map_err(store_error)?;
        let Some(done) = done else {
            let Some(heads) = heads else { return Ok(taken.to_vec()) };
            let known: Vec<Uuid> = row.try_get(3).map_err(store_error)?;
            self.facts.learn(group, &heads);
            self.facts.known.extend(known.into_iter().map(EventId::from_uuid));
            return Ok(Vec::new());
        };
        if let (Some(heads), Some(last)) = (heads, row.try_get(4).map_err(store_error)?) {
            self.log.announce(Position::from_sql(last)?);
            self.facts.learn_done(group, &Done { heads, last });
        }
        let (mut rejected, mut is_any_due) = (Vec::new(), false);
        for &index in taken {
            if done.contains(self.entries[index].id().as_str()) {
                let (answer, is_due) = self.entries[index].done(row).map_err(store_error)?;
                self.answers[index] = Some(Ok(answer));
                is_any_due |= is_due;
            } else {
                rejected.push(index);
            }
        }
        if is_any_due {
            self.log.sagas_due.ring_all();
        }
        Ok(rejected)
    }

    /// Answers entries that did not fit their sagas.
    async fn judge(&mut self, rejected: &[usize]) -> Result<(), StoreError> {
        if rejected.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> =
            rejected.iter().map(|index| self.entries[*index].id().as_str()).collect();
        let mut found = self.log.sagas(&ids, self.deadline).await?;
        for &index in rejected {
            let entry = &self.entries[index];
            self.answers[index] = match found.remove(entry.id().as_str()).transpose() {
                Ok(saga) => entry.not_done(saga),
                Err(unreadable) => Some(Err(unreadable.into())),
            };
        }
        Ok(())
    }

    /// Gives up on what is still waiting of a round; what was done in it, or before, stays done.
    fn fail(&mut self, round: &[usize], error: StoreError) {
        let mut error = error.split();
        for index in round {
            self.answers[*index].get_or_insert_with(|| Err(error()));
        }
    }

    /// Answers entries whose events are refused; those that the log has already go on without.
    async fn settle(&mut self, refused: &[usize]) -> Result<(), StoreError> {
        if refused.is_empty() {
            return Ok(());
        }
        let events = |index: &usize| self.appends(*index).iter().flat_map(|part| &part.events);
        let ids: Vec<Uuid> = refused.iter().flat_map(events).map(|e| e.id.as_uuid()).collect();
        let recorded = self.log.recorded(ids, self.deadline).await?;
        for &index in refused {
            match refusal(self.appends(index), &recorded, &self.facts) {
                Ok(_) => {
                    self.appended.insert(index);
                }
                Err(error) => self.answers[index] = Some(Err(error)),
            }
        }
        Ok(())
    }
}
