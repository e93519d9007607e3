//! How many queries run at once, whose turn is next, and how many may wait.
//!
//! A place that becomes free goes to the token that has the fewest queries running; where the line is
//! full, the token that holds most of it makes room. The last quarter of the places is for tokens that
//! have none yet, so that slow queries of one keep nobody else out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::QueryError;
use crate::auth::Holder;

/// The gate before the engine.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    line: Arc<Mutex<Line>>,
    patience: Duration,
}

/// Who runs and who waits.
#[derive(Debug)]
struct Line {
    free: usize,
    /// The last places, for holders that have none.
    reserved: usize,
    /// Those who may wait.
    room: usize,
    running: HashMap<Holder, usize>,
    /// The first came first.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    holder: Holder,
    turn: oneshot::Sender<Running>,
}

/// See [`Gate::occupancy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occupancy {
    pub(super) running: usize,
    pub(super) waiting: usize,
}

/// So many queries run and wait that this one may not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Busy;

impl From<Busy> for QueryError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

/// The right to run one query; given back when dropped.
#[derive(Debug)]
pub struct Running {
    line: Arc<Mutex<Line>>,
    holder: Holder,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.leave(&self.holder);
        let unwanted = line.call_next(&self.line);
        // Places that nobody waited for any more are given back without the lock.
        drop(line);
        drop(unwanted);
    }
}

impl Gate {
    /// `running` queries at once, `waiting` more in line for at most `patience`.
    pub(super) fn new(running: usize, waiting: usize, patience: Duration) -> Self {
        let line = Line {
            free: running,
            reserved: running / 4,
            room: waiting,
            running: HashMap::new(),
            waiting: Vec::new(),
        };
        Self { line: Arc::new(Mutex::new(line)), patience }
    }

    /// How many queries run now, and how many wait.
    pub(super) fn occupancy(&self) -> Occupancy {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting.retain(|waiting| !waiting.turn.is_closed());
        Occupancy { running: line.running.values().sum(), waiting: line.waiting.len() }
    }

    /// Waits for a place; refuses at once when the line is full.
    pub(super) async fn enter(&self, holder: &Holder) -> Result<Running, Busy> {
        let turn = {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            if line.may_run(holder) {
                line.admit(holder);
                return Ok(Running { line: Arc::clone(&self.line), holder: holder.clone() });
            }
            line.stand(holder)?
        };
        match tokio::time::timeout(self.patience, turn).await {
            Ok(Ok(running)) => Ok(running),
            _ => Err(Busy),
        }
    }
}

impl Line {
    fn runs(&self, holder: &Holder) -> usize {
        self.running.get(holder).copied().unwrap_or_default()
    }

    fn may_run(&self, holder: &Holder) -> bool {
        self.free > if self.runs(holder) == 0 { 0 } else { self.reserved }
    }

    fn admit(&mut self, holder: &Holder) {
        self.free -= 1;
        *self.running.entry(holder.clone()).or_default() += 1;
    }

