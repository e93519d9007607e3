//! Answers in ClickHouse's HTTP protocol.
//!
//! Before the first byte of a body an error has its own status and `X-ClickHouse-Exception-Code`.
//! After it, the body ends in the frame that ClickHouse 25.11 and later write, named by the
//! `X-ClickHouse-Exception-Tag` header, and the connection closes without a final chunk, so that a
//! cut result is never taken for a whole one. It closes a little later: the frame has to get out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body, Frame};
use hyper::{Response, StatusCode};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::call::Refusal;
use super::execute::{Abandon, Engine};
use super::ffi::Summary;

pub(super) type AnswerBody = BoxBody<Bytes, io::Error>;

/// Rows read from the engine's pipe at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Time for a client to read the rest of a failed result and its exception frame; one that
/// understands the frame hangs up at once.
const FRAME_PATIENCE: Duration = Duration::from_secs(2);

/// Time for a client to read what came before the exception frame, so that it reads the frame in one
/// piece: one cut in two is not understood by every client library.
const FRAME_PAUSE: Duration = Duration::from_millis(20);

/// A finished result with its counters.
pub(super) fn complete(bytes: impl Into<Bytes>, summary: Summary, format: &str) -> Response<AnswerBody> {
    let mut response = Response::new(whole(bytes));
    let header = format!(
        r#"{{"read_rows":"{}","read_bytes":"{}","written_rows":"{}","written_bytes":"{}","elapsed_ns":"{}"}}"#,
        summary.read_rows,
        summary.read_bytes,
        summary.written_rows,
        summary.written_bytes,
        summary.elapsed.as_nanos(),
    );
    set(&mut response, "X-ClickHouse-Summary", &header);
    set(&mut response, "X-ClickHouse-Format", format);
    response
}

/// An error before the first byte.
pub(super) fn refusal(refusal: &Refusal) -> Response<AnswerBody> {
    let mut response = Response::new(whole(refusal.message.clone()));
    *response.status_mut() = status(refusal.code);
    set(&mut response, "X-ClickHouse-Exception-Code", &refusal.code.to_string());
    response
}

/// A result whose first bytes are there and whose rest follows from the pipe.
pub(super) fn streamed(first: Bytes, rest: Running, format: &str, tag: &str) -> Response<AnswerBody> {
    let body = StreamedBody { first: Some(first), rest, tag: tag.to_owned(), state: State::Reading };
    let mut response = Response::new(body.boxed());
    set(&mut response, "X-ClickHouse-Exception-Tag", tag);
    set(&mut response, "X-ClickHouse-Format", format);
    response
}

fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// Sets a header; a value that no header can hold is left out (it can only be an odd format name,
/// and those were refused before).
pub(super) fn set(response: &mut Response<AnswerBody>, name: &'static str, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

/// The status that ClickHouse's HTTP server gives an error code.
fn status(code: u32) -> StatusCode {
    match code {
        // Values that cannot be read, syntax, wrong arguments and their numbers and types.
        6 | 26 | 27 | 36 | 38 | 41 | 42 | 43 | 53 | 62 | 69 | 70 | 72 | 117 | 386 | 456 | 457 => {
            StatusCode::BAD_REQUEST
        }
        // Read-only mode, missing rights.
        164 | 291 | 497 => StatusCode::FORBIDDEN,
        // Unknown table, database, function, column, type, storage, setting, format.
        16 | 46 | 47 | 50 | 56 | 60 | 73 | 78 | 81 | 115 => StatusCode::NOT_FOUND,
        159 => StatusCode::REQUEST_TIMEOUT,
        48 => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A query that the engine is running: its output, its outcome, and what happens when the client
/// leaves first.
pub(super) struct Running {
    pub(super) output: pipe::Receiver,
    pub(super) outcome: JoinHandle<Result<Summary, Refusal>>,
    pub(super) guard: KillOnDrop,
}

/// Stops a query when dropped before [`KillOnDrop::disarm`].
pub(super) struct KillOnDrop {
    armed: Option<(Arc<Engine>, Abandon)>,
}

impl KillOnDrop {
    pub(super) fn new(engine: Arc<Engine>, abandon: Abandon) -> Self {
        Self { armed: Some((engine, abandon)) }
    }

    pub(super) fn disarm(&mut self) {
        self.armed = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some((engine, abandon)) = self.armed.take() {
            engine.kill(abandon);
        }
    }
}

impl Running {
    /// Waits for the end of the query after its output has ended.
    pub(super) async fn finish(&mut self) -> Result<Summary, Refusal> {
        let outcome = (&mut self.outcome).await;
        self.guard.disarm();
        outcome.unwrap_or_else(|error| {
            Err(Refusal::from_exception(format!("the query was not finished: {error}")))
        })
    }
}

struct StreamedBody {
    first: Option<Bytes>,
    rest: Running,
    tag: String,
    state: State,
}

enum State {
    Reading,
    Finishing,
    /// The query failed; the exception frame follows when the time is up.
    Failing(Pin<Box<Sleep>>, Bytes),
    /// The exception frame was handed over; the connection breaks when the time is up.
    Failed(Pin<Box<Sleep>>),
    Ended,
}

impl StreamedBody {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut piece = BytesMut::zeroed(PIECE_BYTES);
        let mut buffer = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.rest.output).poll_read(context, &mut buffer))?;
        let filled = buffer.filled().len();
        piece.truncate(filled);
        Poll::Ready(Ok(piece.freeze()))
    }

    fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<Option<Refusal>> {
        let outcome = ready!(Pin::new(&mut self.rest.outcome).poll(context));
        self.rest.guard.disarm();
        Poll::Ready(match outcome {
            Ok(Ok(_)) => None,
            Ok(Err(refusal)) => Some(refusal),
            Err(error) => Some(Refusal::from_exception(format!("the query was not finished: {error}"))),
        })
    }
}

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            match &mut self.state {
                State::Reading => match ready!(self.poll_piece(context)) {
                    Ok(piece) if !piece.is_empty() => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                    Ok(_) => self.state = State::Finishing,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
                State::Finishing => match ready!(self.poll_outcome(context)) {
                    None => self.state = State::Ended,
                    Some(refusal) => {
                        let frame = exception_frame(&refusal.message, &self.tag);
                        self.state = State::Failing(Box::pin(tokio::time::sleep(FRAME_PAUSE)), frame);
                    }
                },
                State::Failing(pause, frame) => {
                    ready!(pause.as_mut().poll(context));
                    let frame = frame.clone();
                    self.state = State::Failed(Box::pin(tokio::time::sleep(FRAME_PATIENCE)));
                    return Poll::Ready(Some(Ok(Frame::data(frame))));
                }
                State::Failed(patience) => {
                    ready!(patience.as_mut().poll(context));
                    return Poll::Ready(Some(Err(io::Error::other("the query failed after its first rows"))));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

/// What ClickHouse writes behind a result that breaks off.
fn exception_frame(message: &str, tag: &str) -> Bytes {
    let length = message.len() + 1;
    format!("\r\n__exception__\r\n{tag}\r\n{message}\n{length} {tag}\r\n__exception__\r\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exception_frame_counts_the_message_and_its_newline() {
        let frame = exception_frame("Code: 1. boo", "abcdefghijklmnop");
        assert_eq!(
            frame,
            "\r\n__exception__\r\nabcdefghijklmnop\r\nCode: 1. boo\n13 abcdefghijklmnop\r\n__exception__\r\n"
        );
    }
}
