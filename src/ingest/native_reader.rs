//! Reads `Native` blocks back in tests: the counterpart of the cells, written from the format's
//! description and not from their code.

use chrono::{DateTime, TimeDelta};

use crate::schema::DataType;
use crate::schema::types::{EnumWidth, IntWidth, TupleElement};

/// A block as texts: the columns' names, and each row's values as ClickHouse would print them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReadBlock {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Reads one block, which must end with its last byte.
pub(super) fn read_block(bytes: &[u8]) -> ReadBlock {
    let mut reader = Reader { rest: bytes };
    let columns = reader.varint();
    let rows = reader.varint();
    let mut names = Vec::new();
    let mut values = vec![Vec::new(); rows];
    for _ in 0..columns {
        names.push(reader.string());
        let data_type = DataType::parse(&reader.string()).unwrap();
        for (row, value) in values.iter_mut().zip(reader.column(&data_type, rows)) {
            row.push(value);
        }
    }
    assert!(reader.rest.is_empty(), "{} bytes are left over", reader.rest.len());
    ReadBlock { names, rows: values }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken.to_vec()
    }

    fn varint(&mut self) -> usize {
        let byte = usize::from(self.bytes(1)[0]);
        if byte < 128 { byte } else { (byte & 127) | self.varint() << 7 }
    }

    fn string(&mut self) -> String {
        let length = self.varint();
        String::from_utf8(self.bytes(length)).unwrap()
    }

    /// A two's complement number of up to 128 bits.
    fn signed(&mut self, width: usize) -> i128 {
        let mut bytes = self.bytes(width);
        let sign = if bytes[width - 1] < 128 { 0 } else { 255 };
        bytes.resize(16, sign);
        i128::from_le_bytes(bytes.try_into().unwrap())
    }

    fn unsigned(&mut self, width: usize) -> u128 {
        let mut bytes = self.bytes(width);
        bytes.resize(16, 0);
        u128::from_le_bytes(bytes.try_into().unwrap())
    }

    fn column(&mut self, data_type: &DataType, rows: usize) -> Vec<String> {
        match data_type {
            DataType::Nullable(inner) => {
                let nulls = self.bytes(rows);
                let values = self.column(inner, rows);
                let or_null = |(value, null)| if null == 1 { "NULL".to_owned() } else { value };
                values.into_iter().zip(nulls).map(or_null).collect()
            }
            DataType::Array(inner) => self.array(rows, "[]", |reader, count| reader.column(inner, count)),
            DataType::Map(key, value) => self.array(rows, "{}", |reader, count| {
                let keys = reader.column(key, count);
                let values = reader.column(value, count);
                keys.iter().zip(values).map(|(key, value)| format!("{key}:{value}")).collect()
            }),
            DataType::Tuple(elements) => self.tuple(elements, rows),
            scalar => (0..rows).map(|_| self.scalar(scalar)).collect(),
        }
    }

    fn array(
        &mut self,
        rows: usize,
        brackets: &str,
        read: impl Fn(&mut Self, usize) -> Vec<String>,
    ) -> Vec<String> {
        let ends: Vec<usize> = (0..rows).map(|_| self.unsigned(8).try_into().unwrap()).collect();
        assert!(ends.is_sorted(), "offsets go backwards: {ends:?}");
        let elements = read(self, ends.last().copied().unwrap_or(0));
        let starts = std::iter::once(&0).chain(&ends);
        let (open, close) = brackets.split_at(1);
        starts
            .zip(&ends)
            .map(|(from, to)| format!("{open}{}{close}", elements[*from..*to].join(",")))
            .collect()
    }

    fn tuple(&mut self, elements: &[TupleElement], rows: usize) -> Vec<String> {
        let columns: Vec<_> = elements.iter().map(|element| self.column(&element.data_type, rows)).collect();
        let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect::<Vec<_>>().join(",");
        (0..rows).map(|number| format!("({})", row(number))).collect()
    }

    fn scalar(&mut self, data_type: &DataType) -> String {
        match data_type {
            DataType::String => format!("'{}'", self.string().replace('\0', "\\0")),
            DataType::FixedString(width) => {
                format!("'{}'", String::from_utf8(self.bytes(*width as usize)).unwrap().replace('\0', "\\0"))
            }
            DataType::Int(IntWidth::W256) | DataType::UInt(IntWidth::W256) => hexadecimal(&self.bytes(32)),
            DataType::Int(width) => self.signed(usize::from(width.bits() / 8)).to_string(),
            DataType::UInt(width) => self.unsigned(usize::from(width.bits() / 8)).to_string(),
            DataType::Float32 => f32::from_le_bytes(self.bytes(4).try_into().unwrap()).to_string(),
            DataType::Float64 => f64::from_le_bytes(self.bytes(8).try_into().unwrap()).to_string(),
            DataType::BFloat16 => f32::from_bits(u32::try_from(self.unsigned(2)).unwrap() << 16).to_string(),
            DataType::Bool => (self.unsigned(1) == 1).to_string(),
            DataType::Uuid => {
                let (high, low) = (self.unsigned(8), self.unsigned(8));
                format!("{:032x}", high << 64 | low)
            }
            DataType::Date => day(self.unsigned(2).try_into().unwrap()),
            DataType::Date32 => day(self.signed(4).try_into().unwrap()),
            DataType::DateTime { .. } => ticks(self.unsigned(4).try_into().unwrap(), 0),
            DataType::DateTime64 { precision, .. } => ticks(self.signed(8), *precision),
            DataType::Decimal { precision, scale } => self.decimal(*precision, *scale),
            DataType::Enum { width, values } => {
                let number = self.signed(if *width == EnumWidth::W8 { 1 } else { 2 });
                let member = values.iter().find(|(_, known)| i128::from(*known) == number);
                member.map_or(number.to_string(), |(name, _)| name.to_string())
            }
            DataType::Ipv4 => std::net::Ipv4Addr::from(u32::try_from(self.unsigned(4)).unwrap()).to_string(),
            DataType::Ipv6 => {
                let octets: [u8; 16] = self.bytes(16).try_into().unwrap();
                std::net::Ipv6Addr::from(octets).to_string()
            }
            other => panic!("no block of ours declares {other}"),
        }
    }

    fn decimal(&mut self, precision: u8, scale: u8) -> String {
        let width = [(9, 4), (18, 8), (38, 16), (76, 32)].into_iter().find(|(most, _)| precision <= *most);
        match width.unwrap().1 {
            32 => hexadecimal(&self.bytes(32)),
            width => format!("{}e-{scale}", self.signed(width)),
        }
    }
}

/// Highest byte first, without leading zeros.
fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{}", digits.concat().trim_start_matches('0'))
}

fn day(days: i64) -> String {
    (DateTime::UNIX_EPOCH + TimeDelta::days(days)).date_naive().to_string()
}

fn ticks(ticks: i128, precision: u8) -> String {
    let per_second = 10_i128.pow(precision.into());
    let seconds = i64::try_from(ticks.div_euclid(per_second)).unwrap();
    let time = DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
    match precision {
        0 => time.to_string(),
        _ => format!("{time}.{:0width$}", ticks.rem_euclid(per_second), width = precision.into()),
    }
}
