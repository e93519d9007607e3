//! The formats of answers: by the ending of a path, or by a FORMAT clause.

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputFormat {
    /// ClickHouse's JSON document with meta, data, rows and statistics.
    Json,
    /// Comma-separated values without a header.
    Csv,
    /// Comma-separated values below a header line.
    CsvWithNames,
    /// One JSON object per line.
    Ndjson,
    /// Tab-separated values without a header.
    Tsv,
    /// Tab-separated values below a header line.
    TsvWithNames,
    /// A table for terminals.
    PrettyCompact,
    /// A Parquet file.
    Parquet,
    /// Metrics for a Prometheus scraper.
    Prometheus,
    /// A table for documents.
    Markdown,
}

use OutputFormat::{
    Csv, CsvWithNames, Json, Markdown, Ndjson, Parquet, PrettyCompact, Prometheus, Tsv, TsvWithNames,
};

/// The endings of an endpoint's path. A file that ends in `csv` has a header, whereas `FORMAT CSV`
/// has none.
const EXTENSIONS: [(&str, OutputFormat); 6] = [
    ("json", Json),
    ("csv", CsvWithNames),
    ("csvwithnames", CsvWithNames),
    ("ndjson", Ndjson),
    ("parquet", Parquet),
    ("prometheus", Prometheus),
];

/// The names that a FORMAT clause may hold, as they are listed to callers. Longer forms of two of
/// them are ClickHouse's own.
const CLAUSES: [(&str, OutputFormat); 12] = [
    ("CSV", Csv),
    ("CSVWithNames", CsvWithNames),
    ("JSON", Json),
    ("TSV", Tsv),
    ("TSVWithNames", TsvWithNames),
    ("PrettyCompact", PrettyCompact),
    ("JSONEachRow", Ndjson),
    ("Parquet", Parquet),
    ("Prometheus", Prometheus),
    ("Markdown", Markdown),
    ("TabSeparated", Tsv),
    ("TabSeparatedWithNames", TsvWithNames),
];

impl OutputFormat {
    /// The format of a path's ending, without its dot.
    pub fn from_extension(extension: &str) -> Option<Self> {
        EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, format)| *format)
    }

    /// The format of a FORMAT clause; ClickHouse does not mind the case.
    pub fn from_clause(name: &str) -> Option<Self> {
        CLAUSES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }

    /// The names of all formats, for a message.
    pub fn clauses() -> String {
        CLAUSES.iter().take(10).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The endings of all formats, for a message.
    pub fn extensions() -> String {
        EXTENSIONS.map(|(extension, _)| format!(".{extension}")).join(", ")
    }

    /// ClickHouse's name.
    pub fn engine_name(self) -> &'static str {
        match self {
            Json => "JSON",
            Csv => "CSV",
            CsvWithNames => "CSVWithNames",
            Ndjson => "JSONEachRow",
            Tsv => "TSV",
            TsvWithNames => "TSVWithNames",
            PrettyCompact => "PrettyCompact",
            Parquet => "Parquet",
            Prometheus => "Prometheus",
            Markdown => "Markdown",
        }
    }

    /// The content type that Tinybird's clients decide by: they look for `text/csv` and `ndjson`,
    /// compare with `text/plain`, and read everything else as JSON.
    pub fn content_type(self) -> &'static str {
        match self {
            Json => "application/json",
            Csv | CsvWithNames => "text/csv; charset=utf-8",
            Ndjson => "application/x-ndjson",
            Tsv | TsvWithNames => "text/tab-separated-values; charset=utf-8",
            PrettyCompact => "text/plain",
            Parquet => "application/vnd.apache.parquet",
            Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Markdown => "text/markdown; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_read_in_any_case_and_others_are_unknown() {
        assert_eq!(OutputFormat::from_clause("jsoneachrow"), Some(Ndjson));
        assert_eq!(OutputFormat::from_clause("TabSeparated"), Some(Tsv));
        for name in ["Native", "Null", "SQLInsert", "JSONCompact", ""] {
            assert_eq!(OutputFormat::from_clause(name), None, "{name}");
        }
    }

    #[test]
    fn the_file_has_a_header_and_the_clause_has_none() {
        assert_eq!(OutputFormat::from_extension("csv").map(OutputFormat::engine_name), Some("CSVWithNames"));
        assert_eq!(OutputFormat::from_clause("CSV").map(OutputFormat::engine_name), Some("CSV"));
        assert_eq!(OutputFormat::from_extension("JSON"), None);
    }

    #[test]
    fn a_message_lists_every_format_once() {
        assert_eq!(
            OutputFormat::clauses(),
            "CSV, CSVWithNames, JSON, TSV, TSVWithNames, PrettyCompact, JSONEachRow, Parquet, Prometheus, Markdown"
        );
        assert_eq!(OutputFormat::extensions(), ".json, .csv, .csvwithnames, .ndjson, .parquet, .prometheus");
    }
}
