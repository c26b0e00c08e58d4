//! How every projection stands: what the store says of it, and how far it is behind.

use std::collections::BTreeMap;

use chrono::Utc;
use highwater_core::{
    Checkpoint, CheckpointKey, Health, HealthThresholds, Lag, Offset, ProjectionDefinition, Source,
    StoreError,
};

use crate::Console;

/// One projection on one source.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) key: CheckpointKey,
    /// `None` for one that is not registered here.
    pub(crate) definition: Option<ProjectionDefinition>,
    /// `None` when it never ran.
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) head: Option<Offset>,
    pub(crate) lag: Lag,
}

impl Report {
    pub(crate) fn at(&self) -> Option<Offset> {
        self.checkpoint.as_ref()?.last_processed_offset
    }

    pub(crate) fn owner(&self) -> Option<&str> {
        Some(self.checkpoint.as_ref()?.owner.as_ref()?.as_str())
    }

    pub(crate) fn last_error(&self) -> Option<&str> {
        self.checkpoint.as_ref()?.last_error.as_deref()
    }

    pub(crate) fn lag_seconds(&self) -> f64 {
        self.lag.age.as_secs_f64()
    }

    /// How well it does; one that nobody is meant to run may rest unless it has an error.
    pub(crate) fn health(&self, thresholds: &HealthThresholds) -> Health {
        let is_manual = self.definition.as_ref().is_some_and(|definition| !definition.auto_start);
        if is_manual && self.owner().is_none() && self.last_error().is_none() {
            return Health::Healthy;
        }
        thresholds.judge(self.checkpoint.as_ref(), self.lag)
    }
}

/// Every projection that is registered here or has a checkpoint in the store, by key.
pub(crate) async fn reports(console: &Console) -> Result<Vec<Report>, StoreError> {
    // Checkpoints before heads: the other way round, a checkpoint could be ahead of its head.
    let checkpoints = console.checkpoints.checkpoints(None).await?;
    let mut known = BTreeMap::new();
    for checkpoint in checkpoints {
        known.insert(checkpoint.key.clone(), (None, Some(checkpoint)));
    }
    for definition in console.definitions.iter() {
        known.entry(definition.key.clone()).or_insert((None, None)).0 = Some(definition.clone());
    }
    let mut heads = BTreeMap::new();
    let mut reports = Vec::with_capacity(known.len());
    for (key, (definition, checkpoint)) in known {
        let head = head(console, &mut heads, &key.source).await?;
        let at = checkpoint.as_ref().and_then(|checkpoint| checkpoint.last_processed_offset);
        let lag = lag(console, &key.source, at, head).await?;
        reports.push(Report { key, definition, checkpoint, head, lag });
    }
    Ok(reports)
}

async fn head(
    console: &Console,
    heads: &mut BTreeMap<Source, Option<Offset>>,
    source: &Source,
) -> Result<Option<Offset>, StoreError> {
    if let Some(head) = heads.get(source) {
        return Ok(*head);
    }
    let head = console.events.head(source).await?;
    heads.insert(source.clone(), head);
    Ok(head)
}

async fn lag(
    console: &Console,
    source: &Source,
    at: Option<Offset>,
    head: Option<Offset>,
) -> Result<Lag, StoreError> {
    let mut oldest = None;
    if head > at {
        let page = console.events.read(source, &[], at, 1).await?;
        oldest = page.events.first().map(|event| event.recorded_at);
    }
    Ok(Lag::between(at, head, oldest, Utc::now()))
}
