//! From a project's files to a workspace that serves.
//!
//! In: a directory of datafiles; the resources last loaded.  Out: the tables that are missing, the
//! new snapshot, and the record of what was loaded.  Promise: nothing is altered or dropped that
//! holds data; a project with an error changes nothing; loading the same project again changes
//! nothing.  May use: `catalog`, `engine`, `ingest`, `datafile`, `schema`, `sql`.

mod apply;
pub mod candidate;
pub mod error;
pub mod files;
mod names;
pub mod plan;
mod problems;

use std::path::Path;

use uuid::Uuid;

use crate::catalog::{ProjectToken, Store, Workspace};
use crate::config::Config;
use crate::engine::EngineClient;

pub use candidate::Candidate;
pub use error::DeployError;

/// Loads the project of the settings into the engine and returns what it serves.
pub async fn load_project(
    settings: &Config,
    workspace_id: Uuid,
    engine: &EngineClient,
    store: &Store,
) -> Result<Workspace, DeployError> {
    let candidate = read(&settings.project.directory, &settings.workspace.name, workspace_id)?;
    for warning in &candidate.warnings {
        tracing::warn!("{warning}");
    }
    apply::apply(&candidate, engine, store).await?;
    Ok(candidate.workspace)
}

/// What the TOKEN lines of the project grant, without a running server.
pub fn token_grants(settings: &Config) -> Result<Vec<ProjectToken>, DeployError> {
    let candidate = read(&settings.project.directory, &settings.workspace.name, Uuid::nil())?;
    Ok(candidate.workspace.tokens)
}

fn read(directory: &Path, name: &str, workspace_id: Uuid) -> Result<Candidate, DeployError> {
    let files = files::read(directory)?;
    Candidate::build(&files, name, workspace_id)
}
