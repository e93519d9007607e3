//! Blocks of rows in ClickHouse's Native format.

use bytes::Bytes;

/// One block under construction: columns of the same length.
#[derive(Debug, Default)]
pub(crate) struct Block {
    rows: usize,
    columns: u64,
    bytes: Vec<u8>,
}

impl Block {
    pub(crate) fn new(rows: usize) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Adds a column of `UInt64`.
    pub(crate) fn numbers(mut self, name: &str, values: impl Iterator<Item = u64>) -> Self {
        self.head(name, "UInt64");
        let before = self.bytes.len();
        self.bytes.extend(values.flat_map(u64::to_le_bytes));
        assert_eq!(self.bytes.len() - before, self.rows * 8);
        self
    }

    /// Adds a column of `String`.
    pub(crate) fn texts<'a>(mut self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        self.head(name, "String");
        let mut added = 0;
        for value in values {
            text(&mut self.bytes, value);
            added += 1;
        }
        assert_eq!(added, self.rows);
        self
    }

    /// The block as it goes over the wire.
    pub(crate) fn bytes(self) -> Bytes {
        let mut block = Vec::new();
        number(&mut block, self.columns);
        number(&mut block, self.rows as u64);
        block.extend_from_slice(&self.bytes);
        block.into()
    }

    fn head(&mut self, name: &str, kind: &str) {
        self.columns += 1;
        text(&mut self.bytes, name);
        text(&mut self.bytes, kind);
    }
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    number(bytes, value.len() as u64);
    bytes.extend_from_slice(value.as_bytes());
}

/// A variable-length number, seven bits to the byte.
fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}
