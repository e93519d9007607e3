//! The room's service: calls in, streams of bytes out.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::SubsecRound;
use tokio_util::sync::CancellationToken;

use super::admission::Gate;
use super::answer::Answer;
use super::ask::Asker;
use super::cache::{Cache, CallKey, Freshness, Lifetime, Wanted, follow_merges};
use super::call::{Call, OutputSettings, SqlCall};
use super::disclosure::Audience;
use super::error::QueryError;
use super::format::OutputFormat;
use super::lengths::{Lengths, Likeness};
use super::live::Listeners;
use super::metrics::QueryMetrics;
use super::prepared::Prepared;
use super::settings::Limits;
use crate::auth::{Holder, Token};
use crate::catalog::compose::Kind;
use crate::catalog::{
    Access, Caller, Catalog, ComposedText, OwnText, Pipe, ResourceName, Sighting, Workspace,
};
use crate::clock::Clock;
use crate::config;
use crate::engine::EngineClient;
use crate::template::{Arguments, Environment, Template};

/// Runs calls against the workspace.
pub struct Queries {
    catalog: Arc<Catalog>,
    pub(super) asker: Asker,
    pub(super) settings: config::Query,
    pub(super) limits: Limits,
    cache: Arc<Cache>,
    keeping: Keeping,
    metrics: QueryMetrics,
    pub(super) listeners: Listeners,
    clock: Clock,
}

/// Whether answers are kept at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    On,
    Off,
}

/// How a query is to be answered.
pub(super) struct Order {
    pub(super) format: OutputFormat,
    pub(super) output: OutputSettings,
    /// The whole as it was before the workspace was looked at.
    begun: Sighting,
    freshness: Freshness,
    pub(super) keeping: Keeping,
    likeness: Likeness,
    pub(super) holder: Holder,
    /// What the caller sent, where it is the call of an endpoint whose answers are kept.
    call: Option<CallKey>,
}

impl Queries {
    /// A service over the catalog's present and future snapshots; its listeners are let go at the stop.
    pub fn new(
        catalog: Arc<Catalog>,
        engine: EngineClient,
        settings: &config::Config,
        (clock, stop): (Clock, CancellationToken),
    ) -> Self {
        let keeps = settings.query.keeps_answers(&settings.engine.place);
        let (limits, settings) = (Limits::new(settings), settings.query.clone());
        let gate = Gate::new(settings.concurrency.get(), settings.queue, settings.queue_timeout);
        let metrics = QueryMetrics::default();
        let cache = Arc::new(Cache::new(settings.cache_bytes.get(), metrics.clone()));
        let keeping = if keeps { Keeping::On } else { Keeping::Off };
        let listeners = Listeners::new(settings.max_listeners.get(), settings.live_interval, stop);
        let asker = Asker { engine, gate, lengths: Lengths::default(), metrics: metrics.clone() };
        Self { catalog, asker, settings, limits, cache, keeping, metrics, listeners, clock }
    }

    /// Looks after what is kept until the stop: merges change tables, and nobody says so.
    pub fn follow_merges(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let (cache, catalog, engine) = (&self.cache, &self.catalog, &self.asker.engine);
        follow_merges(Arc::clone(cache), Arc::clone(catalog), engine.clone(), stop)
    }

    /// What is counted.
    pub fn metrics(&self) -> &QueryMetrics {
        &self.metrics
    }

    /// Notes how much is kept now.
    pub fn observe(&self) {
        self.cache.observe();
        self.metrics.observe_listeners(self.listeners.len());
        self.metrics.observe_line(self.asker.gate.occupancy());
    }

