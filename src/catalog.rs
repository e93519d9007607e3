//! What a workspace consists of: data sources, pipes, tokens.
//!
//! In: checked definitions; the metadata tables in the engine.  Out: [`Workspace`], an immutable
//! snapshot that readers hold as long as they like, behind [`Catalog`], which swaps whole
//! snapshots; [`Store`], what was loaded last.  Promise: a reader sees one state of the workspace,
//! never half of a change.  May use: `syntax`, `schema`, `datafile`, `template`, `sql`, `engine`.

pub mod access;
pub mod compose;
pub mod model;
pub mod parameters;
pub mod scope;
pub mod store;
pub mod versions;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use crate::datafile::{NameError, NodeName, ResourceName, TokenName};
pub use crate::sql::compose::PhysicalName;
pub use access::Access;
pub use compose::{Caller, Composed, ComposedText, NodeError, OwnText};
pub use model::{DataSource, Node, Pipe, ProjectToken, View, Workspace};
pub use parameters::{PipeParameter, Presence};
pub use scope::{Scope, ScopeError, ScopeParts};
pub use store::{
    JobEnd, JobKind, Moment, ResourceKind, ResourceState, Store, StoreError, StoredJob, StoredResource,
    StoredToken, TokenOrigin, TokenState,
};
pub use versions::{Sighting, Versions};

/// The workspace as it is now.
pub struct Catalog {
    current: ArcSwap<Workspace>,
    versions: Arc<Versions>,
}

impl Catalog {
    /// A catalog that shows this workspace, over tables with these versions.
    pub fn new(workspace: Workspace, versions: Arc<Versions>) -> Self {
        Self { current: ArcSwap::from_pointee(workspace), versions }
    }

    /// The present snapshot.
    pub fn workspace(&self) -> Arc<Workspace> {
        self.current.load_full()
    }

    /// Shows another snapshot from now on.
    pub fn swap(&self, workspace: Workspace) {
        self.current.store(Arc::new(workspace));
        self.versions.everything_changed();
    }

    /// When the tables of the workspace changed.
    pub fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }
}
