//! One question to the engine, from its place in the line to the first bytes of the answer.

use bytes::Bytes;

use super::admission::{Busy, Gate, Running};
use super::cache::Question;
use super::call::Aggregates;
use super::disclosure::Audience;
use super::error::QueryError;
use super::lengths::{Length, Lengths, Likeness};
use super::metrics::QueryMetrics;
use super::plan::ResultColumn;
use crate::auth::Holder;
use crate::engine::{EngineClient, EngineError, Query, Rows};

/// Answers of up to so many bytes are waited for to their end, so that they can be kept. It is what the
/// embedded engine holds back anyway.
const WHOLE_BYTES: usize = 1 << 20;
/// An answer that was short last time is asked for at once: without a pipe between the engine and its
/// answer, and so a tenth of a millisecond sooner. The engine then holds all of it, so that it may not be
/// longer than this; one that is, is asked for again, piece by piece.
const AT_ONCE_ROWS: u64 = 10_000;
const AT_ONCE_BYTES: u64 = WHOLE_BYTES as u64;
/// ClickHouse's code for a result over its limits.
const TOO_LONG: u32 = 396;

/// Why there is no answer, before it is said in words for one caller.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Too many queries run.
    Busy(Busy),
    /// The engine.
    Engine(EngineError),
}

impl Failure {
    /// What a caller is told.
    pub(super) fn told(self, audience: Audience<'_>) -> QueryError {
        match self {
            Self::Busy(busy) => busy.into(),
            Self::Engine(error) => QueryError::from_engine(error, audience),
        }
    }
}

/// What the engine gave.
pub(super) enum Landing {
    /// All bytes.
    Whole(Bytes),
    /// The first of many; the rest follows.
    Open(Rows, Running),
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) engine: EngineClient,
    pub(super) gate: Gate,
    pub(super) lengths: Lengths,
    pub(super) metrics: QueryMetrics,
}

impl Asker {
    /// Asks, as soon as it is the question's turn.
    pub(super) async fn ask(
        &self,
        question: &Question,
        likeness: Likeness,
        holder: &Holder,
    ) -> Result<Landing, Failure> {
        let running = self.gate.enter(holder).await.map_err(Failure::Busy)?;
        let mut query = question.query().clone();
        if question.aggregates() == Aggregates::Finalized {
            query = self.finalized(query).await.map_err(Failure::Engine)?;
        }
        let limit = query.setting("max_result_bytes").unwrap_or(u64::MAX);
        let gathered = match self.rows(query, likeness).await {
            Ok((rows, least)) => rows.within(limit).gather(WHOLE_BYTES).await.map(|rows| (rows, least)),
            Err(error) => Err(error),
        };
        let (rows, least) = gathered.map_err(|error| {
            self.lengths.forget(likeness);
            Failure::Engine(error)
        })?;
        let whole = rows.whole();
        self.lengths.learn(likeness, Length::of(whole.as_ref().map(Bytes::len), least));
        Ok(whole.map_or_else(|| Landing::Open(rows, running), Landing::Whole))
    }

    /// Asks in the way that suits the length that the answer will probably have; and the length that it
    /// has at least.
    async fn rows(&self, query: Query, likeness: Likeness) -> Result<(Rows, Length), EngineError> {
        let by_one_thread = |query: Query| query.with_setting("output_format_parallel_formatting", 0);
        let (query, least) = match self.lengths.expected(likeness) {
            Some(Length::Long) => (query, Length::Short),
            Some(Length::Middle) => (by_one_thread(query), Length::Middle),
            None => (by_one_thread(query), Length::Short),
            Some(Length::Short) => match self.engine.query(at_once(by_one_thread(query.clone()))).await {
                Err(EngineError::Exception { code: TOO_LONG, .. }) => {
                    self.metrics.asked_again();
                    (query, Length::Middle)
                }
                outcome => return outcome.map(|rows| (rows, Length::Short)),
            },
        };
        self.engine.query(query).await.map(|rows| (rows, least))
    }

    /// The columns that a query would answer.
    pub(super) async fn columns(&self, query: &Query) -> Result<Vec<ResultColumn>, EngineError> {
        let sql = format!("DESCRIBE (\n{}\n)", query.sql);
        self.engine.read(Query { sql, ..query.clone() }).await
    }

    /// The same query with a value in place of every half-made aggregate.
    async fn finalized(&self, query: Query) -> Result<Query, EngineError> {
        let columns = self.columns(&query).await?;
        if !columns.iter().any(ResultColumn::is_state) {
            return Ok(query);
        }
        let expressions = columns.iter().map(ResultColumn::finalized).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {expressions} FROM (\n{}\n)", query.sql);
        Ok(Query { sql, ..query })
    }
}

/// The same query, whose answer comes when all of it is there, and is not long.
fn at_once(query: Query) -> Query {
    let within = |name: &str, bound: u64| {
        // 0 is ClickHouse's word for no limit.
        query.setting(name).filter(|own| *own > 0).map_or(bound, |own| own.min(bound))
    };
    let (rows, bytes) = (within("max_result_rows", AT_ONCE_ROWS), within("max_result_bytes", AT_ONCE_BYTES));
    query
        .with_setting("max_result_rows", rows)
        .with_setting("max_result_bytes", bytes)
        .with_setting("wait_end_of_query", 1)
}
