//! What a call comes to before any table is looked at.
//!
//! In: composed SQL, and how it is to be answered.  Out: a [`Prepared`]: the question to the engine, the
//! tables that it reads, and how long an answer is good for.  A call that comes again is not rendered
//! and composed again, as long as the workspace is the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use super::cache::{Lifetime, Question};
use super::call::Aggregates;
use super::service::{Keeping, Order, Queries};
use crate::catalog::compose::Kind;
use crate::catalog::{Access, Composed, PhysicalName, Workspace};
use crate::sql::gate::Constancy;

/// See the head of the file.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) question: Question,
    pub(super) tables: Arc<BTreeSet<PhysicalName>>,
    pub(super) lifetime: Lifetime,
    rendering: Constancy,
    workspace: Weak<Workspace>,
}

impl Prepared {
    /// True where the same call comes to the same in this workspace.
    pub(super) fn holds_in(&self, workspace: &Arc<Workspace>) -> bool {
        // The place is not given to another one as long as this looks at it.
        std::ptr::eq(self.workspace.as_ptr(), Arc::as_ptr(workspace))
    }

    /// True where answers to the same call may be kept under what the caller sent.
    pub(super) fn is_repeatable(&self) -> bool {
        self.lifetime != Lifetime::Once && self.rendering == Constancy::Constant
    }
}

impl Queries {
    /// Prepares composed SQL.
    pub(super) fn prepare(
        &self,
        (composed, kind): (Composed, Kind),
        order: &Order,
        (workspace, access): (&Arc<Workspace>, &Access),
    ) -> Prepared {
        let (lifetime, rendering) = (lifetime(order.keeping, kind, &composed), composed.rendering);
        let tables = Arc::new(composed.tables.clone());
        let query = self.query(composed, order.format.engine_name(), (access, &order.holder));
        let mut query = query.with_output(order.format, order.output);
        if kind == Kind::Explain {
            // Streamed, the engine answers EXPLAIN AST with nothing.
            query = query.with_setting("wait_end_of_query", 1);
        }
        let aggregates = if kind == Kind::Select { order.output.aggregates } else { Aggregates::States };
        let question = Question::new(query, aggregates);
        Prepared { question, tables, lifetime, rendering, workspace: Arc::downgrade(workspace) }
    }
}

/// How long an answer may be kept.
fn lifetime(keeping: Keeping, kind: Kind, composed: &Composed) -> Lifetime {
    match (keeping, kind, composed.constancy) {
        (Keeping::On, Kind::Select, Constancy::Constant) => Lifetime::UntilChanged,
        (Keeping::On, Kind::Select, Constancy::Varying) => {
            composed.cache_ttl.map_or(Lifetime::Once, Lifetime::AtMost)
        }
        _ => Lifetime::Once,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Query;

    fn prepared(workspace: &Arc<Workspace>, lifetime: Lifetime, rendering: Constancy) -> Prepared {
        let question = Question::new(Query::new("SELECT 1", "JSON"), Aggregates::States);
        Prepared {
            question,
            tables: Arc::default(),
            lifetime,
            rendering,
            workspace: Arc::downgrade(workspace),
        }
    }

    #[test]
    fn it_holds_in_the_workspace_that_it_was_made_in_and_in_no_later_one() {
        let workspace = Arc::new(Workspace::default());
        let prepared = prepared(&workspace, Lifetime::UntilChanged, Constancy::Constant);
        assert!(prepared.holds_in(&workspace));
        drop(workspace);
        // Many, so that one would get the place of the first if that were free.
        let later: Vec<_> = (0..1_000).map(|_| Arc::new(Workspace::default())).collect();
        assert!(!later.iter().any(|workspace| prepared.holds_in(workspace)));
    }

    #[test]
    fn what_looks_at_the_clock_is_prepared_anew_each_time() {
        let workspace = Arc::new(Workspace::default());
        let repeatable = |lifetime, rendering| prepared(&workspace, lifetime, rendering).is_repeatable();
        assert!(repeatable(Lifetime::UntilChanged, Constancy::Constant));
        assert!(!repeatable(Lifetime::UntilChanged, Constancy::Varying));
        assert!(!repeatable(Lifetime::Once, Constancy::Constant));
    }
}
