//! A row filter against a copy that holds only the allowed rows: every query answers the same.

use roost::catalog::compose::OwnText;
use roost::catalog::{Access, Caller, ResourceName};
use roost::engine::Query;
use roost::sql::RowFilter;
use roost::template::{Arguments, Environment, Template};

use super::world::World;
use super::{Dice, effort, seed, tell};

/// Queries of an ordinary run; `make torture` makes ten thousand and more of them.
const QUERIES: u64 = 250;

const FILTERS: &[&str] = &[
    "tenant = 1",
    "tenant IN (0, 2) AND id % 2 = 0",
    "has(tags, '1') OR v = 'v3'",
    "NOT (tenant = 1)",
    "id < 7",
    "v LIKE 'v1%'",
    "0",
    "tenant = 1 OR 1 = 0",
];
const LISTS: &[&str] = &[
    "id, v",
    "*",
    "count() AS n",
    "tenant, max(v) AS m",
    "groupArray(id) AS g",
    "1 AS tenant, v",
    "id AS v, v AS w",
    "* EXCEPT v",
    "sum(id) OVER (PARTITION BY tenant ORDER BY id) AS s",
    "arrayJoin(tags) AS tag",
    "uniq(v), any(tenant)",
];
const SOURCES: &[&str] = &[
    "{t}",
    "{t} AS t",
    "(SELECT * FROM {t}) AS q",
    "{t} AS l JOIN {t} AS r USING id",
    "open_rows AS l LEFT JOIN {t} AS r USING id",
    "{t} AS l RIGHT JOIN open_rows AS r USING id",
    "{t} ARRAY JOIN tags AS tag",
    "(SELECT * FROM {t} UNION ALL SELECT * FROM {t}) AS u",
    "open_rows",
    "(SELECT id, v, tenant, tags FROM {t} WHERE id > 2) AS w",
    "c",
];
const CONDITIONS: &[&str] = &[
    "",
    " WHERE id IN (SELECT id FROM {t})",
    " WHERE id > 3 OR 1",
    " WHERE tenant = 2",
    " WHERE (SELECT count() FROM {t}) > 2",
    " WHERE EXISTS(SELECT 1 FROM {t} WHERE tenant = 2)",
    " WHERE v NOT IN (SELECT v FROM {t})",
];
const TAILS: &[&str] =
    &["", " GROUP BY ALL", " ORDER BY ALL LIMIT 3", " LIMIT 4 BY tenant", " ORDER BY id WITH FILL TO 5"];

/// A query over the table `{t}`.
fn query(dice: &mut Dice) -> String {
    let with = if dice.roll(3) == 0 { "WITH c AS (SELECT * FROM {t}) " } else { "" };
    let (list, source) = (dice.pick(LISTS), dice.pick(SOURCES));
    format!("{with}SELECT {list} FROM {source}{}{}", dice.pick(CONDITIONS), dice.pick(TAILS))
}

/// The answer's lines in one order; the kind of the error where there is none.
async fn answer(world: &World, sql: Result<String, String>) -> Result<Vec<String>, String> {
    let query = Query::new(sql?, "JSONCompactEachRow").with_profile().with_setting("readonly", 1);
    let query = query.with_setting("max_threads", 1);
    let bytes = match world.client().query(query).await {
        Ok(rows) => rows.collect().await,
        Err(error) => Err(error),
    };
    let text = bytes.map_err(|error| error.code().map_or_else(String::new, |code| code.to_string()))?;
    let mut lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

fn compose(world: &World, access: &Access, text: &str) -> Result<String, String> {
    let template = Template::compile(text).unwrap();
    let (arguments, environment) = (Arguments::new(), Environment::default());
    let caller = Caller { arguments: &arguments, environment: &environment, access };
    let composed = world.workspace.compose_text(OwnText { template: &template, subject: None }, caller);
    composed.map(|text| text.composed.sql).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filtered_read_equals_a_read_of_the_allowed_rows() {
    let world = World::new().await;
    let mut dice = Dice::new(seed());
    let (mut answered, mut failed) = (0_u64, 0_u64);
    for filter in FILTERS {
        let client = world.client();
        client.execute("TRUNCATE TABLE w_gate.secret_rows SYNC").await.unwrap();
        let copy = format!("INSERT INTO w_gate.secret_rows SELECT * FROM w_gate.open_rows WHERE {filter}");
        client.execute(&copy).await.unwrap();
        let name = |text: &str| ResourceName::parse(text).unwrap();
        // Reads of `open_rows` inside the same query are filtered too, so the copy stands for both.
        let filtered = Access::everything().with_filter(name("open_rows"), RowFilter::parse(filter).unwrap());
        for _ in 0..(QUERIES * effort()).div_ceil(FILTERS.len() as u64) {
            let text = query(&mut dice).replace("{t}", "open_rows");
            let through = answer(&world, compose(&world, &filtered, &text)).await;
            let copied = text.replace("open_rows", "secret_rows");
            let copied = answer(&world, compose(&world, &Access::everything(), &copied)).await;
            assert_eq!(through, copied, "{filter}: {text}");
            if through.is_ok() { answered += 1 } else { failed += 1 }
        }
    }
    tell(format_args!("{answered} queries answered alike, {failed} failed alike"));
    assert!(answered > failed, "most queries have an answer");
}
