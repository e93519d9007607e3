//! Bodies of the Events API: newline-delimited JSON, or one JSON document.
//!
//! In: the bytes of a request after decompression.  Out: [`DecodedBody`], or [`BodyError`] when
//! nothing of the body may be stored.
//! Promise: events stored and events quarantined add up to the events sent, in any event that is
//! not an error.

use super::block::Block;
use super::event::{EventFault, EventReader};
use super::json::{JsonError, JsonText, is_json_sequence};
use super::plan::RowPlan;

/// How events stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFormat {
    /// One event per line.
    #[default]
    Ndjson,
    /// One event over any number of lines, or an array of events.
    Json,
}

/// What a body may ask for. The bounds on its result keep a small body from filling the memory:
/// `{}` can be a row of five hundred NULLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one event.
    pub event_bytes: usize,
    /// Levels of objects and arrays in one event.
    pub depth: usize,
    /// Keys of one event, not counting those of objects that no path goes into.
    pub keys: usize,
    /// Events of one body.
    pub rows: usize,
    /// Bytes of all rows of one body in columns, quarantined rows included.
    pub decoded_bytes: usize,
    /// Blocks that one body may become: one for each set of columns left to the engine.
    pub shapes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes: 1 << 20,
            depth: 128,
            keys: 2000,
            rows: 1_000_000,
            decoded_bytes: 256 << 20,
            shapes: 256,
        }
    }
}

/// A body as rows.
#[derive(Debug, Clone)]
pub struct DecodedBody {
    /// The rows, in blocks that fill different columns; none where all are quarantined.
    pub blocks: Vec<Block>,
    /// The refused events, for the table `<name>_quarantine`.
    pub quarantine: Option<Block>,
    /// The number of rows in the blocks.
    pub successful_rows: usize,
    /// The number of rows in the quarantine block.
    pub quarantined_rows: usize,
}

/// Why nothing of a body is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Nothing but white space, or an empty array.
    #[error("the body holds no events")]
    Empty,
    /// Not one line is JSON.
    #[error("no line of the body is valid JSON: send one JSON object per line (first line: {0})")]
    NoJsonLine(Box<str>),
    /// Pretty-printed JSON in a format that ends an event with its line.
    #[error("a JSON value goes over several lines: send one event per line, or format=json")]
    SpreadOverLines,
    /// Broken JSON where the body must be one document.
    #[error("the body is not valid JSON: format=json takes one object or an array of objects ({0})")]
    NotJson(Box<str>),
    /// More events than the limit.
    #[error("the body holds more than {limit} events: send them in several requests")]
    TooManyRows {
        /// The limit.
        limit: usize,
    },
    /// More bytes in columns than the limit.
    #[error("the rows of the body take more than {limit} bytes: send them in several requests")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More sets of missing columns than the limit.
    #[error(
        "the events lack columns with a computed DEFAULT in more than {limit} combinations: send them in several requests"
    )]
    TooManyShapes {
        /// The limit.
        limit: usize,
    },
}

/// Decodes a body by the plan of its table.
pub(super) fn decode(
    plan: &RowPlan,
    body: &[u8],
    format: BodyFormat,
    limits: &Limits,
) -> Result<DecodedBody, BodyError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match format {
        BodyFormat::Ndjson => decode_lines(plan, body, limits),
        BodyFormat::Json => decode_document(plan, body, limits),
    }
}

fn decode_lines(plan: &RowPlan, body: &[u8], limits: &Limits) -> Result<DecodedBody, BodyError> {
    let mut lines = split_lines(body).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let mut events = EventReader::new(plan, limits);
    let first_line = lines.next().ok_or(BodyError::Empty)?;
    let first_fault = events.take(first_line)?.filter(EventFault::is_broken);
    if first_fault.is_some() && is_spread_over_lines(first_line, body) {
        return Err(BodyError::SpreadOverLines);
    }
    let mut some_json = first_fault.is_none();
    for line in lines {
        some_json |= !events.take(line)?.is_some_and(|fault| fault.is_broken());
    }
    match first_fault {
        Some(fault) if !some_json => Err(BodyError::NoJsonLine(fault.to_string().into())),
        _ => Ok(events.finish()),
    }
}

fn split_lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', body).chain(std::iter::once(body.len()));
    ends.scan(0, |start, end| {
        let line = &body[*start..end];
        *start = end + 1;
        Some(line)
    })
}

