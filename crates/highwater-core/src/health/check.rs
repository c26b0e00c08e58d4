//! The health of everything that a store keeps going, in bounded time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::WriteProbe;
use crate::error::StoreError;
use crate::events::EventStore;
use crate::name::{ProjectionName, SagaName};
use crate::projections::{
    CheckpointStore, Health, HealthThresholds, ProjectionDefinition, ProjectionReport, Verdict,
    projection_reports,
};
use crate::sagas::{SagaCounts, SagaStore};

/// Time that the stores may take; an orchestrator that asks must not wait for a dead database.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Sagas are counted up to here: who asks every few seconds must not read thousands of them.
const COUNTED: usize = 100;

/// Asks stores how projections, sagas and writes do; clones share what they know.
#[derive(Clone)]
pub struct HealthCheck {
    events: Arc<dyn EventStore>,
    checkpoints: Arc<dyn CheckpointStore>,
    sagas: Option<Arc<dyn SagaStore>>,
    writes: WriteProbe,
}

/// What a [`HealthCheck`] has found.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthReport {
    /// The worst of all.
    pub status: Health,
    /// Every registered projection, by key.
    pub projections: Vec<(ProjectionReport, Verdict)>,
    /// The sagas, where their store is known.
    pub sagas: Option<(SagaCounts, Verdict)>,
    /// Verdict on writes: whether the log takes them.
    pub writes: Verdict,
    /// Reason why nothing of this is known: the store failed, or did not answer in time.
    pub error: Option<String>,
}

/// What the stores have answered.
type Asked = (Vec<ProjectionReport>, Option<SagaCounts>);

impl HealthCheck {
    /// A check of these stores.
    #[must_use]
    pub fn new(events: Arc<dyn EventStore>, checkpoints: Arc<dyn CheckpointStore>) -> Self {
        Self { events, checkpoints, sagas: None, writes: WriteProbe::default() }
    }

    /// Has the sagas of this store counted, too.
    #[must_use]
    pub fn sagas(mut self, sagas: Arc<dyn SagaStore>) -> Self {
        self.sagas = Some(sagas);
        self
    }

    /// Tells how everything does, within seconds whatever the stores do: what does not answer is
    /// unhealthy.
    ///
    /// `given_up` are those of the projections that have failed in this process, and `registered`
    /// the kinds and versions of sagas that it runs, where that is known.
    pub async fn report(
        &self,
        definitions: &[ProjectionDefinition],
        given_up: &[ProjectionName],
        registered: Option<&[(SagaName, u32)]>,
        thresholds: &HealthThresholds,
    ) -> HealthReport {
        let asked = timeout(TIMEOUT, self.ask(definitions, thresholds));
        let (asked, writes) = tokio::join!(asked, self.writes.check(&self.events));
        let ((reports, sagas), error) = match asked {
            Ok(Ok(asked)) => (asked, None),
            Ok(Err(error)) => (Asked::default(), Some(error.to_string())),
            Err(_) => {
                let text = format!("the store did not answer within {TIMEOUT:?}");
                (Asked::default(), Some(text))
            }
        };
        let of_here = reports.into_iter().filter(|report| report.definition.is_some());
        let projections: Vec<_> =
            of_here.map(|report| judged(report, given_up, thresholds)).collect();
        let sagas = sagas.map(|counts| {
            let verdict = counts.judge(registered);
            (counts, verdict)
        });
        let of_projections = projections.iter().map(|(_, verdict)| verdict.status);
        let of_sagas = sagas.iter().map(|(_, verdict)| verdict.status);
        let of_store = error.iter().map(|_| Health::Unhealthy);
        let all = of_projections.chain(of_sagas).chain(of_store).chain([writes.status]);
        let status = all.max().unwrap_or(Health::Healthy);
        HealthReport { status, projections, sagas, writes, error }
    }

    async fn ask(
        &self,
        definitions: &[ProjectionDefinition],
        thresholds: &HealthThresholds,
    ) -> Result<Asked, StoreError> {
        let counts = async {
            let Some(sagas) = &self.sagas else { return Ok(None) };
            sagas.count_sagas(thresholds.degraded_age, COUNTED).await.map(Some)
        };
        let reports = projection_reports(&*self.events, &*self.checkpoints, definitions);
        tokio::try_join!(reports, counts)
    }
}

/// Adds what only this process knows: it may not have been able to store why it gave up.
fn judged(
    report: ProjectionReport,
    given_up: &[ProjectionName],
    thresholds: &HealthThresholds,
) -> (ProjectionReport, Verdict) {
    let mut verdict = report.judge(thresholds);
    let has_given_up = given_up.contains(&report.key.projection) && report.owner().is_none();
    if has_given_up && report.last_error().is_none() {
        verdict.add(Health::Unhealthy, || "it gave up in this process".to_owned());
    }
    (report, verdict)
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthCheck").finish_non_exhaustive()
    }
}
