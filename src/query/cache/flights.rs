//! Queries that several callers wait for: the first asks, the others share, the last to leave stops it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

use super::{Origin, Question};
use crate::catalog::Sighting;
use crate::engine::Rows;
use crate::query::admission::Running;
use crate::query::ask::Failure;

/// Asks the engine; dropping it stops the query.
pub(in crate::query) type Work = Pin<Box<dyn Future<Output = Result<Landing, Failure>> + Send>>;

/// What the engine gave.
pub(in crate::query) enum Landing {
    /// All bytes.
    Whole(Bytes),
    /// The first of many; the rest follows.
    Open(Rows, Running),
}

/// The same for several callers.
#[derive(Clone)]
enum Arrival {
    Whole(Bytes),
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
pub(super) struct Part {
    shared: Shared<Journey>,
    origin: Origin,
}

impl Part {
    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// Waits for the end; `None` where the rows come piece by piece, and another caller has them.
    pub(super) async fn landing(self) -> Option<Result<Landing, Failure>> {
        Some(match self.shared.await {
            Arrival::Whole(bytes) => Ok(Landing::Whole(bytes)),
            Arrival::Open(rows) => {
                let (rows, running) = rows.lock().unwrap_or_else(PoisonError::into_inner).take()?;
                Ok(Landing::Open(rows, running))
            }
            Arrival::Failed(failure) => Err(failure),
        })
    }
}

impl Flights {
    /// Joins a query that runs, unless a table has changed since it began; else begins one.
    pub(super) fn join(self: &Arc<Self>, question: &Question, sighting: &Sighting, work: Work) -> Part {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = open.get(question).and_then(Flight::boarding) {
            return Part { shared, origin: Origin::Coalesced };
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let departure = Departure { flights: Arc::clone(self), question: question.clone(), number };
        let shared = journey(work, departure).shared();
        if let Some(weak) = shared.downgrade() {
            open.insert(question.clone(), Flight { number, sighting: sighting.clone(), shared: weak });
        }
        Part { shared, origin: Origin::Miss }
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
            Ok(Landing::Whole(bytes)) => Arrival::Whole(bytes),
            Ok(Landing::Open(rows, running)) => Arrival::Open(Arc::new(Mutex::new(Some((rows, running))))),
            Err(failure) => Arrival::Failed(failure),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;
    use crate::catalog::Versions;
    use crate::engine::Query;
    use crate::query::Aggregates;

    fn question(sql: &str) -> Question {
        Question { query: Query::new(sql, "JSON"), aggregates: Aggregates::States }
    }

    /// Work that counts how often it is begun, and ends when it is told.
    fn work(begun: &Arc<AtomicUsize>) -> (Work, oneshot::Sender<&'static str>) {
        let (end, ended) = oneshot::channel();
        let begun = Arc::clone(begun);
        let work = Box::pin(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            Ok(Landing::Whole(Bytes::from_static(ended.await.unwrap_or("cut off").as_bytes())))
        });
        (work, end)
    }

    async fn bytes(part: Part) -> Bytes {
        match part.landing().await {
            Some(Ok(Landing::Whole(bytes))) => bytes,
            _ => panic!("not whole"),
        }
    }

    #[tokio::test]
    async fn equal_questions_share_a_flight_while_nothing_changes() {
        let (flights, versions) = (Arc::new(Flights::default()), Versions::default());
        let begun = Arc::new(AtomicUsize::new(0));
        let (first_work, end) = work(&begun);
        let first = flights.join(&question("a"), &versions.begin(), first_work);
        let second = flights.join(&question("a"), &versions.begin(), work(&begun).0);
        let other = flights.join(&question("b"), &versions.begin(), work(&begun).0);
        let origins = [first.origin(), second.origin(), other.origin()];
        assert_eq!(origins, [Origin::Miss, Origin::Coalesced, Origin::Miss]);

        versions.everything_changed();
        let (late_work, late_end) = work(&begun);
        let late = flights.join(&question("a"), &versions.begin(), late_work);
        assert_eq!(late.origin(), Origin::Miss, "what runs may have looked before the change");
        assert_eq!(flights.len(), 2);

        end.send("early").unwrap();
        late_end.send("late").unwrap();
        assert_eq!(
            tokio::join!(bytes(first), bytes(second), bytes(late)),
            ("early".into(), "early".into(), "late".into())
        );
        assert_eq!(begun.load(Ordering::SeqCst), 2, "the second began nothing, and nobody waited for `b`");
        drop(other);
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn the_last_to_leave_ends_it() {
        let (flights, versions) = (Arc::new(Flights::default()), Versions::default());
        let begun = Arc::new(AtomicUsize::new(0));
        let (first_work, end) = work(&begun);
        let mut first = Box::pin(flights.join(&question("a"), &versions.begin(), first_work).landing());
        let mut second = Box::pin(flights.join(&question("a"), &versions.begin(), work(&begun).0).landing());
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(!end.is_closed(), "one still waits");
        drop(second);
        assert!(end.is_closed());
        assert_eq!((flights.len(), begun.load(Ordering::SeqCst)), (0, 1));
    }
}