/// True when the lines make no sense each by itself, but all together they do.
fn is_spread_over_lines(first_line: &[u8], body: &[u8]) -> bool {
    let is_sequence = |bytes| std::str::from_utf8(bytes).is_ok_and(is_json_sequence);
    !is_sequence(first_line) && is_sequence(body)
}

fn decode_document(plan: &RowPlan, body: &[u8], limits: &Limits) -> Result<DecodedBody, BodyError> {
    let body = std::str::from_utf8(body).map_err(|error| BodyError::NotJson(error.to_string().into()))?;
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(BodyError::Empty);
    }
    let not_json = |error: JsonError| BodyError::NotJson(error.to_string().into());
    let document = JsonText::parse(body).map_err(not_json)?;
    let events = if body.starts_with('[') { document.elements().map_err(not_json)? } else { vec![document] };
    if events.is_empty() {
        return Err(BodyError::Empty);
    }
    let mut reader = EventReader::new(plan, limits);
    for event in events {
        reader.take(event.as_str().as_bytes())?;
    }
    Ok(reader.finish())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{column, print_rows};
    use super::*;

    fn plan() -> RowPlan {
        RowPlan::new(&[column("id | UInt32 | $.id"), column("at | DateTime | $.at | now()")]).unwrap()
    }

    fn decode_within(limits: &Limits, body: &str) -> Result<DecodedBody, BodyError> {
        plan().decode(body.as_bytes(), BodyFormat::Ndjson, limits)
    }

    fn quarantine_of(limits: &Limits, body: &str) -> String {
        print_rows(&decode_within(limits, body).unwrap().quarantine.unwrap())
    }

    #[test]
    fn an_event_over_the_limit_goes_to_quarantine_with_its_beginning() {
        let limits = Limits { event_bytes: 2000, ..Limits::default() };
        let body = format!("{{\"id\":1}}\n{{\"id\":2,\"x\":\"{}\"}}", "y".repeat(2000));
        let decoded = decode_within(&limits, &body).unwrap();
        assert_eq!((decoded.successful_rows, decoded.quarantined_rows), (1, 1));
        let text = quarantine_of(&limits, &body);
        assert!(text.contains("event has 2015 bytes, more than the 2000 allowed: {\"id\":2"), "{text}");
        assert!(text.len() < 1300, "{}", text.len());
    }

    #[test]
    fn events_that_are_too_deep_or_too_wide_go_to_quarantine() {
        let limits = Limits { depth: 3, keys: 2, ..Limits::default() };
        let text = quarantine_of(&limits, r#"{"id":1,"x":[[[]]]}"#);
        assert!(text.contains("event is nested more than 3 levels deep"), "{text}");
        let text = quarantine_of(&limits, r#"{"id":1,"x":1,"y":1}"#);
        assert!(text.contains("event has 3 keys, more than the 2 allowed"), "{text}");
        assert_eq!(decode_within(&limits, r#"{"id":1,"x":[{}]}"#).unwrap().successful_rows, 1);
    }

    #[test]
    fn a_body_over_the_limits_is_refused_as_a_whole() {
        let body = "{\"id\":1}\n{\"id\":2,\"at\":0}\n";
        let refused = |limits: &Limits| decode_within(limits, body).unwrap_err();
        let limits = Limits { rows: 1, ..Limits::default() };
        assert_eq!(refused(&limits), BodyError::TooManyRows { limit: 1 });
        let limits = Limits { shapes: 1, ..Limits::default() };
        assert_eq!(refused(&limits), BodyError::TooManyShapes { limit: 1 });
        let limits = Limits { decoded_bytes: 11, ..Limits::default() };
        assert_eq!(refused(&limits), BodyError::TooLarge { limit: 11 });
        let limits = Limits { rows: 2, shapes: 2, decoded_bytes: 12, ..Limits::default() };
        assert_eq!(decode_within(&limits, body).unwrap().successful_rows, 2);
    }

    #[test]
    fn lines_that_are_no_text_go_to_quarantine() {
        let decoded = plan().decode(b"{\"id\":1}\n{\"id\":\"\xff\"}", BodyFormat::Ndjson, &Limits::default());
        let text = print_rows(&decoded.unwrap().quarantine.unwrap());
        assert!(text.contains("event is not valid UTF-8: {\"id\":\"\u{fffd}\"}"), "{text}");
    }
}
