//! Queries that several callers wait for: the first asks, the others share, the last to leave stops it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

use super::{Kept, Question};
use crate::catalog::Sighting;
use crate::engine::Rows;
use crate::query::admission::Running;
use crate::query::answer::Content;
use crate::query::ask::Failure;

/// Asks the engine, and keeps what may be kept; dropping it stops the query.
pub(super) type Work = Pin<Box<dyn Future<Output = Result<Content, Failure>> + Send>>;

/// The same for several callers.
#[derive(Clone)]
enum Arrival {
    Whole(Arc<Kept>),
    Open(Arc<Mutex<Option<(Rows, Running)>>>),
    Failed(Failure),
}

type Journey = Pin<Box<dyn Future<Output = Arrival> + Send>>;

/// The queries that run for callers who may share them.
#[derive(Default)]
pub(super) struct Flights {
    open: Mutex<HashMap<Question, Flight>>,
    number: AtomicU64,
}

struct Flight {
    number: u64,
    /// The tables as they were before the query began.
    sighting: Sighting,
    shared: WeakShared<Journey>,
}

/// A caller's part in a flight.
pub(super) struct Part(Shared<Journey>);

impl Part {
    /// Waits for the end; `None` where the rows come piece by piece, and another caller has them.
    pub(super) async fn landing(self) -> Option<Result<Content, Failure>> {
        Some(match self.0.await {
            Arrival::Whole(kept) => Ok(Content::Whole(kept)),
            Arrival::Open(rows) => {
                let (rows, running) = rows.lock().unwrap_or_else(PoisonError::into_inner).take()?;
                Ok(Content::Open(rows, running))
            }
            Arrival::Failed(failure) => Err(failure),
        })
    }
}

/// What a caller finds.
pub(super) enum Boarding {
    /// A flight just landed with the answer.
    Landed(Arc<Kept>),
    /// A flight that goes on.
    Joined(Part),
    /// Nothing yet: the caller's own flight begins.
    Begun(Part),
}

impl Flights {
    /// Joins a query that runs, unless a table has changed since it began; else begins one. A query that
    /// ended was kept before it left the list, so that `kept` finds it.
    pub(super) fn board(
        self: &Arc<Self>,
        (question, sighting): (&Question, &Sighting),
        kept: impl FnOnce() -> Option<Arc<Kept>>,
        work: impl FnOnce() -> Work,
    ) -> Boarding {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = open.get(question).and_then(Flight::boarding) {
            return Boarding::Joined(Part(shared));
        }
        if let Some(kept) = kept() {
            return Boarding::Landed(kept);
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let departure = Departure { flights: Arc::clone(self), question: question.clone(), number };
        let shared = journey(work(), departure).shared();
        if let Some(weak) = shared.downgrade() {
            open.insert(question.clone(), Flight { number, sighting: sighting.clone(), shared: weak });
        }
        Boarding::Begun(Part(shared))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Flight {
    /// A part in it, for who comes now: what anybody has been told of, it has seen.
    fn boarding(&self) -> Option<Shared<Journey>> {
        self.sighting.is_current().then(|| self.shared.upgrade()).flatten()
    }
}

/// Takes a flight off the list when it is over, or when its last caller has left.
struct Departure {
    flights: Arc<Flights>,
    question: Question,
    number: u64,
}

impl Drop for Departure {
    fn drop(&mut self) {
        let mut open = self.flights.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have taken its place.
        if open.get(&self.question).is_some_and(|flight| flight.number == self.number) {
            open.remove(&self.question);
        }
    }
}

fn journey(work: Work, departure: Departure) -> Journey {
    Box::pin(async move {
        let _departure = departure;
        match work.await {
            Ok(Content::Whole(kept)) => Arrival::Whole(kept),
            Ok(Content::Open(rows, running)) => Arrival::Open(Arc::new(Mutex::new(Some((rows, running))))),
            Err(failure) => Arrival::Failed(failure),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use bytes::Bytes;
    use tokio::sync::oneshot;

    use super::*;
    use crate::catalog::Versions;
    use crate::engine::Query;
    use crate::query::Aggregates;
    use crate::query::cache::Lifetime;

    fn question(sql: &str) -> Question {
        Question::new(Query::new(sql, "JSON"), Aggregates::States)
    }

    fn kept(text: &'static str) -> Arc<Kept> {
        let sighting = Versions::default().begin();
        Arc::new(Kept::new(Bytes::from_static(text.as_bytes()), sighting, Lifetime::UntilChanged))
    }

    /// Flights with work that counts how often it is begun, and ends when it is told.
    #[derive(Default)]
    struct Airport {
        flights: Arc<Flights>,
        versions: Versions,
        begun: Arc<AtomicUsize>,
    }

    type End = oneshot::Sender<&'static str>;

    impl Airport {
        fn board(&self, sql: &str) -> (Boarding, End) {
            let (end, ended) = oneshot::channel();
            let begun = Arc::clone(&self.begun);
            let work = async move {
                begun.fetch_add(1, Ordering::SeqCst);
                Ok(Content::Whole(kept(ended.await.unwrap_or("cut off"))))
            };
            let (question, sighting) = (question(sql), self.versions.begin());
            (self.flights.board((&question, &sighting), || None, || Box::pin(work)), end)
        }

        fn begin(&self, sql: &str) -> (Part, End) {
            match self.board(sql) {
                (Boarding::Begun(part), end) => (part, end),
                _ => panic!("another query was there"),
            }
        }

        fn join(&self, sql: &str) -> Part {
            match self.board(sql).0 {
                Boarding::Joined(part) => part,
                _ => panic!("no other query was there"),
            }
        }
    }

    async fn bytes(part: Part) -> Bytes {
        match part.landing().await {
            Some(Ok(Content::Whole(kept))) => kept.bytes.clone(),
            _ => panic!("not whole"),
        }
    }

    #[tokio::test]
    async fn equal_questions_share_a_flight_while_nothing_changes() {
        let airport = Airport::default();
        let (first, end) = airport.begin("a");
        let second = airport.join("a");
        let (other, _) = airport.begin("b");

        airport.versions.everything_changed();
        // What runs may have looked before the change.
        let (late, late_end) = airport.begin("a");
        assert_eq!(airport.flights.len(), 2);

        end.send("early").unwrap();
        late_end.send("late").unwrap();
        let landed = tokio::join!(bytes(first), bytes(second), bytes(late));
        assert_eq!(landed, ("early".into(), "early".into(), "late".into()));
        assert_eq!(airport.begun.load(Ordering::SeqCst), 2, "nobody waited for `b`");
        drop(other);
        assert_eq!(airport.flights.len(), 0);
    }

    #[tokio::test]
    async fn the_last_to_leave_ends_it() {
        let airport = Airport::default();
        let (first, end) = airport.begin("a");
        let mut first = Box::pin(first.landing());
        let mut second = Box::pin(airport.join("a").landing());
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(!end.is_closed(), "one still waits");
        drop(second);
        assert!(end.is_closed());
        assert_eq!((airport.flights.len(), airport.begun.load(Ordering::SeqCst)), (0, 1));
    }

    #[test]
    fn an_answer_that_has_just_come_is_taken() {
        let (airport, answer) = (Airport::default(), kept("there"));
        let sighting = airport.versions.begin();
        let work = || -> Work { panic!("nothing is to be asked") };
        let found = airport.flights.board((&question("a"), &sighting), || Some(Arc::clone(&answer)), work);
        assert!(matches!(found, Boarding::Landed(found) if Arc::ptr_eq(&found, &answer)));
        assert_eq!(airport.flights.len(), 0);
    }
}
