//! One cell: a JSON value on its way into the column of a table.
//!
//! In: a [`JsonValue`] and the column's type.  Out: bytes of ClickHouse's `Native` format at the
//! end of the column's streams, or [`Misfit`] with the streams in an undefined state: whoever
//! writes a row remembers the lengths and cuts the streams back.
//! Promise: what is written is what the engine takes for this type, so that one odd value never
//! makes it refuse the block that everybody's rows share.

mod address;
mod calendar;
mod decimal;
mod enumeration;
mod float;
mod integer;
mod json_object;
mod moment;
mod scalar;
mod time;
mod varint;
mod wide;

use crate::schema::DataType;
use crate::schema::types::TupleElement;

use super::json::{JsonText, JsonValue, for_each_member};
use scalar::Scalar;
pub(crate) use scalar::{push_text, text_of};
pub(crate) use varint::write_varint;

/// The value does not fit the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit;

/// What the bytes of a stream mean, which matters when streams are put behind each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// Values of the elements, one after the other.
    Values,
    /// For each array the number of elements up to its end, 64 bits.
    Offsets,
}

/// The encoder of one column, compiled from its type.
///
/// A column in `Native` is the concatenation of its streams: a null map in front of nullable
/// values, offsets in front of elements, the elements of a tuple in turn.
#[derive(Debug)]
pub(crate) enum Cell {
    /// One value per row.
    Scalar { scalar: Scalar, values: usize },
    /// One value or NULL; a value of zeros stands under a NULL.
    Nullable { scalar: Scalar, nulls: usize, values: usize },
    /// Any number of elements.
    Array { offsets: usize, element: Box<Cell> },
    /// An array of pairs, whose halves are stored apart.
    Map { offsets: usize, key: Box<Cell>, value: Box<Cell> },
    /// One value of each element.
    Tuple { elements: Vec<TupleCell> },
}

/// One element of a tuple.
#[derive(Debug)]
pub(crate) struct TupleCell {
    name: Option<Box<str>>,
    cell: Cell,
}

/// Why no JSON value can be turned into values of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfillable {
    /// States of aggregate functions, `Variant`, `Dynamic` and the like: none of them has a text
    /// form that the engine would read back from a block.
    #[error("events cannot hold values of type {0}: remove the JSON path or change the type")]
    Type(Box<str>),
    /// The table has a column for each part of a `Nested`, and none for the whole.
    #[error("events cannot fill a Nested: write each part as a column of its own, `name.part Array(type)`")]
    Nested,
    /// Not in the time zone database.
    #[error("time zone '{0}' is not known")]
    Zone(Box<str>),
}

impl Cell {
    /// Compiles the encoder of a type; its streams are added behind those in `streams`.
    pub(crate) fn compile(data_type: &DataType, streams: &mut Vec<StreamKind>) -> Result<Self, Unfillable> {
        Compiler { streams }.cell(data_type)
    }

    /// True where NULL is a value.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(self, Self::Nullable { .. })
    }

    /// Appends one value to the streams.
    pub(crate) fn write(&self, value: &JsonValue<'_>, streams: &mut [Vec<u8>]) -> Result<(), Misfit> {
        match self {
            Self::Scalar { scalar, values } => scalar.write(value, &mut streams[*values]),
            Self::Nullable { scalar, nulls, values } => {
                let null = matches!(value, JsonValue::Null);
                streams[*nulls].push(u8::from(null));
                if null {
                    scalar.write_placeholder(&mut streams[*values]);
                    return Ok(());
                }
                scalar.write(value, &mut streams[*values])
            }
            Self::Array { offsets, element } => {
                let JsonValue::Array(array) = value else { return Err(Misfit) };
                let elements = array.elements().map_err(|_| Misfit)?;
                push_offset(&mut streams[*offsets], elements.len());
                elements.into_iter().try_for_each(|text| element.write_text(text, streams))
            }
            Self::Map { offsets, key, value: mapped } => {
                let JsonValue::Object(object) = value else { return Err(Misfit) };
                let entries = write_entries(*object, key, mapped, streams)?;
                push_offset(&mut streams[*offsets], entries);
                Ok(())
            }
            Self::Tuple { elements } => write_tuple(elements, value, streams),
        }
    }

    /// Reads a JSON text and appends its value.
    pub(crate) fn write_text(&self, text: JsonText<'_>, streams: &mut [Vec<u8>]) -> Result<(), Misfit> {
        self.write(&text.read().ok_or(Misfit)?, streams)
    }
}

