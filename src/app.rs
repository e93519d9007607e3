//! The house put together: which rooms there are, with which settings, in which order they start.

pub mod data_directory;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{AdminToken, Identity, IdentityError, Keyring, KeyringParts, TokenText};
use crate::catalog::{Catalog, Store, Versions};
use crate::clock::Clock;
use crate::config::{Config, EnginePlace, RemoteEngine};
use crate::deploy::{self, DeployError, Place};
use crate::engine::{ChildOptions, EngineClient, Supervisor};
use crate::http::{RequestLimits, RoomSet, Rooms};
use crate::ingest::delivery::{PlanningError, RecoveryError};
use crate::ingest::{Delivery, Ingest, Journal};
use crate::jobs::{self, Jobs, JobsParts};
use crate::query::Queries;
use crate::server::ConnectionMetrics;

pub use data_directory::{DataDirectory, DataDirectoryError};

/// The rooms of a running server.
pub struct App {
    /// What the handlers call.
    pub rooms: Rooms,
    /// The workspace.
    pub catalog: Arc<Catalog>,
    /// What is counted of connections.
    pub connections: ConnectionMetrics,
    delivery: Arc<Delivery>,
    tasks: TaskTracker,
}

/// Why the rooms do not open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The project, or the metadata.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The rows of the last run.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The views of this one.
    #[error(transparent)]
    Planning(#[from] PlanningError),
}

/// Opens the log of accepted rows: before the engine is started, because what is on disk then is
/// evidence.
pub fn journal(settings: &Config, directory: &DataDirectory) -> anyhow::Result<Journal> {
    let engine = match &settings.engine.place {
        EnginePlace::Embedded(_) => Some(directory.engine()),
        EnginePlace::Remote(_) => None,
    };
    Journal::open(directory.path(), engine, settings)
        .with_context(|| format!("cannot open the log in {}", directory.path().join("wal").display()))
}

/// Starts the embedded engine, or points at the server of the settings.
pub fn engine(
    settings: &Config,
    directory: &DataDirectory,
) -> anyhow::Result<(EngineClient, Option<Supervisor>)> {
    match &settings.engine.place {
        EnginePlace::Remote(RemoteEngine { url, user, password }) => {
            let client = EngineClient::server(url.to_string(), user.clone(), password.clone());
            Ok((client.with_max_calls(settings.engine.max_connections), None))
        }
        EnginePlace::Embedded(embedded) => {
            let supervisor = Supervisor::start(ChildOptions {
                settings: embedded.clone(),
                start_timeout: settings.engine.start_timeout,
                data: directory.engine(),
                runtime: settings.engine.runtime.clone(),
            })?;
            let client = EngineClient::following(supervisor.location());
            Ok((client.with_max_calls(settings.engine.max_connections), Some(supervisor)))
        }
    }
}

/// The admin token: the one that the settings fix, or the one in the data directory.
pub fn admin_token(
    settings: &Config,
    identity: &Identity,
    directory: &Path,
) -> Result<AdminToken, IdentityError> {
    if let Some(chosen) = &settings.tokens.admin {
        return Ok(AdminToken::Fixed(TokenText::chosen(chosen.clone())));
    }
    let text = identity.admin_token(directory, &settings.tokens.host)?;
    Ok(AdminToken::Kept { text, directory: directory.to_owned() })
}

impl App {
    /// Brings the rows of the last run to their tables, loads the project into the engine and opens
    /// the rooms. What runs beside the requests ends at the stop.
    pub async fn start(
        settings: &Config,
        (engine, journal): (EngineClient, Journal),
        (identity, admin): (&Identity, AdminToken),
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        let store = Store::open(engine.clone(), &settings.engine.metadata_database)
            .await
            .map_err(DeployError::from)?;
        let database = deploy::database(identity.workspace_id());
        let versions = Arc::new(Versions::default());
        let delivery = {
            let tables = (engine.clone(), Arc::clone(&versions));
            let tell = async |found, outcome| {
                jobs::record_found(&store, identity.workspace_id(), found, outcome).await
            };
            Delivery::recover(journal, tables, settings, &database, tell).await?
        };
        let workspace = {
            let place = Place { engine: &engine, store: &store, delivery: &delivery };
            deploy::load_project(settings, identity.workspace_id(), place).await?
        };
        delivery.begin(&workspace).await?;
        let delivery = Arc::new(delivery);
        let tasks = TaskTracker::new();
        let parts = KeyringParts {
            identity,
            admin,
            lines: &workspace.tokens,
            settings: &settings.tokens,
            clock: Clock::System,
            tasks: tasks.clone(),
        };
        let keyring = Keyring::open(parts, store.clone()).await.map_err(DeployError::from)?;
        let catalog = Arc::new(Catalog::new(workspace, versions));
        let ingest = Arc::new(Ingest::new(Arc::clone(&catalog), Arc::clone(&delivery), &settings.ingest));
        let jobs = JobsParts {
            store,
            workspace: identity.workspace_id(),
            ingest: Arc::clone(&ingest),
            settings: &settings.jobs,
            clock: Clock::System,
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let jobs = Jobs::open(jobs).await.map_err(DeployError::from)?;
        let queries = Queries::new(Arc::clone(&catalog), engine, settings, (Clock::System, stop.clone()));
        tasks.spawn(queries.follow_merges(stop.clone()));
        let mut metrics = Registry::with_prefix("roost");
        delivery.metrics().register(&mut metrics);
        let connections = ConnectionMetrics::default();
        connections.register(&mut metrics);
        queries.metrics().register(&mut metrics);
        jobs.metrics().register(&mut metrics);
        let rooms = Rooms::new(RoomSet {
            catalog: Arc::clone(&catalog),
            keyring,
            ingest,
            jobs,
            queries: Arc::new(queries),
            metrics: Arc::new(metrics),
            limits: RequestLimits::from_settings(settings),
        });
        Ok(Self { rooms, catalog, connections, delivery, tasks })
    }

    /// Waits until every row that was taken is in the engine, for at most the grace: the log keeps
    /// what is left. Call it when no request runs any more.
    pub async fn finish(self, grace: Duration) {
        let Self { rooms, tasks, delivery, .. } = self;
        drop(rooms);
        delivery.finish(grace).await;
        tasks.close();
        tasks.wait().await;
    }
}
