//! Appends: many waiting ones in one call, and each with its own answer.

use std::collections::HashSet;

use highwater_core::backend::append_rules;
use highwater_core::{
    Appended, ErrorClass, EventId, Position, RecordedEvent, StoreError, StreamAppend,
};
use sqlx::postgres::{PgArguments, PgBindIterExt, PgConnection};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use tokio::time::Instant;
use uuid::Uuid;

use super::group::{Done, Event, Group, Stream};
use super::plan::{Facts, Plan};
use crate::database::calls::lock_wait;
use crate::database::handle::Database;
use crate::database::retry;

/// Answer of the function `append`.
pub(crate) enum Answer {
    /// Everything has been appended.
    Done(Done),
    /// Nothing has: some ids are known, or some stream is not where it must be.
    Refused { heads: Vec<i64>, known: Vec<EventId> },
}

impl Database {
    /// Makes each of the appends, or says why not, in as few calls as may be.
    ///
    /// They come from [`append_group::choose`](highwater_core::backend::append_group::choose); those that
    /// have not been made by `deadline` are not made.
    pub(crate) async fn commit(
        &self,
        batches: &[Vec<StreamAppend>],
        deadline: Instant,
    ) -> Vec<Result<Appended, StoreError>> {
        let mut commit = Commit::new(self, batches, deadline);
        loop {
            let waiting = commit.waiting();
            if waiting.is_empty() {
                return commit.answers.into_iter().flatten().collect();
            }
            if let Err(error) = commit.round(&waiting).await {
                commit.fail(&waiting, error);
            }
        }
    }

    /// Appends the group or nothing of it, until `deadline`; ids make a repetition harmless.
    pub(crate) async fn call(
        &self,
        group: &Group<'_>,
        deadline: Instant,
    ) -> Result<Answer, StoreError> {
        let call = |end| {
            let on = async move |conn: &mut PgConnection| self.call_on(conn, group, end).await;
            self.appends.with(&self.pool, on)
        };
        retry::until(deadline, call).await
    }

    /// Calls the function `append` once; on the server, too, it has ended by `end`.
    pub(crate) async fn call_on(
        &self,
        conn: &mut PgConnection,
        group: &Group<'_>,
        end: Instant,
    ) -> Result<Answer, sqlx::Error> {
        let query = match (group.streams(), group.events()) {
            ([stream], [one]) => bind_one(self.sql.query(&self.sql.append_event), stream, one),
            ([stream], _) => bind_stream(self.sql.query(&self.sql.append_to_stream), stream, group),
            _ => bind_group(self.sql.query(&self.sql.append_events), group),
        };
        let row = query.bind(lock_wait(end)).fetch_one(conn).await?;
        let heads: Vec<i64> = row.try_get(0)?;
        if let Some(last) = row.try_get(2)? {
            return Ok(Answer::Done(Done { heads, last }));
        }
        let known: Vec<Uuid> = row.try_get(1)?;
        Ok(Answer::Refused { heads, known: known.into_iter().map(EventId::from_uuid).collect() })
    }
}

/// Gives a query the parameters that the function `append_event` takes.
fn bind_one<'q>(
    query: Query<'q, Postgres, PgArguments>,
    stream: &Stream<'_>,
    Event { event, .. }: &Event<'_>,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(stream.name.to_string())
        .bind(stream.required.to_sql())
        .bind(event.id.as_uuid())
        .bind(event.event_type.to_string())
        .bind(event.data.as_str().to_owned())
        .bind(event.metadata.as_payload().map(|json| json.as_str().to_owned()))
}

/// Gives a query the parameters that the function `append_to_stream` takes.
fn bind_stream<'q>(
    query: Query<'q, Postgres, PgArguments>,
    stream: &Stream<'_>,
    group: &Group<'_>,
) -> Query<'q, Postgres, PgArguments> {
    let query = query.bind(stream.name.to_string()).bind(stream.required.to_sql());
    bind_events(query, group)
}

/// Gives a query the ten parameters that the function `append` takes.
pub(crate) fn bind_group<'q>(
    query: Query<'q, Postgres, PgArguments>,
    group: &Group<'_>,
) -> Query<'q, Postgres, PgArguments> {
    let (streams, events) = (group.streams(), group.events());
    let query = query
        .bind(streams.iter().map(|s| s.name.as_str()).bind_iter())
        .bind(streams.iter().map(|s| s.required.to_sql()).bind_iter())
        .bind(streams.iter().map(|s| s.count).bind_iter())
        .bind(events.iter().map(|e| subscript(e.subscript)).bind_iter())
        .bind(events.iter().map(|e| e.stream.as_str()).bind_iter())
        .bind(events.iter().map(|e| e.nth).bind_iter());
    bind_events(query, group)
}

