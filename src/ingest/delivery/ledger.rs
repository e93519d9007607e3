//! The state of all rows, as the log tells it. Pure.
//!
//! In: the records of the log, in order.  Out: rows that wait; batches that are on their way; at a
//! start, the batches in doubt and the block numbers that prove them; how far the log may be cut.
//! Promise: what is not known to be durable in its tables is never cut away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::record::{Barrier, BatchId, Chunk, Control, Freeze, FrozenPlan, Heights, Seen, TableKey, Verdict};
use crate::ingest::wal::{Place, Sequence};

/// The rows of one request in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) sequence: Sequence,
    pub(super) place: Place,
    /// Bytes of the payload.
    pub(super) bytes: usize,
    /// When they came, in milliseconds since 1970.
    pub(super) arrival: u64,
}

/// A batch that has been frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) id: BatchId,
    pub(super) plan: FrozenPlan,
    /// Its requests, in order.
    pub(super) requests: Vec<Waiting>,
    /// The record that froze it: the global order.
    pub(super) frozen: Sequence,
    /// Where it was seen, by the last record that says so.
    pub(super) seen: Seen,
    done: Option<Sequence>,
}

/// Heights that were written down before a try.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Try {
    batch: BatchId,
    heights: Heights,
}

/// Block numbers of a table in which a part proves that a batch is there: above the first, up to
/// the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) above: i64,
    pub(super) up_to: i64,
}

impl Span {
    /// True where a part with these block numbers holds one of the span's.
    pub(super) fn meets(self, least: i64, most: i64) -> bool {
        most > self.above && least <= self.up_to
    }
}

/// What happened to the machine since the log was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// It ran on: what was written is there.
    RanOn,
    /// It stopped: what was not synced may be gone.
    Stopped,
}

/// A view that is being filled from history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Population {
    begun: Sequence,
    /// The rows in their order, once that is decided.
    pub(super) chunks: Option<Vec<Chunk>>,
    /// Chunks that have been frozen or are done, by number: none of them is begun again.
    pub(super) frozen: BTreeSet<u64>,
}

/// The name under which chunks of history for the view of a pipe are batches.
pub(super) fn populating(pipe: &str) -> String {
    format!("populate {pipe}")
}

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    waiting: BTreeMap<String, VecDeque<Waiting>>,
    batches: BTreeMap<BatchId, Batch>,
    /// Tries since the last [`Control::Verified`], in order.
    tries: Vec<Try>,
    barriers: BTreeMap<u64, (Sequence, Barrier)>,
    populations: BTreeMap<String, Population>,
    synced: Option<Sequence>,
    boot: Option<String>,
    parts: Option<BTreeSet<String>>,
}

impl Ledger {
    /// Takes the rows of a request.
    pub(super) fn add_rows(&mut self, source: &str, rows: Waiting) {
        match self.waiting.get_mut(source) {
            Some(waiting) => waiting.push_back(rows),
            None => self.waiting.entry(source.to_owned()).or_default().push_back(rows),
        }
    }

    /// Takes another record.
    pub(super) fn apply(&mut self, sequence: Sequence, record: Control) {
        match record {
            Control::Freeze(freeze) => self.freeze(sequence, *freeze),
            Control::Retry { batch, heights, seen } => {
                if let Some(known) = self.batches.get_mut(&batch) {
                    known.seen = seen;
                    known.done = None;
                }
                self.tries.push(Try { batch, heights });
            }
            Control::Done { batch } => {
                if let Some(known) = self.batches.get_mut(&batch) {
                    known.done = Some(sequence);
                }
            }
            Control::Barrier(barrier) => {
                self.barriers.insert(barrier.number, (sequence, barrier));
            }
            Control::BarrierDone { number } => drop(self.barriers.remove(&number)),
            Control::Populate { pipe } => {
                let population = Population { begun: sequence, chunks: None, frozen: BTreeSet::new() };
                self.populations.insert(pipe, population);
            }
            Control::PopulateChunks { pipe, chunks } => {
                if let Some(population) = self.populations.get_mut(&pipe) {
                    population.chunks = Some(chunks);
                }
            }
            Control::Populated { pipe } => drop(self.populations.remove(&pipe)),
            Control::Synced { position, boot } => self.sync(position, boot),
            Control::Parts { directories } => self.parts = Some(directories.into_iter().collect()),
            Control::Verified { boot, window } => self.verify(boot, window),
        }
    }