    /// Wakes after every change of any table.
    pub(super) fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.catalog.versions().changes()
    }

    /// The kept answer to a call that came before, to the letter of its address and with this token.
    pub fn recall(&self, address: &str, token: &Arc<Token>) -> Option<Answer> {
        self.cache.at(address, token).map(|(format, kept)| Answer::kept(format, kept))
    }

    /// Remembers what a call was whose answer was kept: nothing but its address and its token decided it.
    /// A JWT is read anew each time, so that it is never the same token again.
    pub fn remember(&self, address: &str, token: &Arc<Token>, answer: &Answer) {
        if let Some(known) = answer.known.as_ref().filter(|_| token.id().is_some()) {
            self.cache.note((address, token), answer.format, known);
        }
    }

    /// Runs a call; returns once the first bytes of the answer are there.
    pub async fn run(&self, call: Call) -> Result<Answer, QueryError> {
        let key = self.call_key(&call);
        let known = key.as_ref().and_then(|key| self.cache.known(key));
        if let Some(kept) = known.as_ref().and_then(|known| self.cache.kept(known, call.freshness)) {
            return Ok(Answer { known, ..Answer::kept(call.format, kept) });
        }
        let prepared = known.map(|known| known.prepared.clone());
        // Boxed, so that what is kept costs nothing of it.
        Box::pin(self.find(&call, prepared, key)).await
    }

    /// Answers a call whose answer is not at hand; what it came to before saves composing it again.
    async fn find(
        &self,
        call: &Call,
        prepared: Option<Prepared>,
        key: Option<CallKey>,
    ) -> Result<Answer, QueryError> {
        let begun = self.catalog.versions().begin();
        let (workspace, access) = (self.catalog.workspace(), access(call));
        let own_text = call.sql.as_deref().unwrap_or_default();
        let audience = Audience { access: &access, own_text, database: &workspace.database };
        let order = self.order(call, begun, key);
        let prepared = match prepared {
            Some(prepared) if prepared.holds_in(&workspace) => prepared,
            _ => self.compose(call, &call.decided_arguments(), &order, (&workspace, audience))?,
        };
        self.answer(prepared, order, audience).await
    }

    /// What a call comes to: the rows of an endpoint, or SQL over them.
    fn compose(
        &self,
        call: &Call,
        arguments: &Arguments,
        order: &Order,
        (workspace, audience): (&Arc<Workspace>, Audience<'_>),
    ) -> Result<Prepared, QueryError> {
        let pipe = endpoint(workspace, call.permit.pipe())?;
        let (environment, access) = (self.environment(), audience.access);
        let caller = Caller { arguments, environment: &environment, access };
        let composed = if let Some(sql) = &call.sql {
            let text = self.compose_text(workspace, sql, Some(pipe), caller)?;
            (text.composed, text.kind)
        } else {
            let composed = workspace.compose(pipe, caller);
            (composed.map_err(|error| QueryError::from_node(error, audience))?, Kind::Select)
        };
        Ok(self.prepare(composed, order, (workspace, access)))
    }

    /// How a call of an endpoint is to be answered.
    fn order(&self, call: &Call, begun: Sighting, key: Option<CallKey>) -> Order {
        let pipe = call.permit.pipe();
        Order {
            format: call.format,
            output: call.output,
            begun,
            freshness: call.freshness,
            keeping: self.keeping_of(Some(pipe)),
            likeness: Likeness::of((pipe, &call.sql)),
            holder: call.permit.holder().clone(),
            call: key,
        }
    }

    /// The key of a call whose answer may be kept.
    fn call_key(&self, call: &Call) -> Option<CallKey> {
        let keeping = self.keeping_of(Some(call.permit.pipe()));
        (keeping == Keeping::On).then(|| CallKey::new(call, &call.decided_arguments()))
    }

    /// Whether answers about this pipe are kept.
    fn keeping_of(&self, pipe: Option<&ResourceName>) -> Keeping {
        let is_excepted = pipe.is_some_and(|pipe| self.settings.cache_except.contains(pipe.as_str()));
        if is_excepted { Keeping::Off } else { self.keeping }
    }

    /// Runs a query of the caller's own; returns once the first bytes of the answer are there.
    pub async fn run_sql(&self, call: SqlCall) -> Result<Answer, QueryError> {
        let begun = self.catalog.versions().begin();
        let workspace = self.catalog.workspace();
        let access = call.permit.access();
        let subject = call.subject.as_ref().map(|name| subject(&workspace, name, access)).transpose()?;
        let environment = self.environment();
        let caller = Caller { arguments: &call.arguments, environment: &environment, access };
        let text = self.compose_text(&workspace, &call.sql, subject, caller)?;
        let format = match text.format {
            Some(name) => OutputFormat::from_clause(&name).ok_or(QueryError::FormatUnknown { name })?,
            None => OutputFormat::Json,
        };
        let audience = Audience { access, own_text: &call.sql, database: &workspace.database };
        let ComposedText { composed, kind, .. } = text;
        let order = Order {
            format,
            output: call.output,
            begun,
            freshness: call.freshness,
            keeping: self.keeping_of(call.subject.as_ref()),
            likeness: Likeness::of(&call.sql),
            holder: call.permit.holder().clone(),
            call: None,
        };
        let prepared = self.prepare((composed, kind), &order, (&workspace, access));
        self.answer(prepared, order, audience).await
    }

    /// Composes the caller's own text, within the limit of its length.
    fn compose_text(
        &self,
        workspace: &Workspace,
        sql: &str,
        subject: Option<&Pipe>,
        caller: Caller<'_>,
    ) -> Result<ComposedText, QueryError> {
        self.check_length(sql)?;
        let template = Template::compile(sql).map_err(QueryError::Template)?;
        let audience = Audience { access: caller.access, own_text: sql, database: &workspace.database };
        let composed = workspace.compose_text(OwnText { template: &template, subject }, caller);
        let text = composed.map_err(|error| QueryError::from_node(error, audience))?;
        match text.kind {
            Kind::Explain if !audience.reads_everything() => Err(QueryError::PlanRefused),
            _ => Ok(text),
        }
    }

    /// Refuses a text of the caller's own that is over the limit.
    pub fn check_length(&self, sql: &str) -> Result<(), QueryError> {
        let (length, limit) = (sql.len(), self.settings.max_sql_bytes.get());
        if length > limit { Err(QueryError::TextTooLong { length, limit }) } else { Ok(()) }
    }

    async fn answer(
        &self,
        prepared: Prepared,
        order: Order,
        audience: Audience<'_>,
    ) -> Result<Answer, QueryError> {
        let (format, wanted) = (order.format, self.wanted(prepared, order));
        let (content, origin) = self.cache.answer(wanted, &self.asker).await;
        let content = content.map_err(|failure| failure.told(audience))?;
        let origin = (self.keeping == Keeping::On).then_some(origin);
        Ok(Answer { format, origin, content, known: None })
    }

    fn wanted(&self, prepared: Prepared, order: Order) -> Wanted {
        let Order { begun, freshness, likeness, holder, call, .. } = order;
        let sighting = self.catalog.versions().look(begun, &*prepared.tables);
        // What listeners share for a moment is found by its question alone, which nobody else looks up.
        let lifetime = match (prepared.lifetime, freshness) {
            (Lifetime::Once, Freshness::Live) => Lifetime::AtMost(self.listeners.interval()),
            (own, _) => own,
        };
        let question = prepared.question.clone();
        let call = call.filter(|_| prepared.is_repeatable()).map(|call| (call, prepared));
        Wanted { question, call, sighting, lifetime, freshness, likeness, holder }
    }

    /// The workspace as it is now.
    pub(super) fn workspace(&self) -> Arc<Workspace> {
        self.catalog.workspace()
    }

    pub(super) fn environment(&self) -> Environment {
        let now = self.clock.now().naive_utc().trunc_subsecs(0).to_string();
        Environment { now: Some(now), ..Environment::default() }
    }
}

