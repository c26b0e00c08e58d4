//! The console: stores, definitions and thresholds, and the routers made of them.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use highwater_core::{
    CheckpointStore, EventStore, HealthCheck, HealthThresholds, ProjectionDefinition, SagaName,
    SagaStore,
};

use crate::http::bodies::Bodies;
use crate::http::named::also_by_query;
use crate::http::refuse_cross_site;
use crate::projections::{checkpoints, dead_letters};
use crate::sagas::Sagas;
use crate::streams::append;
use crate::{health, projections, sagas, streams};

/// Shows streams, projections, sagas and health over HTTP; cloning shares the stores.
#[derive(Clone)]
pub struct Console {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) checkpoints: Arc<dyn CheckpointStore>,
    pub(crate) definitions: Arc<[ProjectionDefinition]>,
    pub(crate) thresholds: HealthThresholds,
    pub(crate) health: HealthCheck,
    pub(crate) bodies: Bodies,
    sagas: Option<Arc<dyn SagaStore>>,
    pub(crate) saga_definitions: Option<Arc<[(SagaName, u32)]>>,
}

impl Console {
    /// A console of these stores.
    ///
    /// `definitions` are the projections that ought to run: they are shown before they ever
    /// ran, and their health is judged. Without any, health is that of the store.
    #[must_use]
    pub fn new(
        events: Arc<dyn EventStore>,
        checkpoints: Arc<dyn CheckpointStore>,
        definitions: Vec<ProjectionDefinition>,
    ) -> Self {
        let thresholds = HealthThresholds::default();
        let definitions = definitions.into();
        let health = HealthCheck::new(Arc::clone(&events), Arc::clone(&checkpoints));
        Self {
            events,
            checkpoints,
            definitions,
            thresholds,
            health,
            bodies: Bodies::default(),
            sagas: None,
            saga_definitions: None,
        }
    }

    /// Sets from when on a projection, or a saga that nobody takes up, is degraded or unhealthy.
    #[must_use]
    pub fn thresholds(mut self, thresholds: HealthThresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Shows the sagas of this store, too, and has health tell of those that need a human.
    #[must_use]
    pub fn sagas(mut self, sagas: Arc<dyn SagaStore>) -> Self {
        self.health = self.health.sagas(Arc::clone(&sagas));
        self.sagas = Some(sagas);
        self
    }

    /// Tells which kinds and versions of sagas this process runs, so that the status of any other
    /// has an `obstacle`.
    #[must_use]
    pub fn saga_definitions(mut self, definitions: Vec<(SagaName, u32)>) -> Self {
        self.saga_definitions = Some(definitions.into());
        self
    }

    /// Everything, [finished](crate::http::finish): ready to be served or nested.
    pub fn router(&self) -> Router {
        crate::http::finish(self.routes())
    }

    /// Every route and nothing around them, to be merged with the routes of an application.
    pub fn routes(&self) -> Router {
        self.streams_router()
            .merge(self.projections_router())
            .merge(self.sagas_router())
            .merge(self.health_router())
    }

    /// The routes that read and append events.
    pub fn streams_router(&self) -> Router {
        let routes = streams::routes().merge(append::routes()).with_state(self.clone());
        refuse_cross_site(also_by_query(routes))
    }

    /// The routes that show projections and ask for rebuilds.
    pub fn projections_router(&self) -> Router {
        let routes = projections::routes()
            .merge(checkpoints::routes())
            .merge(dead_letters::routes())
            .with_state(self.clone());
        refuse_cross_site(routes)
    }

    /// The routes that show sagas and ask things of them; none without a store of sagas.
    pub fn sagas_router(&self) -> Router {
        let definitions = self.saga_definitions.clone();
        let sagas = self.sagas.clone().map(|store| Sagas {
            store,
            definitions,
            bodies: self.bodies.clone(),
        });
        refuse_cross_site(sagas.map_or_else(Router::new, sagas::routes))
    }

    /// The route `/health`.
    pub fn health_router(&self) -> Router {
        health::routes().with_state(self.clone())
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("definitions", &self.definitions)
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}