    fn freeze(&mut self, frozen: Sequence, freeze: Freeze) {
        let Freeze { batch: id, to, plan, heights } = freeze;
        if let Some(pipe) = id.source.strip_prefix("populate ")
            && let Some(population) = self.populations.get_mut(pipe)
        {
            population.frozen.insert(id.from.get());
        }
        // A second record of the same batch keeps what the first took.
        let mut requests = self.batches.remove(&id).map(|known| known.requests).unwrap_or_default();
        if let Some(waiting) = self.waiting.get_mut(&id.source) {
            while let Some(rows) = waiting.front().copied().filter(|rows| rows.sequence <= to) {
                waiting.pop_front();
                requests.push(rows);
            }
        }
        self.tries.push(Try { batch: id.clone(), heights });
        let batch = Batch { id: id.clone(), plan, requests, frozen, seen: Seen::new(), done: None };
        self.batches.insert(id, batch);
    }

    fn sync(&mut self, position: Sequence, boot: String) {
        // Two that ran at once may be noted in any order.
        self.synced = self.synced.max(Some(position));
        self.boot = Some(boot);
        let is_durable = |batch: &Batch| batch.done.is_some_and(|done| done < position);
        self.batches.retain(|_, batch| !is_durable(batch));
        // A try of a batch that is gone ends no span of one that is left: tables are written by one
        // batch at a time, so the earlier one would be durable, too.
        self.tries.retain(|attempt| self.batches.contains_key(&attempt.batch));
    }

    fn verify(&mut self, boot: String, window: Vec<Verdict>) {
        let mut kept = BTreeMap::new();
        for Verdict { batch, seen } in window {
            if let Some(known) = self.batches.remove(&batch) {
                kept.insert(batch, Batch { seen, done: None, ..known });
            }
        }
        self.batches = kept;
        self.tries.clear();
        self.parts = None;
        self.boot = Some(boot);
    }

    /// The machine's life in which the log was last written; `None` where it does not say.
    pub(super) fn boot(&self) -> Option<&str> {
        self.boot.as_deref()
    }

    /// The parts noted since the last [`Control::Verified`].
    pub(super) fn parts(&self) -> Option<&BTreeSet<String>> {
        self.parts.as_ref()
    }

    /// True while the rows of a request are on their way to their tables.
    pub(super) fn is_open(&self, source: &str, sequence: Sequence) -> bool {
        // Both are in order; of what waits there may be millions.
        let is_in =
            |batch: &Batch| batch.requests.binary_search_by_key(&sequence, |rows| rows.sequence).is_ok();
        let waiting = self.waiting.get(source);
        waiting.is_some_and(|waiting| waiting.binary_search_by_key(&sequence, |rows| rows.sequence).is_ok())
            || self.batches.values().any(|batch| batch.done.is_none() && is_in(batch))
    }

    /// The batches in doubt, in the order in which they were frozen.
    pub(super) fn window(&self, machine: Machine) -> Vec<Batch> {
        let in_doubt = |batch: &&Batch| machine == Machine::Stopped || batch.done.is_none();
        let mut window: Vec<Batch> = self.batches.values().filter(in_doubt).cloned().collect();
        window.sort_by_key(|batch| batch.frozen);
        window
    }

    /// A batch that is on its way.
    pub(super) fn batch(&self, id: &BatchId) -> Option<&Batch> {
        self.batches.get(id)
    }

    /// The block numbers that prove a batch, by table.
    pub(super) fn evidence(&self, id: &BatchId) -> BTreeMap<TableKey, Vec<Span>> {
        let mut evidence: BTreeMap<TableKey, Vec<Span>> = BTreeMap::new();
        for (place, attempt) in self.tries.iter().enumerate() {
            if attempt.batch != *id {
                continue;
            }
            for (table, &above) in &attempt.heights {
                let next = self.tries[place + 1..].iter().find_map(|later| later.heights.get(table));
                let up_to = next.copied().unwrap_or(i64::MAX);
                evidence.entry(table.clone()).or_default().push(Span { above, up_to });
            }
        }
        evidence
    }

    /// Statements that began and did not end, in order.
    pub(super) fn open_barriers(&self) -> Vec<Barrier> {
        self.barriers.values().map(|(_, barrier)| barrier.clone()).collect()
    }

    /// The views that are to be filled from history, by pipe.
    pub(super) fn populations(&self) -> BTreeMap<String, Population> {
        self.populations.clone()
    }

    /// The sources that have rows waiting.
    pub(super) fn sources(&self) -> Vec<String> {
        let waiting = self.waiting.iter().filter(|(_, rows)| !rows.is_empty());
        waiting.map(|(source, _)| source.clone()).collect()
    }

    /// The requests of a source that wait, oldest first.
    pub(super) fn waiting(&self, source: &str) -> impl Iterator<Item = &Waiting> {
        self.waiting.get(source).into_iter().flatten()
    }

