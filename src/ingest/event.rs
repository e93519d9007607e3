//! Events one by one: each becomes a row, or a row of the quarantine.

use super::body::{BodyError, DecodedBody, Limits};
use super::json::{JsonError, JsonText, is_deeper_than};
use super::paths::Slots;
use super::plan::RowPlan;
use super::quarantine::QuarantineWriter;
use super::row::{RowOutcome, RowWriter};

/// Why an event could not be read at all; the texts begin the message in the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EventFault {
    /// Broken JSON.
    #[error("event is not valid JSON ({0})")]
    NotJson(JsonError),
    /// Bytes that are no text.
    #[error("event is not valid UTF-8")]
    NotUtf8,
    /// A number, a text, an array.
    #[error("event is JSON but not an object")]
    NotAnObject,
    /// Longer than the limit.
    #[error("event has {bytes} bytes, more than the {limit} allowed")]
    TooLong { bytes: usize, limit: usize },
    /// Nested deeper than the limit.
    #[error("event is nested more than {limit} levels deep")]
    TooDeep { limit: usize },
    /// More keys than the limit.
    #[error("event has {keys} keys, more than the {limit} allowed")]
    TooManyKeys { keys: usize, limit: usize },
}

impl EventFault {
    /// True when nothing says that the event is JSON at all.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::NotJson(_) | Self::NotUtf8)
    }
}

/// Turns the events of one body into rows.
#[derive(Debug)]
pub(super) struct EventReader<'p, 'a> {
    plan: &'p RowPlan,
    limits: &'p Limits,
    rows: RowWriter<'p>,
    quarantine: QuarantineWriter<'p>,
    successful: usize,
    quarantined: usize,
    /// Used again for each event.
    slots: Slots<'a>,
}

impl<'p, 'a> EventReader<'p, 'a> {
    /// Starts with no event read.
    pub(super) fn new(plan: &'p RowPlan, limits: &'p Limits) -> Self {
        Self {
            plan,
            limits,
            rows: RowWriter::new(plan, limits.shapes),
            quarantine: QuarantineWriter::new(&plan.quarantine),
            successful: 0,
            quarantined: 0,
            slots: Vec::new(),
        }
    }

    /// Takes the next event, without white space around it, and says what kept it from being read;
    /// an error ends the whole body.
    pub(super) fn take(&mut self, event: &'a [u8]) -> Result<Option<EventFault>, BodyError> {
        if self.successful + self.quarantined >= self.limits.rows {
            return Err(BodyError::TooManyRows { limit: self.limits.rows });
        }
        let fault = match self.read(event) {
            Ok(()) => {
                self.write()?;
                None
            }
            Err(fault) => {
                self.quarantine.keep_event(event, &fault);
                self.quarantined += 1;
                Some(fault)
            }
        };
        if self.rows.bytes() + self.quarantine.bytes() > self.limits.decoded_bytes {
            return Err(BodyError::TooLarge { limit: self.limits.decoded_bytes });
        }
        Ok(fault)
    }

    /// What came of all events.
    pub(super) fn finish(self) -> DecodedBody {
        DecodedBody {
            blocks: self.rows.into_blocks(),
            quarantine: self.quarantine.into_block(),
            successful_rows: self.successful,
            quarantined_rows: self.quarantined,
        }
    }

    fn read(&mut self, event: &'a [u8]) -> Result<(), EventFault> {
        let limits = self.limits;
        if event.len() > limits.event_bytes {
            return Err(EventFault::TooLong { bytes: event.len(), limit: limits.event_bytes });
        }
        let event = std::str::from_utf8(event).map_err(|_| EventFault::NotUtf8)?;
        if is_deeper_than(limits.depth, event) {
            return Err(EventFault::TooDeep { limit: limits.depth });
        }
        if !event.starts_with('{') {
            JsonText::parse(event).map_err(EventFault::NotJson)?;
            return Err(EventFault::NotAnObject);
        }
        self.slots.clear();
        self.slots.resize(self.plan.slots, None);
        let keys = self.plan.paths.collect(event, &mut self.slots).map_err(EventFault::NotJson)?;
        if keys > limits.keys {
            return Err(EventFault::TooManyKeys { keys, limit: limits.keys });
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), BodyError> {
        match self.rows.write(&self.slots) {
            RowOutcome::Stored => self.successful += 1,
            RowOutcome::Refused(faults) => {
                self.quarantine.keep_row(&self.slots, &faults);
                self.quarantined += 1;
            }
            RowOutcome::TooManyShapes => {
                return Err(BodyError::TooManyShapes { limit: self.limits.shapes });
            }
        }
        Ok(())
    }
}