    fn leave(&mut self, holder: &Holder) {
        self.free += 1;
        if let Some(running) = self.running.get_mut(holder) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(holder);
            }
        }
    }

    /// A place in the line.
    fn stand(&mut self, holder: &Holder) -> Result<oneshot::Receiver<Running>, Busy> {
        self.waiting.retain(|waiting| !waiting.turn.is_closed());
        if self.waiting.len() >= self.room {
            self.make_room(holder)?;
        }
        let (turn, waiter) = oneshot::channel();
        self.waiting.push(Waiting { holder: holder.clone(), turn });
        Ok(waiter)
    }

    /// Sends the last of the holder away that has more in the full line than this one would have.
    fn make_room(&mut self, holder: &Holder) -> Result<(), Busy> {
        let of = |holder: &Holder| self.waiting.iter().filter(|waiting| waiting.holder == *holder).count();
        let most = self.waiting.iter().map(|waiting| &waiting.holder).max_by_key(|other| of(other)).cloned();
        let greedy = most.filter(|other| of(other) > of(holder) + 1).ok_or(Busy)?;
        let last = self.waiting.iter().rposition(|waiting| waiting.holder == greedy).ok_or(Busy)?;
        self.waiting.remove(last);
        Ok(())
    }

    /// Gives free places to those whose turn it is; returns places that nobody took.
    fn call_next(&mut self, line: &Arc<Mutex<Self>>) -> Vec<Running> {
        let mut unwanted = Vec::new();
        while let Some(next) = self.next() {
            let Waiting { holder, turn } = self.waiting.remove(next);
            if turn.is_closed() {
                continue;
            }
            self.admit(&holder);
            unwanted.extend(turn.send(Running { line: Arc::clone(line), holder }).err());
        }
        unwanted
    }

    /// The place in the line of the first of those with the fewest queries running.
    fn next(&self) -> Option<usize> {
        let may_run = self.waiting.iter().enumerate().filter(|(_, waiting)| self.may_run(&waiting.holder));
        may_run.min_by_key(|(place, waiting)| (self.runs(&waiting.holder), *place)).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn holder(name: &str) -> Holder {
        Holder::new(name, crate::auth::TokenClass::Static)
    }

    /// A place that is there at once.
    fn place(gate: &Gate, name: &str) -> Running {
        gate.enter(&holder(name)).now_or_never().expect("a free place").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_line_is_refused_at_once_and_a_long_wait_in_the_end() {
        let gate = Gate::new(1, 1, PATIENCE);
        let (running, other) = (place(&gate, "a"), holder("b"));
        let (waited, refused) = tokio::join!(gate.enter(&other), async {
            tokio::task::yield_now().await;
            assert_eq!(gate.occupancy(), Occupancy { running: 1, waiting: 1 });
            gate.enter(&other).await
        });
        assert!(refused.is_err(), "the line holds one");
        assert!(waited.is_err(), "nobody left in five seconds");
        assert_eq!(gate.occupancy(), Occupancy { running: 1, waiting: 0 });
        drop(running);
        assert_eq!(gate.occupancy(), Occupancy { running: 0, waiting: 0 });
        drop(place(&gate, "b"));
    }

    #[tokio::test]
    async fn the_next_place_goes_to_whom_runs_least() {
        let gate = Gate::new(3, 9, PATIENCE);
        let held: Vec<_> = (0..3).map(|_| place(&gate, "a")).collect();
        let (a, b) = (holder("a"), holder("b"));
        let mut first = Box::pin(gate.enter(&a));
        let mut second = Box::pin(gate.enter(&b));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        let mut held = held.into_iter();
        drop(held.next());
        let second = second.now_or_never().expect("`b` has none").unwrap();
        assert!(first.as_mut().now_or_never().is_none(), "`a` has two");
        drop(held.next());
        first.now_or_never().expect("`b` waits for no more").unwrap();
        drop((held, second));
        assert_eq!(gate.line.lock().unwrap().free, 3, "every place came back");
    }

    #[tokio::test]
    async fn the_last_places_are_for_those_who_have_none() {
        let gate = Gate::new(8, 9, PATIENCE);
        let _held: Vec<_> = (0..6).map(|_| place(&gate, "a")).collect();
        let a = holder("a");
        let mut seventh = Box::pin(gate.enter(&a));
        assert!(seventh.as_mut().now_or_never().is_none());
        let b = place(&gate, "b");
        assert!(gate.enter(&holder("b")).now_or_never().is_none(), "one is enough for a start");
        drop(place(&gate, "c"));
        drop(b);
        assert!(seventh.now_or_never().is_none(), "they stay free");
    }

    #[tokio::test]
    async fn a_full_line_makes_room_for_whom_it_holds_less_of() {
        let gate = Gate::new(1, 3, PATIENCE);
        let _running = place(&gate, "a");
        let (a, b) = (holder("a"), holder("b"));
        let mut greedy: Vec<_> = (0..3).map(|_| Box::pin(gate.enter(&a))).collect();
        assert!(greedy.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        let mut other = Box::pin(gate.enter(&b));
        assert!(other.as_mut().now_or_never().is_none(), "it stands in line");
        let sent_away = greedy.pop().unwrap().now_or_never();
        assert!(matches!(sent_away, Some(Err(Busy))), "the last of the greedy");
        assert!(matches!(gate.enter(&b).now_or_never(), Some(Err(Busy))), "two of three are enough for `a`");
    }

    #[tokio::test]
    async fn whoever_leaves_the_line_takes_no_place() {
        let gate = Gate::new(1, 3, PATIENCE);
        let running = place(&gate, "a");
        let (b, c) = (holder("b"), holder("c"));
        let mut leaving = Box::pin(gate.enter(&b));
        let mut staying = Box::pin(gate.enter(&c));
        assert!(leaving.as_mut().now_or_never().is_none() && staying.as_mut().now_or_never().is_none());
        drop(leaving);
        drop(running);
        drop(staying.now_or_never().expect("its turn").unwrap());
        assert_eq!(gate.line.lock().unwrap().free, 1);
    }
}