    /// True where every row of a source before this number is in its tables.
    pub(super) fn is_delivered(&self, source: &str, until: Sequence) -> bool {
        let waits = self.waiting(source).next().is_some_and(|rows| rows.sequence < until);
        let on_its_way =
            |batch: &Batch| batch.id.source == source && batch.id.from < until && batch.done.is_none();
        !waits && !self.batches.values().any(on_its_way)
    }

    /// When the oldest rows came that are in no batch, in milliseconds since 1970.
    pub(super) fn oldest_arrival(&self) -> Option<u64> {
        self.waiting.values().filter_map(|rows| rows.front()).map(|rows| rows.arrival).min()
    }

    /// True where something is to be made durable.
    pub(super) fn needs_sync(&self) -> bool {
        self.batches.values().any(|batch| batch.done.is_some())
    }

    /// Everything before this number may be cut away; nothing where no sync has been made.
    pub(super) fn cut(&self) -> Sequence {
        let rows = self.waiting.values().filter_map(|rows| rows.front()).map(|rows| rows.sequence);
        let batches = self.batches.values().flat_map(|batch| {
            let first = batch.requests.first().map(|rows| rows.sequence);
            first.into_iter().chain([batch.frozen])
        });
        let barriers = self.barriers.values().map(|(sequence, _)| *sequence);
        let populations = self.populations.values().map(|population| population.begun);
        let held = rows.chain(batches).chain(barriers).chain(populations).min();
        let synced = self.synced.unwrap_or(Sequence::FIRST);
        held.map_or(synced, |held| held.min(synced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(table: &str) -> TableKey {
        TableKey { database: "d".to_owned(), table: table.to_owned() }
    }

    fn plan() -> FrozenPlan {
        FrozenPlan {
            rows: key("t"),
            quarantine: key("t_quarantine"),
            steps: Vec::new(),
            null_tables: BTreeSet::new(),
            history: None,
            keys: BTreeMap::new(),
            refused: None,
        }
    }

    fn id(from: u64) -> BatchId {
        BatchId { source: "t".to_owned(), from: Sequence::new(from) }
    }

    fn heights(height: i64) -> Heights {
        Heights::from([(key("t"), height)])
    }

    struct Log {
        ledger: Ledger,
        next: u64,
    }

    impl Log {
        fn new() -> Self {
            Self { ledger: Ledger::default(), next: 1 }
        }

        fn rows(&mut self) -> Sequence {
            let sequence = Sequence::new(self.next);
            self.next += 1;
            let place = Place::default();
            self.ledger.add_rows("t", Waiting { sequence, place, bytes: 1, arrival: 0 });
            sequence
        }

        fn say(&mut self, record: Control) -> Sequence {
            let sequence = Sequence::new(self.next);
            self.next += 1;
            self.ledger.apply(sequence, record);
            sequence
        }

        fn freeze(&mut self, from: Sequence, to: Sequence, height: i64) -> BatchId {
            let batch = BatchId { source: "t".to_owned(), from };
            let freeze = Freeze { batch: batch.clone(), to, plan: plan(), heights: heights(height) };
            self.say(Control::Freeze(Box::new(freeze)));
            batch
        }

        fn sync(&mut self, position: u64) {
            self.say(Control::Synced { position: Sequence::new(position), boot: "b".to_owned() });
        }

        fn window(&self, machine: Machine) -> Vec<BatchId> {
            self.ledger.window(machine).into_iter().map(|batch| batch.id).collect()
        }
    }

    #[test]
    fn a_batch_takes_its_requests_and_is_in_doubt_until_it_is_done() {
        let mut log = Log::new();
        let (first, second, _) = (log.rows(), log.rows(), log.rows());
        let batch = log.freeze(first, second, 4);
        assert_eq!(log.ledger.batch(&batch).unwrap().requests.len(), 2);
        assert_eq!(log.ledger.waiting("t").count(), 1);
        assert_eq!(log.window(Machine::RanOn).first(), Some(&batch));
        assert_eq!(log.ledger.evidence(&batch)[&key("t")], [Span { above: 4, up_to: i64::MAX }]);
        log.say(Control::Done { batch: batch.clone() });
        assert_eq!(log.window(Machine::RanOn), []);
        assert_eq!(log.window(Machine::Stopped), [batch], "a stopped machine may have lost its parts");
    }

    #[test]
    fn a_batch_that_is_frozen_twice_keeps_its_requests() {
        let mut log = Log::new();
        let (first, second) = (log.rows(), log.rows());
        log.freeze(first, first, 4);
        let batch = log.freeze(first, second, 5);
        let requests = &log.ledger.batch(&batch).unwrap().requests;
        assert_eq!(requests.iter().map(|rows| rows.sequence).collect::<Vec<_>>(), [first, second]);
        assert_eq!(log.ledger.cut(), Sequence::FIRST);
    }

    #[test]
    fn keys_of_tables_without_a_stage_are_not_computed() {
        let keys = [key("t"), key("elsewhere")].map(|table| (table, "k % 3".to_owned()));
        let plan = FrozenPlan { keys: keys.into(), ..plan() };
        assert_eq!(plan.own_keys().map(|(table, _)| table.clone()).collect::<Vec<_>>(), [key("t")]);
    }

    #[test]
    fn the_next_height_of_a_table_ends_the_span_of_the_try_before() {
        let mut log = Log::new();
        let (first, second) = (log.rows(), log.rows());
        let one = log.freeze(first, first, 4);
        log.say(Control::Done { batch: one.clone() });
        let two = log.freeze(second, second, 5);
        log.say(Control::Retry { batch: two.clone(), heights: heights(7), seen: Seen::new() });
        assert_eq!(log.ledger.evidence(&one)[&key("t")], [Span { above: 4, up_to: 5 }]);
        let spans = [Span { above: 5, up_to: 7 }, Span { above: 7, up_to: i64::MAX }];
        assert_eq!(log.ledger.evidence(&two)[&key("t")], spans);
        assert!(
            spans[0].meets(1, 6) && spans[0].meets(7, 9) && !spans[0].meets(8, 9) && !spans[0].meets(1, 5)
        );
    }

    #[test]
    fn a_sync_makes_durable_what_was_done_before_its_position_only() {
        let mut log = Log::new();
        let (first, second) = (log.rows(), log.rows());
        let one = log.freeze(first, first, 0);
        log.say(Control::Done { batch: one });
        let position = log.next;
        let two = log.freeze(second, second, 1);
        log.say(Control::Done { batch: two.clone() });
        log.sync(position);
        assert_eq!(log.window(Machine::Stopped), [two]);
        assert_eq!(log.ledger.cut(), second, "its rows may be needed again");
        let position = log.next;
        log.sync(position);
        assert!(log.window(Machine::Stopped).is_empty() && !log.ledger.needs_sync());
        assert_eq!(log.ledger.cut(), Sequence::new(position));
    }

    #[test]
    fn what_waits_is_never_cut() {
        let mut log = Log::new();
        assert_eq!(log.ledger.cut(), Sequence::FIRST);
        let first = log.rows();
        let position = log.next;
        log.sync(position);
        assert_eq!(log.ledger.cut(), first);
        let statement = Barrier { number: 1, table: None, statement: "TRUNCATE".to_owned(), job: None };
        let barrier = log.say(Control::Barrier(statement.clone()));
        let batch = log.freeze(first, first, 0);
        log.say(Control::Done { batch });
        let position = log.next;
        log.sync(position);
        assert_eq!(log.ledger.cut(), barrier);
        assert_eq!(log.ledger.open_barriers(), [statement]);
        log.say(Control::BarrierDone { number: 1 });
        assert_eq!(log.ledger.cut(), Sequence::new(position));
    }

    #[test]
    fn of_two_syncs_the_later_counts_in_whatever_order_they_are_noted() {
        let mut log = Log::new();
        let first = log.rows();
        let batch = log.freeze(first, first, 0);
        log.say(Control::Done { batch });
        let (earlier, later) = (first.get(), log.next);
        log.sync(later);
        log.sync(earlier);
        assert_eq!(log.window(Machine::Stopped), [], "the batch is durable");
        assert_eq!(log.ledger.cut(), Sequence::new(later));
    }

    #[test]
    fn a_verification_voids_heights_and_keeps_its_window() {
        let mut log = Log::new();
        let (first, second) = (log.rows(), log.rows());
        let one = log.freeze(first, first, 0);
        log.say(Control::Done { batch: one.clone() });
        let two = log.freeze(second, second, 1);
        log.say(Control::Parts { directories: vec!["store/a".to_owned()] });
        assert!(log.ledger.parts().is_some());
        let seen = Seen::from([(key("t"), BTreeSet::from(["202601".to_owned()]))]);
        let verdict = Verdict { batch: one.clone(), seen: seen.clone() };
        log.say(Control::Verified { boot: "b".to_owned(), window: vec![verdict] });
        assert_eq!(log.ledger.boot(), Some("b"));
        assert!(log.ledger.parts().is_none() && log.ledger.evidence(&one).is_empty());
        assert!(log.ledger.batch(&two).is_none(), "it was found whole and made durable");
        let window = log.ledger.window(Machine::RanOn);
        assert_eq!((window.len(), &window[0].id, &window[0].seen), (1, &one, &seen));
        assert_eq!(log.ledger.cut(), Sequence::FIRST);
        assert_eq!(id(1), one);
    }
}
