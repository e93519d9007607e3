//! Live answers: `Accept: text/event-stream` at an endpoint gets its answer now, and again whenever the
//! tables behind it have changed and it is another one.

use std::convert::Infallible;

use axum::extract::Request;
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;

use super::super::error::RequestError;
use super::super::extract::{QueryPairs, presented};
use super::super::{ApiError, Rooms};
use crate::auth::ReadPermit;
use crate::query::{Call, Freshness, Listener, OutputFormat, WholeAnswer, Woken};

/// The name of what a listener is told when there is no answer; then the stream ends.
const ERROR: &str = "error";

/// Who listens, as the head of the request says it.
pub(super) struct Audience {
    /// The token's text: its rights are looked at again for each answer.
    token: Option<String>,
    /// The last answer that was heard, `Last-Event-ID`.
    heard: Option<String>,
}

impl Audience {
    /// Reads the head of a request; `None` where the caller wants one answer.
    pub(super) fn of(request: &Request, query: &QueryPairs) -> Option<Self> {
        let headers = request.headers();
        let listens = *request.method() == Method::GET && accepts_events(headers);
        listens.then(|| Self {
            token: presented(headers, query).map(str::to_owned),
            heard: headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned),
        })
    }
}

pub(in crate::http) fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    let mut kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

/// Begins to tell a caller; what is wrong with the call is an error as for any other.
pub(super) async fn listen(rooms: Rooms, audience: Audience, call: Call) -> Result<Response, ApiError> {
    if call.format != OutputFormat::Json {
        return Err(RequestError::NotLive.into());
    }
    let listener = rooms.queries.listen()?;
    let call = Call { freshness: Freshness::Live, ..call };
    let answer = ask(&rooms, call.clone()).await?;
    let Audience { token, heard } = audience;
    let live = Live { rooms, listener, token, call, heard, answer, state: State::New };
    let mut response = Sse::new(live.events()).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The answer, all of it.
async fn ask(rooms: &Rooms, call: Call) -> Result<WholeAnswer, ApiError> {
    let answer = rooms.queries.run(call).await?;
    Ok(answer.whole().ok_or(RequestError::NotLive)?)
}

/// One listener and what it knows.
struct Live {
    rooms: Rooms,
    listener: Listener,
    token: Option<String>,
    call: Call,
    heard: Option<String>,
    answer: WholeAnswer,
    state: State,
}

/// Where the story is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is an answer that was not looked at.
    New,
    /// Everything was said.
    Told,
    /// Nothing follows.
    Ended,
}

impl Live {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> + Send {
        futures_util::stream::unfold(self, |mut live| async move {
            let event = live.next().await?;
            Some((Ok(event), live))
        })
    }

    /// The next thing to say; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            match self.state {
                State::New => {
                    self.state = State::Told;
                    if let Some(event) = self.news() {
                        return Some(event);
                    }
                }
                State::Ended => return None,
                State::Told => match self.listener.wait(&self.answer).await {
                    Woken::Stopping => return None,
                    Woken::Quiet => match self.permit() {
                        Ok(_) => return Some(Event::default().comment("")),
                        Err(error) => return Some(self.last_words(&error)),
                    },
                    Woken::Changed => {
                        if let Err(error) = self.ask().await {
                            return Some(self.last_words(&error));
                        }
                    }
                },
            }
        }
    }

    /// The right to the answer, as it is now.
    fn permit(&self) -> Result<ReadPermit, ApiError> {
        let token = self.rooms.keyring.identify(self.token.as_deref())?;
        Ok(token.read_pipe(self.call.permit.pipe().clone())?)
    }

    async fn ask(&mut self) -> Result<(), ApiError> {
        let call = Call { permit: self.permit()?, ..self.call.clone() };
        self.answer = ask(&self.rooms, call).await?;
        self.state = State::New;
        Ok(())
    }

    /// The answer, where it is another one than the listener has.
    fn news(&mut self) -> Option<Event> {
        let id = self.answer.tag().trim_start_matches("W/").trim_matches('"').to_owned();
        if self.heard.as_ref() == Some(&id) {
            return None;
        }
        let bytes = self.answer.bytes();
        let text = String::from_utf8_lossy(&bytes);
        let event = Event::default().id(id.as_str()).data(text.trim_end());
        self.heard = Some(id);
        Some(event)
    }

    fn last_words(&mut self, error: &ApiError) -> Event {
        self.state = State::Ended;
        Event::default().event(ERROR).data(error.body().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_that_it_listens() {
        let accepts = |accept: &'static str| {
            accepts_events(&[(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect())
        };
        for accept in ["text/event-stream", "application/json, Text/Event-Stream;q=0.9"] {
            assert!(accepts(accept), "{accept}");
        }
        for accept in ["*/*", "text/*", "application/json", "text/event-streams", ""] {
            assert!(!accepts(accept), "{accept}");
        }
    }
}
