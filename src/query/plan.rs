//! Questions about a query before it runs: its plan, its columns.

use serde::Deserialize;

use super::call::PlanCall;
use super::disclosure::Audience;
use super::error::QueryError;
use super::service::{Queries, endpoint, pipe};
use crate::auth::{Holder, ReadPermit};
use crate::catalog::{Caller, Composed, Node, Pipe};
use crate::engine::EngineError;
use crate::template::{Arguments, Environment, Mode};

/// How a pipe would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The composed SQL.
    pub sql: String,
    /// What ClickHouse's EXPLAIN says of it.
    pub explanation: String,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its ClickHouse type.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Queries {
    /// The plan of a node. For callers who may read everything: it shows the SQL of pipes.
    pub async fn plan(&self, call: PlanCall) -> Result<Plan, QueryError> {
        let workspace = self.workspace();
        let access = call.permit.access();
        let audience = Audience { access, own_text: "", database: &workspace.database };
        if !audience.reads_everything() {
            return Err(QueryError::PlanRefused);
        }
        let pipe = pipe(&workspace, call.permit.pipe())?;
        let node = match &call.node {
            Some(name) => node(pipe, name)?,
            None => pipe.output(),
        };
        let (environment, arguments) = (self.environment(), call.decided_arguments());
        let caller = Caller { arguments: &arguments, environment: &environment, access };
        let composed = workspace.compose_node(pipe, node, caller);
        let composed = composed.map_err(|error| QueryError::from_node(error, audience))?;
        let sql = composed.sql.clone();
        let explanation = self.explanation(composed, (audience, call.permit.holder())).await?;
        Ok(Plan { sql, explanation })
    }

    async fn explanation(
        &self,
        composed: Composed,
        (audience, holder): (Audience<'_>, &Holder),
    ) -> Result<String, QueryError> {
        let _running = self.asker.gate.enter(holder).await?;
        let explain = Composed { sql: format!("EXPLAIN {}", composed.sql), ..composed };
        let rows = self.asker.engine.query(self.query(explain, "TSVRaw", (audience.access, holder))).await;
        let bytes = match rows {
            Ok(rows) => rows.collect().await,
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(|error| QueryError::from_engine(error, audience))?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    /// The columns that an endpoint answers, with placeholders for its parameters; none where it
    /// cannot be looked at that way.
    pub async fn endpoint_columns(&self, permit: &ReadPermit) -> Result<Vec<ResultColumn>, QueryError> {
        let workspace = self.workspace();
        let pipe = endpoint(&workspace, permit.pipe())?;
        let audience = Audience { access: permit.access(), own_text: "", database: &workspace.database };
        let environment = Environment { mode: Mode::Check, ..self.environment() };
        let arguments = Arguments::new();
        let caller = Caller { arguments: &arguments, environment: &environment, access: permit.access() };
        let Ok(composed) = workspace.compose(pipe, caller) else { return Ok(Vec::new()) };
        let _running = self.asker.gate.enter(permit.holder()).await?;
        match self.asker.columns(&self.query(composed, "", (permit.access(), permit.holder()))).await {
            Err(EngineError::Exception { .. }) => Ok(Vec::new()),
            columns => columns.map_err(|error| QueryError::from_engine(error, audience)),
        }
    }
}

impl ResultColumn {
    /// True for a half-made aggregate.
    pub(super) fn is_state(&self) -> bool {
        self.kind.starts_with("AggregateFunction(")
    }

    /// The column's value as an expression.
    pub(super) fn finalized(&self) -> String {
        let name = crate::sql::quote::identifier(&self.name);
        if self.is_state() { format!("finalizeAggregation({name}) AS {name}") } else { name }
    }
}

fn node<'a>(pipe: &'a Pipe, name: &str) -> Result<&'a Node, QueryError> {
    let missing = || QueryError::NodeNotFound { pipe: pipe.name.to_string(), node: name.to_owned() };
    pipe.node(name).ok_or_else(missing)
}
