//! Sagas, against the rows of a saga written by hand.

mod commits;
mod fulfilment;
mod grouped;
mod race;
mod raw;
mod raw_postgres;
mod raw_sqlite;
pub(crate) mod waiting;

use std::future::Future;
use std::sync::Arc;

use highwater::SagaStore;

use crate::arguments::Plan;
use crate::report::{Row, Section};
use crate::rounds::{Rates, by_turns, median};
use crate::{Result, pg_store, sqlite_store};

use self::commits::Commits;
use self::grouped::Grouped;
use self::race::{ByHand, Finish, Highwater, race};
use self::raw::{RawSagas, Singly};
use self::raw_postgres::RawPostgres;
use self::raw_sqlite::RawSqlite;

const HOW: &str = "\
Rates are sagas per second: three steps that only note what they did, each saga waited for until \
its end is stored. The raw limit is one insert and four updates of a row, each checked against \
the row before, on a table with a primary key only: with 64 connections that each commit their \
statement, or with one task that inserts and one that updates what all others have handed in \
meanwhile. The libraries for the same purpose that were measured reach at most 0.29 of the single \
statements with 64 in flight, hence the target of ten times that.";

/// Who runs sagas, on one database.
struct Sides<R> {
    ours: Arc<Highwater>,
    singly: Arc<ByHand<Singly<R>>>,
    grouped: Arc<ByHand<Grouped>>,
}

/// Sagas in flight, and the targets against single and against grouped statements.
type Case = (u64, [Option<f64>; 2]);

const POSTGRES: [Case; 3] =
    [(1, [Some(0.7), None]), (64, [Some(2.9), Some(0.5)]), (512, [None, None])];

const SQLITE: [Case; 3] = [(1, [None, None]), (64, [None, None]), (512, [None, None])];

/// Sagas in flight while their commits are counted.
const COMMITS: [u64; 2] = [64, 512];

/// The most commits that a saga may take on average.
const COMMITS_MAX: f64 = 0.5;

/// Every case on both databases.
pub(crate) async fn measure(plan: &Plan) -> Result<[Section; 2]> {
    let store = pg_store(&plan.url, "bench_sagas").await?;
    let singly = RawPostgres::connect(&plan.url, 64).await?;
    let grouped = RawPostgres::connect(&plan.url, 2).await?;
    let sides = Sides::new(store, singly, &grouped)?;
    let mut rows = sides.compare(plan, POSTGRES).await?;
    rows.extend(sides.commits(plan).await?);
    rows.push(waiting::peak(plan).await?);
    let postgres = Section { title: "Sagas, PostgreSQL", how: HOW, rows };

    let dir = tempfile::tempdir()?;
    let store = sqlite_store(dir.path(), "sagas.db").await?;
    let raw = RawSqlite::open(&dir.path().join("raw.db")).await?;
    let sides = Sides::new(store, raw.clone(), &raw)?;
    let rows = sides.compare(plan, SQLITE).await?;
    Ok([postgres, Section { title: "Sagas, SQLite", how: "", rows }])
}

impl<R: RawSagas> Sides<R> {
    fn new(store: impl SagaStore, singly: R, grouped: &R) -> Result<Self> {
        Ok(Self {
            ours: Arc::new(Highwater::run(store)?),
            singly: Arc::new(ByHand(Singly(singly))),
            grouped: Arc::new(ByHand(Grouped::start(grouped))),
        })
    }

    async fn compare(&self, plan: &Plan, cases: [Case; 3]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for (tasks, targets) in cases {
            let rates = by_turns(plan, async |side| {
                let finish = match side {
                    0 => race(&self.ours, tasks, plan.round).await?,
                    1 => race(&self.singly, tasks, plan.round).await?,
                    _ => race(&self.grouped, tasks, plan.round).await?,
                };
                Ok(finish.per_second)
            });
            let [ours, singly, grouped] = rates.await?.map(median);
            let raws = [("single statements", singly), ("grouped statements", grouped)];
            for ((what, raw), target) in raws.into_iter().zip(targets) {
                let case = format!("{tasks} in flight, against {what}");
                rows.push(Row::rates(case, Rates { ours, raw }, target));
            }
        }
        Ok(rows)
    }

    /// Commits of each saga, against those of grouped statements.
    async fn commits(&self, plan: &Plan) -> Result<Vec<Row>> {
        let mut commits = Commits::connect(&plan.url).await?;
        let mut rows = Vec::new();
        for tasks in COMMITS {
            let ours = per_saga(&mut commits, race(&self.ours, tasks, plan.round)).await?;
            let raw = per_saga(&mut commits, race(&self.grouped, tasks, plan.round)).await?;
            let case = format!("commits per saga, {tasks} in flight, against grouped statements");
            rows.push(Row::at_most(case, Rates { ours, raw }, (COMMITS_MAX, "")));
        }
        Ok(rows)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio needs no 53 bits")]
async fn per_saga(commits: &mut Commits, race: impl Future<Output = Result<Finish>>) -> Result<f64> {
    let (finish, count) = commits.during(race).await?;
    Ok(count as f64 / finish.sagas as f64)
}
