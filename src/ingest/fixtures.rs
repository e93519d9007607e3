//! Runs the files of `tests/fixtures/ingest`: one type or one body each.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::native_reader::read_block;
use super::{Block, BodyFormat, Limits, RowPlan};
use crate::schema::{Column, ColumnName, DataType, JsonPath};

/// The texts of a fixture folder with their paths.
fn fixtures(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ingest")).join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// A column as it stands in a `.datasource` file, with bars between the parts.
pub(super) fn column(text: &str) -> Column {
    let mut parts = text.split('|').map(str::trim);
    let name = ColumnName::new(parts.next().unwrap());
    let data_type = parts.next().map(|text| DataType::parse(text).unwrap());
    let json_path = parts.next().filter(|path| !path.is_empty()).map(|path| JsonPath::parse(path).unwrap());
    Column { name, data_type, json_path, default: parts.next().map(Into::into), codec: None }
}

/// The rows of a block, one line each.
pub(super) fn print_rows(block: &Block) -> String {
    let block = read_block(&block.encode_native());
    let mut text = String::new();
    for row in &block.rows {
        let values = block.names.iter().zip(row).map(|(name, value)| format!("{name}={value}"));
        writeln!(text, "{}", values.collect::<Vec<_>>().join(" ")).unwrap();
    }
    text
}

/// What a column of this type stores for a JSON value.
fn stored(plan: &RowPlan, json: &str) -> String {
    let body = format!("{{\"x\":{json}}}");
    let decoded = plan.decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap();
    match decoded.blocks.first() {
        Some(block) => read_block(&block.encode_native()).rows[0][0].clone(),
        None => "refused".to_owned(),
    }
}

#[test]
fn values_are_stored_or_refused_as_the_fixtures_say() {
    let mut differences = String::new();
    for (path, text) in fixtures("cells") {
        let mut plan = None;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(data_type) = line.strip_prefix("type: ") {
                plan = Some(RowPlan::new(&[column(&format!("x | {data_type} | $.x"))]).unwrap());
                continue;
            }
            let (json, expected) = line.split_once(" => ").unwrap();
            let stored = stored(plan.as_ref().unwrap(), json.trim());
            if stored != expected.trim() {
                writeln!(differences, "{}: {json} => {stored}", path.display()).unwrap();
            }
        }
    }
    assert_eq!(differences, "");
}

/// What becomes of a body, in the sections of its fixture.
fn decode(columns: &str, format: BodyFormat, body: &str) -> String {
    let columns: Vec<Column> = columns.lines().map(column).collect();
    let plan = RowPlan::new(&columns).unwrap();
    let decoded = match plan.decode(body.as_bytes(), format, &Limits::default()) {
        Ok(decoded) => decoded,
        Err(error) => return format!("error: {error}\n"),
    };
    let mut text = String::new();
    for block in &decoded.blocks {
        text += &print_rows(block);
    }
    if let Some(quarantine) = &decoded.quarantine {
        text += "--- quarantine\n";
        text += &print_rows(quarantine);
    }
    text
}

#[test]
fn bodies_become_what_the_fixtures_say() {
    for (path, text) in fixtures("bodies") {
        let (columns, rest) = text.split_once("--- ").unwrap();
        let (format, rest) = rest.split_once('\n').unwrap();
        let (body, expected) = rest.split_once("--- rows\n").unwrap();
        let format = if format == "json" { BodyFormat::Json } else { BodyFormat::Ndjson };
        assert_eq!(decode(columns, format, body), expected, "{}", path.display());
    }
}
