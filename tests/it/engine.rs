//! The engine: every promise of the room, and every trap of libchdb, as a test.

mod functions;
mod inserts;
mod json_each_row;
mod leaks;
mod leaving;
mod life;
mod parameters;
mod parent;
mod results;
mod settings;
mod statements;
mod stop;
mod total;
mod walls;

use roost::engine::{EngineClient, EngineError, Query};

/// The result of a statement in a format, as text; what is no text shows as `�`.
async fn text(engine: &EngineClient, sql: &str, format: &str) -> String {
    let bytes = engine.query(Query::new(sql, format)).await.unwrap().collect().await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The only value of a statement's only row.
async fn value(engine: &EngineClient, sql: &str) -> String {
    text(engine, sql, "TSVRaw").await.trim_end_matches('\n').to_owned()
}

/// Runs a query to its end, which must be an exception; its code and text.
async fn exception(engine: &EngineClient, query: Query) -> (u32, String) {
    let answered = match engine.query(query).await {
        Ok(rows) => rows.collect().await,
        Err(error) => Err(error),
    };
    match answered {
        Err(EngineError::Exception { code, message }) => (code, message),
        other => panic!("not an exception: {other:?}"),
    }
}