/// Gives a query the ids, types, payloads and metadata of the events.
fn bind_events<'q>(
    query: Query<'q, Postgres, PgArguments>,
    group: &Group<'_>,
) -> Query<'q, Postgres, PgArguments> {
    let events = || group.events().iter().map(|e| e.event);
    query
        .bind(events().map(|e| e.id.as_uuid()).bind_iter())
        .bind(events().map(|e| e.event_type.as_str()).bind_iter())
        .bind(events().map(|e| e.data.as_str()).bind_iter())
        .bind(events().map(|e| e.metadata.as_payload().map(|json| json.as_str())).bind_iter())
}

/// The commit of one group under way.
struct Commit<'a> {
    log: &'a Database,
    batches: &'a [Vec<StreamAppend>],
    answers: Vec<Option<Result<Appended, StoreError>>>,
    facts: Facts,
    /// The database has refused a group as a whole, and not one of its appends alone yet.
    is_one_by_one: bool,
    deadline: Instant,
}

impl<'a> Commit<'a> {
    fn new(log: &'a Database, batches: &'a [Vec<StreamAppend>], deadline: Instant) -> Self {
        Self {
            log,
            batches,
            answers: batches.iter().map(|_| None).collect(),
            facts: Facts::default(),
            is_one_by_one: false,
            deadline,
        }
    }

    /// The appends that the next round is about, oldest first.
    fn waiting(&self) -> Vec<usize> {
        let unanswered = self.answers.iter().enumerate().filter(|(_, answer)| answer.is_none());
        let most = if self.is_one_by_one { 1 } else { self.batches.len() };
        unanswered.map(|(index, _)| index).take(most).collect()
    }

    /// Answers some of the appends, or learns what rules out the call that was just made.
    async fn round(&mut self, waiting: &[usize]) -> Result<(), StoreError> {
        let batches: Vec<&[StreamAppend]> =
            waiting.iter().map(|index| self.batches[*index].as_slice()).collect();
        let plan = Plan::new(&batches, &self.facts);
        let refused: Vec<usize> = plan.refused.iter().map(|nth| waiting[*nth]).collect();
        self.settle(&refused).await?;
        if plan.taken.is_empty() {
            return Ok(());
        }
        match self.log.call(&plan.group, self.deadline).await {
            Ok(Answer::Done(done)) => {
                self.log.announce(Position::from_sql(done.last)?);
                self.facts.learn_done(&plan.group, &done);
                for (nth, first_event) in &plan.taken {
                    let appended = plan.appended(batches[*nth], *first_event, &done);
                    self.answers[waiting[*nth]] = Some(appended.ok_or_else(misplaced));
                }
            }
            Ok(Answer::Refused { heads, known }) => {
                self.facts.learn(&plan.group, &heads);
                self.facts.known.extend(known);
            }
            // Which of them the database cannot take shows when each is tried alone.
            Err(error) if error.class() == ErrorClass::Request && plan.taken.len() > 1 => {
                self.is_one_by_one = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Answers appends that cannot be made: repetitions first, for they are no conflicts.
    async fn settle(&mut self, refused: &[usize]) -> Result<(), StoreError> {
        if refused.is_empty() {
            return Ok(());
        }
        let ids = |index: &usize| self.batches[*index].iter().flat_map(|part| &part.events);
        let ids: Vec<Uuid> = refused.iter().flat_map(ids).map(|e| e.id.as_uuid()).collect();
        let recorded = self.log.recorded(ids, self.deadline).await?;
        for index in refused {
            self.answers[*index] = Some(refusal(&self.batches[*index], &recorded, &self.facts));
        }
        Ok(())
    }

    /// Gives up on what is still waiting of a round.
    fn fail(&mut self, round: &[usize], error: StoreError) {
        let mut error = error.split();
        for index in round {
            self.answers[*index].get_or_insert_with(|| Err(error()));
        }
    }
}

/// The answer to an append that was refused: its first result, or why it was.
pub(crate) fn refusal(
    batch: &[StreamAppend],
    recorded: &[RecordedEvent],
    facts: &Facts,
) -> Result<Appended, StoreError> {
    let ids: HashSet<EventId> =
        batch.iter().flat_map(|part| &part.events).map(|event| event.id).collect();
    let known: Vec<_> = recorded.iter().filter(|e| ids.contains(&e.id)).cloned().collect();
    append_rules::repeated(batch, &known)?.ok_or_else(|| facts.conflict(batch))
}

/// The subscript of PostgreSQL's arrays, which count from 1.
fn subscript(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}

pub(crate) fn misplaced() -> StoreError {
    StoreError::Backend("the database answered for another group of events".into())
}
