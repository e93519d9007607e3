//! The child's HTTP server: connections in, calls to the engine, answers out.
//!
//! One thread runs this event loop; every engine call runs on a thread of the blocking pool, whose
//! size bounds the calls in flight. A request whose client leaves is dropped by hyper, and dropping
//! it stops its query.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{self, AnswerBody, KillOnDrop, Running};
use super::call::{Buffering, Call, Refusal, Sql};
use super::data::{self, Packing};
use super::execute::Engine;
use super::statement::Statement;

/// The longest SQL text, in bytes; the parent's own limits are lower.
const MAX_SQL_BYTES: usize = 16 << 20;
/// Result bytes held back before the status is sent.
const FRONT_BYTES: usize = 1 << 20;
/// Pieces of an insert that may wait for the engine; the sender's socket is the queue behind them.
const INSERT_QUEUE: usize = 8;
/// ClickHouse's code for a query text over its limit.
const QUERY_TOO_LARGE: u32 = 62;

/// Where the server listens.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Accepts connections until `stop`, then waits up to `grace` for requests in flight.
pub(super) async fn serve(listener: Listener, engine: Arc<Engine>, stop: CancellationToken, grace: Duration) {
    let tasks = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok(stream) => drop(tasks.spawn(serve_connection(stream, Arc::clone(&engine), stop.clone()))),
            Err(error) => {
                // Out of descriptors, most likely: give connections time to close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    tasks.close();
    if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "stopping with requests in flight");
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

async fn serve_connection(stream: Box<dyn Stream>, engine: Arc<Engine>, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let engine = Arc::clone(&engine);
        async move { Ok::<_, std::convert::Infallible>(respond(request, engine).await) }
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn respond(request: Request<Incoming>, engine: Arc<Engine>) -> Response<AnswerBody> {
    if request.method() != Method::POST || request.uri().path() != "/" {
        let mut response = answer::refusal(&Refusal::bad("only POST / is served here"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let called = Call::from_url(request.uri().query().unwrap_or_default(), engine.known_settings());
    let query_id = called.as_ref().ok().and_then(|call| call.query_id.clone());
    let answered = match called {
        Ok(call) => run(call, request, engine).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = answered.unwrap_or_else(|refusal| answer::refusal(&refusal));
    if let Some(query_id) = query_id {
        answer::set(&mut response, "X-ClickHouse-Query-Id", &query_id);
    }
    response
}

async fn run(
    mut call: Call,
    request: Request<Incoming>,
    engine: Arc<Engine>,
) -> Result<Response<AnswerBody>, Refusal> {
    if let Sql::InUrl(sql) = &call.sql {
        let sql = sql.clone();
        return insert(call, sql, request, engine).await;
    }
    let sql = read_sql(&mut call, request).await?;
    match (Statement::query(&sql), call.buffering) {
        (Statement::Rows(_), Buffering::Front) => select(call, sql, engine).await,
        _ => buffered(call, sql, engine).await,
    }
}

/// The statement of a request: its whole body, or the `query` field of a form.
async fn read_sql(call: &mut Call, request: Request<Incoming>) -> Result<String, Refusal> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = content_type.and_then(|value| multer::parse_boundary(value).ok());
    let body = Limited::new(request.into_body(), MAX_SQL_BYTES).collect().await;
    let body =
        body.map_err(|error| Refusal::new(QUERY_TOO_LARGE, format_args!("cannot read the query: {error}")))?;
    match boundary {
        Some(boundary) => read_form(call, body.to_bytes(), boundary).await,
        None => text(body.to_bytes().into()),
    }
}

async fn read_form(call: &mut Call, body: Bytes, boundary: String) -> Result<String, Refusal> {
    let broken = |error: multer::Error| Refusal::bad(format_args!("cannot read the form: {error}"));
    let once = futures_util::stream::once(async move { Ok::<_, io::Error>(body) });
    let mut form = multer::Multipart::new(once, boundary);
    let mut sql = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let value = text(field.bytes().await.map_err(broken)?.into())?;
        match name.as_str() {
            "query" => sql = Some(value),
            field => call.parameter(field, value),
        }
    }
    sql.ok_or_else(|| Refusal::bad("the form has no field `query`"))
}

fn text(bytes: Vec<u8>) -> Result<String, Refusal> {
    String::from_utf8(bytes).map_err(|_| Refusal::bad("the query is not UTF-8"))
}

/// Runs a statement whose result fits in memory: DDL, commands, answers of a few rows.
async fn buffered(call: Call, sql: String, engine: Arc<Engine>) -> Result<Response<AnswerBody>, Refusal> {
    let mark = engine.mark();
    let mut guard = KillOnDrop::new(Arc::clone(&engine), mark.abandon());
    let ran = spawn_blocking(move || {
        let result = engine.run_buffered(&call, &sql, &mark)?;
        Ok((Bytes::copy_from_slice(result.bytes()), result.summary(), call.format))
    });
    let ran = ran.await;
    guard.disarm();
    let (bytes, summary, format) = ran.map_err(|error| not_finished(&error))??;
    Ok(answer::complete(bytes, summary, &format))
}

/// Runs a statement that answers rows: held back up to a bound, then streamed.
async fn select(call: Call, sql: String, engine: Arc<Engine>) -> Result<Response<AnswerBody>, Refusal> {
    let no_pipe = |error: io::Error| Refusal::bad(format_args!("cannot open a pipe: {error}"));
    let (reader, writer) = io::pipe().map_err(no_pipe)?;
    widen(&writer);
    let output = pipe::Receiver::from_owned_fd(reader.into()).map_err(no_pipe)?;
    let mark = engine.mark();
    let guard = KillOnDrop::new(Arc::clone(&engine), mark.abandon());
    let format = call.format.clone();
    let outcome = spawn_blocking(move || engine.run_piped(&call, &sql, &mark, writer));
    let mut running = Running { output, outcome, guard };

    let mut front = BytesMut::with_capacity(16 * 1024);
    while front.len() < FRONT_BYTES {
        front.reserve(16 * 1024);
        let read = running.output.read_buf(&mut front).await;
        if read.map_err(|error| Refusal::bad(format_args!("cannot read the result: {error}")))? == 0 {
            let summary = running.finish().await?;
            return Ok(answer::complete(front.freeze(), summary, &format));
        }
    }
    Ok(answer::streamed(front.freeze(), running, &format, &exception_tag()))
}

/// A larger pipe lets the engine run ahead of the reader; a smaller one is only slower.
fn widen(writer: &io::PipeWriter) {
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(writer, FRONT_BYTES);
}

/// Sixteen letters that no result can foresee.
fn exception_tag() -> String {
    uuid::Uuid::new_v4().simple().to_string().chars().take(16).collect()
}

/// Runs an INSERT whose data are the body of the request.
async fn insert(
    call: Call,
    sql: String,
    request: Request<Incoming>,
    engine: Arc<Engine>,
) -> Result<Response<AnswerBody>, Refusal> {
    let packing = Packing::of(request.headers())?;
    if !matches!(Statement::insert(&sql), Some(Statement::Insert { .. })) {
        return Err(Refusal::bad("a query in the URL must be an INSERT that ends in FORMAT and a name"));
    }
    let (sender, mut receiver) = mpsc::channel(INSERT_QUEUE);
    let left = CancellationToken::new();
    let _leaving = left.clone().drop_guard();
    let ran = spawn_blocking(move || match Statement::insert(&sql) {
        Some(Statement::Insert { text, format }) => {
            engine.run_insert(&call, (text, format), || receiver.blocking_recv(), &left)
        }
        _ => Err(Refusal::bad("not an INSERT")),
    });
    data::send_pieces(request.into_body(), packing, sender).await;
    let summary = ran.await.map_err(|error| not_finished(&error))??;
    Ok(answer::complete(Bytes::new(), summary, "Null"))
}

fn not_finished(error: &tokio::task::JoinError) -> Refusal {
    Refusal::from_exception(format!("the statement was not finished: {error}"))
}
