//! Keys by their identity, the newest so many of the last so many hours. Pure.

use std::collections::{HashMap, VecDeque};

use super::{KeyId, Remembered, Settings};

#[derive(Debug)]
pub(super) struct Index {
    settings: Settings,
    known: HashMap<KeyId, Remembered>,
    /// In the order in which they came, with the time at which each did.
    order: VecDeque<(KeyId, u64)>,
}

impl Index {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, known: HashMap::new(), order: VecDeque::new() }
    }

    fn is_fresh(&self, arrival: u64, now: u64) -> bool {
        u128::from(now.saturating_sub(arrival)) < self.settings.memory.as_millis()
    }

    /// The request that used a key.
    pub(super) fn get(&self, key: KeyId, now: u64) -> Option<Remembered> {
        self.known.get(&key).copied().filter(|known| self.is_fresh(known.arrival, now))
    }

    /// Adds a request, unless its key is known or it is too old; false where it was not added.
    pub(super) fn add(&mut self, request: Remembered, now: u64) -> bool {
        let key = request.signed.signature.key;
        if !self.is_fresh(request.arrival, now) || self.get(key, now).is_some() {
            return false;
        }
        self.known.insert(key, request);
        self.order.push_back((key, request.arrival));
        while let Some((key, arrival)) = self.order.front().copied() {
            if self.order.len() <= self.settings.most && self.is_fresh(arrival, now) {
                break;
            }
            self.order.pop_front();
            // A key that was used again after its time has a later place in the order.
            if self.known.get(&key).is_some_and(|known| known.arrival == arrival) {
                self.known.remove(&key);
            }
        }
        true
    }

    /// How many are remembered at most.
    pub(super) fn most(&self) -> usize {
        self.settings.most
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