/// What a call may reach: with SQL of its own, the endpoint's rows and nothing else, unless everything is.
fn access(call: &Call) -> Cow<'_, Access> {
    let (access, pipe) = (call.permit.access(), call.permit.pipe());
    match call.sql {
        Some(_) => Cow::Owned(access.narrowed_to(pipe.clone())),
        None => Cow::Borrowed(access),
    }
}

/// The published pipe of this name.
pub(super) fn endpoint<'a>(workspace: &'a Workspace, name: &ResourceName) -> Result<&'a Pipe, QueryError> {
    let pipe = pipe(workspace, name)?;
    if pipe.is_endpoint() { Ok(pipe) } else { Err(QueryError::NotPublished(name.to_string())) }
}

/// The pipe of this name, published or not.
pub(super) fn pipe<'a>(workspace: &'a Workspace, name: &ResourceName) -> Result<&'a Pipe, QueryError> {
    let found = workspace.pipes.get(name).ok_or_else(|| QueryError::PipeNotFound(name.to_string()))?;
    Ok(found)
}

/// The pipe that a caller's query is about; whether one out of reach exists is not said.
fn subject<'a>(
    workspace: &'a Workspace,
    name: &ResourceName,
    access: &Access,
) -> Result<&'a Pipe, QueryError> {
    if access.reaches_pipe(name) {
        return pipe(workspace, name);
    }
    let text = format!("the token may not read the pipe `{name}`: it needs the scope `PIPES:READ:{name}`");
    Err(QueryError::OutOfReach(text))
}