/// Appends the entries of a map; the same key twice is two entries, as in `JSONEachRow`.
fn write_entries(
    object: JsonText<'_>,
    key: &Cell,
    mapped: &Cell,
    streams: &mut [Vec<u8>],
) -> Result<usize, Misfit> {
    let mut outcome = Ok(0);
    for_each_member(object.as_str(), &mut |name, text| {
        outcome = outcome.and_then(|count| {
            key.write(&JsonValue::Text(name.into()), streams)?;
            mapped.write_text(text, streams)?;
            Ok(count + 1)
        });
    })
    .map_err(|_| Misfit)?;
    outcome
}

/// An array fills the elements by position, an object those that have a name; other members of
/// the object are ignored, a missing one is NULL.
fn write_tuple(elements: &[TupleCell], value: &JsonValue<'_>, streams: &mut [Vec<u8>]) -> Result<(), Misfit> {
    let texts = match value {
        JsonValue::Array(array) => texts_by_position(elements, *array)?,
        JsonValue::Object(object) => texts_by_name(elements, *object)?,
        _ => return Err(Misfit),
    };
    elements.iter().zip(texts).try_for_each(|(element, text)| match text {
        Some(text) => element.cell.write_text(text, streams),
        None => element.cell.write(&JsonValue::Null, streams),
    })
}

fn texts_by_position<'a>(
    elements: &[TupleCell],
    array: JsonText<'a>,
) -> Result<Vec<Option<JsonText<'a>>>, Misfit> {
    let given = array.elements().map_err(|_| Misfit)?;
    if given.len() == elements.len() { Ok(given.into_iter().map(Some).collect()) } else { Err(Misfit) }
}

fn texts_by_name<'a>(
    elements: &[TupleCell],
    object: JsonText<'a>,
) -> Result<Vec<Option<JsonText<'a>>>, Misfit> {
    let mut texts = vec![None; elements.len()];
    for_each_member(object.as_str(), &mut |name, text| {
        let place = elements.iter().position(|element| element.name.as_deref() == Some(name));
        if let Some(slot) = place.and_then(|place| texts.get_mut(place)) {
            *slot = Some(text);
        }
    })
    .map_err(|_| Misfit)?;
    Ok(texts)
}

/// Reads the last offset: the number of elements that stand behind the stream so far.
pub(crate) fn last_offset(offsets: &[u8]) -> u64 {
    offsets.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Appends the end of an array of so many elements.
pub(crate) fn push_offset(offsets: &mut Vec<u8>, added: usize) {
    let end = last_offset(offsets) + added as u64;
    offsets.extend_from_slice(&end.to_le_bytes());
}

struct Compiler<'a> {
    streams: &'a mut Vec<StreamKind>,
}

impl Compiler<'_> {
    fn stream(&mut self, kind: StreamKind) -> usize {
        self.streams.push(kind);
        self.streams.len() - 1
    }

    fn cell(&mut self, data_type: &DataType) -> Result<Cell, Unfillable> {
        match data_type {
            DataType::LowCardinality(inner) | DataType::SimpleAggregateFunction(_, inner) => self.cell(inner),
            DataType::Nullable(inner) => {
                let scalar = Scalar::compile(inner)?;
                let nulls = self.stream(StreamKind::Values);
                Ok(Cell::Nullable { scalar, nulls, values: self.stream(StreamKind::Values) })
            }
            DataType::Array(element) => {
                let offsets = self.stream(StreamKind::Offsets);
                Ok(Cell::Array { offsets, element: Box::new(self.cell(element)?) })
            }
            DataType::Map(key, value) => {
                let offsets = self.stream(StreamKind::Offsets);
                let key = Box::new(self.cell(key)?);
                Ok(Cell::Map { offsets, key, value: Box::new(self.cell(value)?) })
            }
            DataType::Tuple(elements) => self.tuple(elements),
            DataType::Nested(_) => Err(Unfillable::Nested),
            scalar => {
                let scalar = Scalar::compile(scalar)?;
                Ok(Cell::Scalar { scalar, values: self.stream(StreamKind::Values) })
            }
        }
    }

    fn tuple(&mut self, elements: &[TupleElement]) -> Result<Cell, Unfillable> {
        let elements = elements.iter().map(|element| {
            Ok(TupleCell { name: element.name.clone(), cell: self.cell(&element.data_type)? })
        });
        Ok(Cell::Tuple { elements: elements.collect::<Result<_, _>>()? })
    }
}
