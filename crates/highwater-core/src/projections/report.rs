//! How every projection stands: what the stores say of it, and how well that is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Checkpoint, CheckpointKey, CheckpointStore, Health, HealthThresholds, Lag,
    ProjectionDefinition, Verdict,
};
use crate::error::StoreError;
use crate::events::EventStore;
use crate::offset::Offset;
use crate::source::Source;

/// Dead letters are counted up to here, unless the thresholds ask for more.
const COUNTED: usize = 1_000;

/// One projection on one source, as the stores know it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionReport {
    /// Which projection, on which source.
    pub key: CheckpointKey,
    /// What it is; `None` for one that is not registered here.
    pub definition: Option<ProjectionDefinition>,
    /// Its checkpoint; `None` when it never ran.
    pub checkpoint: Option<Checkpoint>,
    /// The last offset of its source.
    pub head: Option<Offset>,
    /// Distance from the head.
    pub lag: Lag,
    /// Number of events it has set aside; 1,000 stands for that many or more.
    pub dead_letters: usize,
}

impl ProjectionReport {
    /// Where its checkpoint is.
    #[must_use]
    pub fn at(&self) -> Option<Offset> {
        self.checkpoint.as_ref()?.last_processed_offset
    }

    /// Who runs it at this moment.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        Some(self.checkpoint.as_ref()?.owner.as_ref()?.as_str())
    }

    /// The error that it has not got over.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.checkpoint.as_ref()?.last_error.as_deref()
    }

    /// Tells how well it does: the one rule, for a process that runs it and for one that does not.
    ///
    /// One that somebody is meant to run all the time is never healthy while nobody does; one that
    /// is run now and then may rest, however far behind, unless it failed.
    #[must_use]
    pub fn judge(&self, thresholds: &HealthThresholds) -> Verdict {
        let mut verdict = Verdict::default();
        let is_ahead = self.at() > self.head;
        verdict.add(Health::of(false, is_ahead), || {
            let (at, head) = (Offset::to_sql(self.at()), Offset::to_sql(self.head));
            format!("its checkpoint, {at}, is beyond the end of the log, {head}")
        });
        self.judge_run(&mut verdict);
        let is_permanent = self.definition.as_ref().is_none_or(ProjectionDefinition::is_permanent);
        if is_permanent || self.owner().is_some() || self.last_error().is_some() {
            self.judge_lag(thresholds, &mut verdict);
        }
        let letters = self.dead_letters;
        let reach = |bound: u64| letters as u64 >= bound;
        let (poor, bad) = (thresholds.degraded_dead_letters, thresholds.unhealthy_dead_letters);
        verdict.add(Health::of(reach(poor), reach(bad)), || {
            format!("it has set {letters} events aside as dead letters")
        });
        verdict
    }

    fn judge_run(&self, verdict: &mut Verdict) {
        let is_permanent = self.definition.as_ref().is_none_or(ProjectionDefinition::is_permanent);
        match (self.last_error(), self.owner()) {
            (Some(error), None) => {
                verdict
                    .add(Health::Unhealthy, || format!("nobody runs it since it failed: {error}"));
            }
            (Some(error), Some(_)) => {
                verdict.add(Health::Degraded, || format!("it tries again after an error: {error}"));
            }
            (None, None) if is_permanent => {
                verdict.add(Health::Degraded, || "nobody runs it".to_owned());
            }
            (None, _) => {}
        }
    }

    fn judge_lag(&self, thresholds: &HealthThresholds, verdict: &mut Verdict) {
        let Lag { events, age } = self.lag;
        let HealthThresholds { degraded_events, unhealthy_events, .. } = *thresholds;
        let found = Health::of(events >= degraded_events, events >= unhealthy_events);
        verdict.add(found, || format!("it is {events} events behind"));
        let HealthThresholds { degraded_age, unhealthy_age, .. } = *thresholds;
        let found = Health::of(age >= degraded_age, age >= unhealthy_age);
        verdict.add(found, || format!("an event has waited for {} s", age.as_secs()));
    }
}

/// Every projection that is registered, or has a checkpoint in the store, by key.
///
/// For each it asks two or three things that take the same time however long the log is.
pub async fn projection_reports(
    events: &dyn EventStore,
    checkpoints: &dyn CheckpointStore,
    definitions: &[ProjectionDefinition],
) -> Result<Vec<ProjectionReport>, StoreError> {
    // Checkpoints before heads: the other way round, a checkpoint could be ahead of its head.
    let rows = checkpoints.checkpoints(None).await?;
    let mut known = BTreeMap::new();
    for row in rows {
        known.insert(row.key.clone(), (None, Some(row)));
    }
    for definition in definitions {
        known.entry(definition.key.clone()).or_insert((None, None)).0 = Some(definition.clone());
    }
    let mut log = Log { events, heads: BTreeMap::new(), now: None };
    let mut reports = Vec::with_capacity(known.len());
    for (key, (definition, checkpoint)) in known {
        let at = checkpoint.as_ref().and_then(|row| row.last_processed_offset);
        let head = log.head(&key.source).await?;
        let lag = log.lag(&key.source, at, head).await?;
        let dead_letters = match &checkpoint {
            Some(_) => checkpoints.count_dead_letters(&key, COUNTED).await?,
            None => 0,
        };
        reports.push(ProjectionReport { key, definition, checkpoint, head, lag, dead_letters });
    }
    Ok(reports)
}

/// What is asked of a log once, however many follow it.
struct Log<'a> {
    events: &'a dyn EventStore,
    heads: BTreeMap<Source, Option<Offset>>,
    now: Option<DateTime<Utc>>,
}

impl Log<'_> {
    async fn head(&mut self, source: &Source) -> Result<Option<Offset>, StoreError> {
        let source = counted(source);
        if let Some(head) = self.heads.get(source) {
            return Ok(*head);
        }
        let head = self.events.head(source).await?;
        self.heads.insert(source.clone(), head);
        Ok(head)
    }

    /// Tells how far `at` is behind, both times being told by the clock of the log.
    async fn lag(
        &mut self,
        source: &Source,
        at: Option<Offset>,
        head: Option<Offset>,
    ) -> Result<Lag, StoreError> {
        if head <= at {
            return Ok(Lag { events: 0, age: std::time::Duration::ZERO });
        }
        let page = self.events.read(counted(source), &[], at, 1).await?;
        let oldest = page.events.first().map(|event| event.recorded_at);
        // After the event was read, or it could be from the future.
        let now = match self.now.filter(|now| oldest.is_none_or(|oldest| oldest <= *now)) {
            Some(now) => now,
            None => *self.now.insert(self.events.now().await?),
        };
        Ok(Lag::between(at, head, oldest, now))
    }
}

/// The source whose places those of `source` are: a category has the positions of the whole log,
/// and to look for the next event that is its own could take long.
const fn counted(source: &Source) -> &Source {
    match source {
        Source::Category(_) => &Source::All,
        other => other,
    }
}
