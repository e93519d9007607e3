//! From a project's files to a workspace that serves.
//!
//! In: a directory of datafiles; the resources last loaded.  Out: the tables that are missing, the
//! new snapshot, and the record of what was loaded.  Promise: nothing is altered or dropped that
//! holds data; a project with an error changes nothing; loading the same project again changes
//! nothing.  May use: `syntax`, `catalog`, `engine`, `ingest`, `datafile`, `template`, `schema`, `sql`.

mod apply;
pub mod candidate;
pub mod error;
pub mod files;
mod names;
mod parallel;
pub mod plan;
mod problems;
mod rehearsal;
mod views;

use std::path::Path;

use uuid::Uuid;

use crate::catalog::{ProjectToken, Store, Workspace};
use crate::config::Config;
use crate::datafile::Options;
use crate::engine::EngineClient;
use crate::ingest::Delivery;
use crate::syntax::render;

pub use candidate::Candidate;
pub use error::DeployError;
pub use problems::Problems;

/// Where a project is loaded to.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The engine, for the tables.
    pub engine: &'a EngineClient,
    /// The record of what is there.
    pub store: &'a Store,
    /// What fills new views.
    pub delivery: &'a Delivery,
}

/// Loads the project of the settings into the engine and returns what it serves.
pub async fn load_project(
    settings: &Config,
    workspace_id: Uuid,
    place: Place<'_>,
) -> Result<Workspace, DeployError> {
    let Place { engine, store, .. } = place;
    let workspace = empty_workspace(workspace_id, &settings.workspace.name);
    let mut candidate = read(&settings.project.directory, &Options::default(), workspace)?;
    let stored = store.resources(workspace_id).await?;
    if candidate.has_changed(&stored) {
        rehearsal::rehearse(&mut candidate, engine).await?;
    }
    let problems = &candidate.problems;
    for warning in problems.diagnostics() {
        tracing::warn!("{}", render::plain(problems.sources(), warning));
    }
    apply::apply(&candidate, &stored, place).await?;
    Ok(candidate.workspace)
}

/// What the TOKEN lines of the project grant, without a running server.
pub fn token_grants(settings: &Config) -> Result<Vec<ProjectToken>, DeployError> {
    let candidate = read(&settings.project.directory, &Options::default(), Workspace::default())?;
    Ok(candidate.workspace.tokens)
}

/// All problems of the project in a directory, without an engine.
pub fn check(directory: &Path, options: &Options) -> Result<Problems, DeployError> {
    match read(directory, options, Workspace::default()) {
        Ok(candidate) => Ok(candidate.problems),
        Err(DeployError::Project(problems)) => Ok(problems),
        Err(error) => Err(error),
    }
}

/// The project in a directory, put into an empty workspace.
pub fn read(directory: &Path, options: &Options, workspace: Workspace) -> Result<Candidate, DeployError> {
    let files = files::read(directory)?;
    Candidate::build(&files, options, workspace).map_err(DeployError::Project)
}

/// The `ClickHouse` database of a workspace.
pub fn database(workspace: Uuid) -> String {
    format!("w_{}", workspace.simple())
}

fn empty_workspace(id: Uuid, name: &str) -> Workspace {
    Workspace { id, name: name.to_owned(), database: database(id), ..Workspace::default() }
}
