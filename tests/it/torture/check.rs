//! What the writers were told, held against every table and every view.

use std::collections::BTreeMap;

use roost::engine::{EngineClient, Query};
use serde_json::Value;

use super::writers::{Class, Ledger, Outcome, Removed, Sent, Which};

/// Where the rows of a source are, whatever happens to its own table.
const TRUTH: [(&str, &str); 3] = [("plain", "plain"), ("second", "second_copy"), ("nothing", "nothing_copy")];

/// A view recomputed from what was delivered, and what its target says.
const VIEWS: [(&str, &str, &str); 5] = [
    (
        "states",
        "SELECT k, uniqExact(id) AS a, count() AS b FROM plain GROUP BY k",
        "SELECT k, uniqExactMerge(ids) AS a, countMerge(times) AS b FROM states GROUP BY k",
    ),
    (
        "sums",
        "SELECT k, sum(n) AS a, count() AS b FROM (SELECT k, n FROM plain UNION ALL SELECT k, n FROM second_copy) GROUP BY k",
        "SELECT k, sum(n) AS a, sum(times) AS b FROM sums GROUP BY k",
    ),
    (
        "latest",
        "SELECT k, max(id) AS a, argMax(n, id) AS b FROM plain GROUP BY k",
        "SELECT k, id AS a, n AS b FROM latest FINAL",
    ),
    (
        "pairs",
        "SELECT k, toInt64(countIf(id % 2 = 0)) AS a, 0 AS b FROM plain GROUP BY k",
        "SELECT k, sum(sign) AS a, 0 AS b FROM (SELECT k, sign FROM pairs UNION ALL SELECT DISTINCT k, 0 FROM plain) GROUP BY k",
    ),
    (
        "chained",
        "SELECT k, sum(n) AS a, count() AS b FROM nothing_copy GROUP BY k",
        "SELECT k, sum(n) AS a, sum(times) AS b FROM chained GROUP BY k",
    ),
];

/// The engine of the struck server, and the database of its workspace.
pub(super) struct Tables {
    pub(super) engine: EngineClient,
    pub(super) database: String,
}

impl Tables {
    pub(super) async fn ask(&self, sql: &str) -> Vec<Value> {
        let mut query =
            Query::new(sql, "JSONEachRow").with_setting("output_format_json_quote_64bit_integers", 0);
        query.database = Some(self.database.clone());
        let bytes = self.engine.query(query).await.unwrap().collect().await.unwrap();
        let lines = std::str::from_utf8(&bytes).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The rows of each request in a table, and how many of them are different.
    async fn requests(&self, table: &str, request: &str) -> BTreeMap<u64, (u64, u64)> {
        let sql = format!(
            "SELECT {request} AS request, count() AS n, uniqExact(id) AS ids FROM {table} GROUP BY request"
        );
        let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
        let rows = self.ask(&sql).await;
        rows.iter().map(|row| (number(row, "request"), (number(row, "n"), number(row, "ids")))).collect()
    }

    /// Everything that is wrong; the events that were delivered.
    pub(super) async fn check(&self, ledger: &Ledger, removed: &[Removed]) -> (Vec<String>, u64) {
        let (mut wrong, mut events) = (Vec::new(), 0);
        for (source, truth) in TRUTH {
            let found = self.requests(truth, "request").await;
            let refused =
                self.requests(&format!("{source}_quarantine"), "toUInt64(assumeNotNull(request))").await;
            for ((_, number), sent) in ledger.iter().filter(|((of, _), _)| *of == source) {
                let (rows, ids) = found.get(number).copied().unwrap_or_default();
                let (bad, _) = refused.get(number).copied().unwrap_or_default();
                events += rows;
                if !is_right(sent, rows, ids, bad) {
                    wrong.push(format!(
                        "{source} {number}: {:?} {} rows; {rows} rows, {ids} ids, {bad} bad",
                        sent.outcome, sent.rows
                    ));
                }
            }
        }
        wrong.extend(self.removals(ledger, removed).await);
        for (view, expected, actual) in VIEWS {
            let differing = format!("SELECT count() AS n FROM (({expected}) EXCEPT ({actual}))");
            let missing = self.ask(&differing).await[0]["n"].as_u64().unwrap();
            let differing = format!("SELECT count() AS n FROM (({actual}) EXCEPT ({expected}))");
            let extra = self.ask(&differing).await[0]["n"].as_u64().unwrap();
            if missing + extra > 0 {
                wrong.push(format!("{view}: {missing} groups of the rows are not in it, {extra} of its groups not in the rows"));
            }
        }
        (wrong, events)
    }

    /// The rows of each request by what removes them.
    async fn classes(&self, table: &str) -> BTreeMap<(u64, Class), u64> {
        let sql = format!("SELECT request, p, k % 7 = 0 AS seventh, count() AS n FROM {table} GROUP BY ALL");
        let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
        let class = |row: &Value| Class { partition: number(row, "p"), seventh: number(row, "seventh") };
        let rows = self.ask(&sql).await;
        rows.iter().map(|row| ((number(row, "request"), class(row)), number(row, "n"))).collect()
    }

    /// Rows of `second` from before a removal that succeeded are gone, those from behind the last one are
    /// there. Removals follow one another.
    async fn removals(&self, ledger: &Ledger, removed: &[Removed]) -> Vec<String> {
        let found = self.classes("second").await;
        let is_settled = removed.last().is_some_and(|times| times.outcome == Outcome::Acknowledged);
        let mut wrong = Vec::new();
        for ((number, class), expected) in self.classes("second_copy").await {
            let Some(sent) = ledger.get(&("second", number)) else { continue };
            let covering = || removed.iter().filter(|times| times.which.covers(class));
            let done = covering().filter(|times| times.outcome == Outcome::Acknowledged);
            let is_gone =
                sent.outcome == Outcome::Acknowledged && done.map(|it| it.began).max() > Some(sent.ended);
            let is_there = is_settled && covering().map(|it| it.ended).max() < Some(sent.began);
            let rows = found.get(&(number, class)).copied().unwrap_or_default();
            if is_gone && rows > 0 {
                wrong.push(format!("second {number}: {rows} rows of {class:?} are there after a removal"));
            }
            if is_there && rows != expected {
                wrong.push(format!(
                    "second {number}: {rows} of {expected} rows of {class:?} are there behind the last removal"
                ));
            }
        }
        wrong
    }
}

/// How often each kind of removal was answered, and how often a death came first.
pub(super) fn removals(removed: &[Removed]) -> String {
    let count = |which, outcome| {
        let is_it = |times: &&Removed| times.which == which && times.outcome == outcome;
        removed.iter().filter(is_it).count()
    };
    let told = |which| {
        let (done, open) = (count(which, Outcome::Acknowledged), count(which, Outcome::Open));
        format!("{which:?}: {done} done, {open} open")
    };
    [Which::All, Which::Partition, Which::Seventh].map(told).join("; ")
}

/// Acknowledged: all rows once, the bad one in the quarantine. Refused: none. Open: all or none.
fn is_right(sent: &Sent, rows: u64, ids: u64, bad: u64) -> bool {
    let all = (rows, ids, bad) == (sent.rows, sent.rows, 1);
    let none = (rows, ids, bad) == (0, 0, 0);
    match sent.outcome {
        Outcome::Acknowledged => all,
        Outcome::Refused => none,
        Outcome::Open => all || none,
    }
}
