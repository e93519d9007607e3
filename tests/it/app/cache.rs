//! Kept answers: found where nothing has changed, and never older than what anybody was told of.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::metrics::value;
use crate::gate::tell;
use crate::harness::{
    ApiClient, FAR_FUTURE, Home, Project, Reply, TestApp, eventually, jwt, send, unpacked, within,
};

const SUMS: &str = "SCHEMA >\n    page String, n SimpleAggregateFunction(sum, UInt64)\n\nENGINE \"AggregatingMergeTree\"\nENGINE_SORTING_KEY \"page\"\n";
const TO_SUMS: &str = "NODE rows\nSQL >\n    SELECT page, count() AS n FROM hits GROUP BY page\n\nTYPE materialized\nDATASOURCE sums\n";
/// Work for some tenths of a second.
const SLOW: &str = "SELECT sum(sipHash64(number)) AS s FROM numbers({{ UInt64(rows, 20000000) }})";
/// Work for a minute.
const LONG: &str = "SELECT count() FROM numbers_mt({{ UInt64(rows) }}) WHERE sipHash64(number) = 1";
const LONG_ROWS: u64 = 217_000_000_000;

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "page String"])
        .with("datasources/sums.datasource", SUMS)
        .with("pipes/to_sums.pipe", TO_SUMS)
        .endpoint("count_hits", "SELECT count() AS n FROM hits")
        .endpoint("of_page", "SELECT count() AS n FROM hits WHERE page = {{ String(page, '/') }}")
        .endpoint("refused", "SELECT count() AS n FROM hits_quarantine")
        .endpoint("summed", "SELECT sum(n) AS n FROM sums")
        .endpoint("over_pipes", "SELECT n + 1000 AS n FROM summed")
        .endpoint("moment", "SELECT count() AS n, now64(9) AS at, generateUUIDv4() AS id FROM hits")
        .endpoint(
            "kept_moment",
            "{{ cache_ttl('5s') }} SELECT count() AS n, now64(9) AS at, generateUUIDv4() AS id FROM hits",
        )
        .endpoint("rendered_at", "SELECT {{ String(job_timestamp) }} AS at")
        .endpoint("slow", SLOW)
        .endpoint("long", LONG)
        .endpoint("large", "SELECT number, repeat('x', 100) AS filler FROM numbers(50000)")
        .endpoint("rows", "SELECT repeat('x', 100) AS filler FROM numbers({{ UInt64(rows) }})")
        .endpoint("broken", "SELECT throwIf(count() = 0, 'nothing there') FROM hits")
}

fn path(pipe: &str) -> String {
    format!("/v0/pipes/{pipe}.ndjson")
}

async fn asked(client: &ApiClient, pipe: &str) -> (Reply, String) {
    let reply = client.get(&path(pipe)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let origin = reply.header("x-cache").to_owned();
    (reply, origin)
}

/// The number that an endpoint answers, and whether it was kept.
async fn number(client: &ApiClient, pipe: &str) -> (u64, String) {
    let (reply, origin) = asked(client, pipe).await;
    let row: serde_json::Value = serde_json::from_str(reply.text.trim()).unwrap();
    (row["n"].as_u64().unwrap(), origin)
}

async fn empty(client: &ApiClient, data_source: &str) {
    let reply = client.post(&format!("/v0/datasources/{data_source}/truncate"), "").await;
    assert_eq!(reply.status, 205, "{}", reply.text);
}

async fn with_header(client: &ApiClient, pipe: &str, name: &str, value: &str) -> Reply {
    send(client.request(Method::GET, &path(pipe)).header(name, value)).await
}

#[tokio::test]
async fn the_same_call_is_answered_once_by_the_engine() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let first = admin.get("/v0/pipes/count_hits.json").await;
    let second = admin.get("/v0/pipes/count_hits.json").await;
    assert_eq!((first.header("x-cache"), second.header("x-cache")), ("miss", "hit"));
    assert_eq!(first.text, second.text, "the time that it took, too");
    assert_eq!(second.header("content-type"), "application/json");
    assert_eq!(second.header("content-length"), second.text.len().to_string());
    assert_eq!(second.header("cache-control"), "private, no-cache");
    assert!(second.header("access-control-expose-headers").contains("x-cache"), "{:?}", second.headers);
    for other in
        ["/v0/pipes/count_hits.csv", "/v0/pipes/count_hits.json?output_format_json_quote_64bit_integers=1"]
    {
        assert_eq!(admin.get(other).await.header("x-cache"), "miss", "{other}");
    }
    assert_eq!(value(&admin, "roost_query_answers_total{origin=\"hit\"}").await.as_deref(), Some("1"));
    assert_eq!(value(&admin, "roost_query_answers_total{origin=\"miss\"}").await.as_deref(), Some("3"));
}

/// The bytes of an answer to a caller who takes packed ones, and how they are packed.
async fn packed(client: &ApiClient, path: &str, accepted: &str) -> (reqwest::header::HeaderMap, Vec<u8>) {
    let request = client.request(Method::GET, path).header("accept-encoding", accepted);
    let response = request.send().await.unwrap();
    (response.headers().clone(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn a_kept_answer_is_kept_packed_too() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let path = "/v0/pipes/large.json?q=SELECT%20number%20FROM%20_%20LIMIT%201000";
    let plain = admin.get(path).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    for (accepted, coding) in
        [("gzip, deflate, br, zstd", "zstd"), ("gzip", "gzip"), ("gzip;q=0.5, *;q=0", "gzip")]
    {
        let (headers, bytes) = packed(&admin, path, accepted).await;
        assert_eq!([&headers["content-encoding"], &headers["x-cache"]], [coding, "hit"], "{accepted}");
        assert_eq!([&headers["vary"], &headers["etag"]], ["accept-encoding", plain.header("etag")]);
        assert_eq!(unpacked(coding, &bytes), plain.text);
    }
    let (headers, _) = packed(&admin, path, "gzip").await;
    assert!(headers.contains_key("content-length"), "it was packed before: {headers:?}");
    // What packing hardly shortens goes as it is.
    let (headers, bytes) = packed(&admin, "/v0/pipes/count_hits.ndjson", "gzip").await;
    assert_eq!((headers.get("content-encoding"), bytes.as_slice()), (None, &b"{\"n\":0}\n"[..]));
}

#[tokio::test]
async fn a_call_that_comes_again_to_the_letter_is_no_other_than_the_first() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let made = admin.post("/v0/tokens?name=reader&scope=PIPES:READ:of_page", "").await;
    let reader = app.anonymous().with_token(made.json()["token"].as_str().unwrap());
    let path = "/v0/pipes/of_page.ndjson?page=/";
    let get =
        async |name: &str, value: &str| send(reader.request(Method::GET, path).header(name, value)).await;
    let ask = async || {
        let reply = get("accept", "*/*").await;
        (reply.text.clone(), reply.header("x-cache").to_owned())
    };
    let answer = |text: &str, origin: &str| (text.to_owned(), origin.to_owned());
    // The third is answered by its address.
    for origin in ["miss", "hit", "hit", "hit"] {
        assert_eq!(ask().await, answer("{\"n\":0}\n", origin));
    }
    admin.append("hits", "{\"id\":1,\"page\":\"/\"}\n{\"id\":2,\"page\":\"/x\"}\n").await;
    for origin in ["miss", "hit", "hit"] {
        assert_eq!(ask().await, answer("{\"n\":1}\n", origin), "what came in between shows");
    }
    // What is asked in other ways is asked as ever.
    let tag = get("accept", "*/*").await.header("etag").to_owned();
    assert_eq!(get("if-none-match", &tag).await.status, 304);
    let post = reader.request(Method::POST, path).json(&json!({ "page": "/y" }));
    assert_eq!(send(post).await.text, "{\"n\":0}\n");
    get("accept", "text/event-stream").await.error(406);
    assert_eq!(get("cache-control", "no-cache").await.header("x-cache"), "miss");
    let own = admin.get(path).await;
    assert_eq!((own.text.as_str(), own.header("x-cache")), ("{\"n\":1}\n", "hit"));
    // The address alone is worth nothing.
    app.anonymous().get(path).await.error(403);
    let removed = send(admin.request(Method::DELETE, "/v0/tokens/reader")).await;
    assert!(removed.status.is_success(), "{}", removed.text);
    get("accept", "*/*").await.error(403);
}

#[tokio::test]
async fn a_call_that_comes_again_counts_once_for_its_token() {
    let app = Home::with_settings("tokens.requests_per_second = 3").start(&project()).await;
    // As many as may come at once.
    for origin in ["miss", "hit", "hit"] {
        let reply = app.admin().get("/v0/pipes/count_hits.ndjson").await;
        assert_eq!((reply.status.as_u16(), reply.header("x-cache")), (200, origin), "{}", reply.text);
    }
}

#[tokio::test]
async fn calls_with_a_jwt_keep_no_more_the_more_often_they_come() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let scopes = json!([{ "type": "PIPES:READ", "resource": "count_hits" }]);
    let caller = app.anonymous().with_token(&jwt(admin.token(), &scopes, &json!({})));
    let kept = async |calls: usize| {
        for _ in 0..calls {
            asked(&caller, "count_hits").await;
        }
        value(&admin, "roost_query_cache_bytes").await
    };
    assert_eq!(kept(2).await, kept(5).await);
}

#[tokio::test]
async fn calls_that_are_written_differently_meet_where_they_ask_the_same() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let origin = async |call: &str| {
        admin.get(&format!("/v0/pipes/of_page.json{call}")).await.header("x-cache").to_owned()
    };
    assert_eq!(origin("?page=/").await, "miss");
    assert_eq!(origin("").await, "hit", "the default is the same value");
    assert_eq!(origin("?page=/&unused=1").await, "hit");
    assert_eq!(origin("?page=//").await, "miss");
    let post = admin.request(Method::POST, "/v0/pipes/of_page.json").json(&json!({ "page": "/" }));
    assert_eq!(send(post).await.header("x-cache"), "hit");
    let sql = "/v0/sql?q=SELECT%20count()%20AS%20c%20FROM%20hits%20FORMAT%20JSON";
    assert_eq!(admin.get(sql).await.header("x-cache"), "miss");
    assert_eq!(admin.get(sql).await.header("x-cache"), "hit");
    let over = "/v0/pipes/count_hits.json?q=SELECT%20n%20FROM%20_";
    assert_eq!(admin.get(over).await.header("x-cache"), "miss");
    assert_eq!(admin.get(over).await.header("x-cache"), "hit");
}

#[tokio::test]
async fn an_acknowledged_write_is_in_the_next_answer_however_the_rows_are_reached() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let pipes = ["count_hits", "of_page", "summed", "over_pipes"];
    for written in 0..5_u64 {
        for pipe in pipes {
            let base = if pipe == "over_pipes" { 1000 } else { 0 };
            assert_eq!(number(&admin, pipe).await, (base + written, "miss".to_owned()), "{pipe}");
            let kept = async || {
                let (rows, origin) = number(&admin, pipe).await;
                assert_eq!(rows, base + written, "{pipe}");
                (origin == "hit").then_some(())
            };
            // A merge of the sums is a change, too, and comes when it likes.
            match pipe {
                "summed" | "over_pipes" => eventually("the sums are kept between merges", kept).await,
                _ => assert_eq!(kept().await, Some(()), "{pipe}"),
            }
        }
        assert_eq!(admin.append("hits", "{\"id\":1,\"page\":\"/\"}").await, (1, 0));
    }
    assert_eq!(number(&admin, "refused").await, (0, "miss".to_owned()));
    assert_eq!(admin.append("hits", "{\"id\":\"x\"}").await, (0, 1));
    assert_eq!(number(&admin, "refused").await, (1, "miss".to_owned()));
    empty(&admin, "hits").await;
    assert_eq!(number(&admin, "count_hits").await, (0, "miss".to_owned()));
    assert_eq!(number(&admin, "summed").await, (5, "miss".to_owned()), "a target is left alone");
}

#[tokio::test]
async fn a_caller_who_has_the_answer_gets_no_body() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let (first, _) = asked(&admin, "count_hits").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    for origin in ["hit", "hit"] {
        let reply = with_header(&admin, "count_hits", "if-none-match", &tag).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str(), reply.header("x-cache")), (304, "", origin));
        assert_eq!((reply.header("etag"), reply.header("content-type")), (tag.as_str(), ""));
    }
    // The same rows after a change are the same answer.
    admin.append("hits", "{\"id\":\"x\"}").await;
    admin.append("hits", "{\"id\":1,\"page\":\"/\"}").await;
    let reply = with_header(&admin, "count_hits", "if-none-match", &tag).await;
    assert_eq!((reply.status.as_u16(), reply.text.trim()), (200, "{\"n\":1}"));
    assert_ne!(reply.header("etag"), tag);
    empty(&admin, "hits").await;
    assert_eq!(with_header(&admin, "count_hits", "if-none-match", &tag).await.status, 304);
}

#[tokio::test]
async fn a_caller_may_ask_for_an_answer_of_now() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    assert_eq!(number(&admin, "count_hits").await.1, "miss");
    for directive in ["no-cache", "no-store"] {
        let reply = with_header(&admin, "count_hits", "cache-control", directive).await;
        assert_eq!(reply.header("x-cache"), "miss", "{directive}");
    }
    assert_eq!(number(&admin, "count_hits").await.1, "hit");
    let unkept = with_header(&admin, "of_page", "cache-control", "no-store").await;
    assert_eq!(unkept.header("x-cache"), "miss");
    assert_eq!(number(&admin, "of_page").await.1, "miss", "it was not to be kept");
}

#[tokio::test]
async fn the_clock_and_chance_are_kept_as_long_as_the_pipe_says() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let (first, second) = (asked(&admin, "moment").await, asked(&admin, "moment").await);
    assert_eq!((first.1.as_str(), second.1.as_str()), ("miss", "miss"));
    assert_ne!(first.0.text, second.0.text);
    let (first, second) = (asked(&admin, "kept_moment").await, asked(&admin, "kept_moment").await);
    assert_eq!((first.1.as_str(), second.1.as_str()), ("miss", "hit"));
    assert_eq!(first.0.text, second.0.text);
    admin.append("hits", "{\"id\":1,\"page\":\"/\"}").await;
    assert_eq!(number(&admin, "kept_moment").await, (1, "miss".to_owned()), "a write ends it, too");
    let is_over = async || (asked(&admin, "kept_moment").await.1 == "miss").then_some(());
    within(Duration::from_secs(8), "five seconds are over", is_over).await;
    asked(&admin, "rendered_at").await;
    let later = async || (asked(&admin, "rendered_at").await.1 == "miss").then_some(());
    eventually("another second is another text", later).await;
}

#[tokio::test]
async fn nobody_gets_the_answer_of_another_ones_rights() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let body = "{\"id\":1,\"page\":\"a\"}\n{\"id\":2,\"page\":\"b\"}\n{\"id\":3,\"page\":\"b\"}";
    admin.append("hits", body).await;
    let reader = |page: &str| {
        let scopes = json!([
            { "type": "PIPES:READ", "resource": "count_hits" },
            { "type": "DATASOURCES:READ", "resource": "hits", "filter": format!("page = '{page}'") },
        ]);
        app.anonymous().with_token(&jwt(admin.token(), &scopes, &json!({ "exp": FAR_FUTURE })))
    };
    for _ in 0..2 {
        for (client, rows) in [(admin.clone(), 3), (reader("a"), 1), (reader("b"), 2), (reader("c"), 0)] {
            assert_eq!(number(&client, "count_hits").await.0, rows);
        }
    }
    assert_eq!(number(&reader("b"), "count_hits").await.1, "hit", "another token with the same rights");
    assert_eq!(reader("a").get(&path("of_page")).await.status, 403);
    assert_eq!(app.anonymous().get(&path("count_hits")).await.status, 403);
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_query() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let replies = futures_util::future::join_all((0..20).map(|_| asked(&admin, "slow"))).await;
    let of = |origin: &str| replies.iter().filter(|(_, found)| found == origin).count();
    assert_eq!((of("miss"), of("coalesced") + of("hit")), (1, 19));
    assert!(of("coalesced") > 0);
    assert!(replies.iter().all(|(reply, _)| reply.text == replies[0].0.text));
    // An answer that comes piece by piece belongs to one caller; the others ask for themselves.
    let replies = futures_util::future::join_all((0..4).map(|_| asked(&admin, "large"))).await;
    assert!(replies.iter().all(|(reply, _)| reply.text.lines().count() == 50_000));
    assert_eq!(asked(&admin, "large").await.1, "miss", "it is not kept");
}

#[tokio::test]
async fn a_query_goes_on_for_those_who_stay_and_ends_with_the_last() {
    let app = TestApp::start(&project()).await;
    let (admin, slow) = (app.admin(), "/v0/pipes/slow.ndjson?rows=60000000");
    let leaving = admin.request(Method::GET, slow).timeout(Duration::from_millis(200)).send();
    let (left, stayed) = tokio::join!(leaving, async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        admin.get(slow).await
    });
    assert!(left.is_err(), "the first caller left");
    assert_eq!((stayed.status.as_u16(), stayed.header("x-cache")), (200, "coalesced"));

    // Half of them want the same, the others each something else, and most of those wait in line.
    let path = |number: u64| format!("/v0/pipes/long.ndjson?rows={}", LONG_ROWS + number.saturating_sub(500));
    let callers = (0..1_000)
        .map(|number| admin.request(Method::GET, &path(number)).timeout(Duration::from_millis(1_500)).send());
    let left = futures_util::future::join_all(callers).await;
    let is_refused = |reply: &reqwest::Response| reply.status() == 429;
    assert!(left.iter().all(|reply| reply.as_ref().map_or(true, is_refused)));
    // Taken apart, so that this query does not find itself.
    let running = "SELECT count() AS n FROM system.processes WHERE position(query, '21700' || '0000') > 0";
    let is_idle = async || (app.query_engine(running).await == [json!({ "n": 0 })]).then_some(());
    let idle = within(Duration::from_millis(1_500), "the queries without callers are gone", is_idle).await;
    tell(format_args!("a thousand callers left, and the engine was idle after {:?}", idle.1));
    assert_eq!(number(&admin, "count_hits").await.0, 0, "every place is free again");
}

#[tokio::test]
async fn a_caller_waits_its_own_time_for_a_place_whoever_asked_first() {
    let settings = "query.concurrency = 1\nquery.queue = 4\nquery.queue_timeout_seconds = 2\nquery.max_execution_seconds = 3";
    let app = Home::with_settings(settings).start(&project()).await;
    let admin = app.admin();
    let made = admin.post("/v0/tokens?name=dashboard&scope=PIPES:READ:count_hits", "").await.json();
    let dashboard = app.anonymous().with_token(made["token"].as_str().unwrap());
    let after = async |milliseconds, client: &ApiClient, path: &str| {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        client.get(path).await.status.as_u16()
    };
    let (long, count) = (format!("/v0/pipes/long.ndjson?rows={LONG_ROWS}"), path("count_hits"));
    let statuses =
        tokio::join!(after(0, &admin, &long), after(300, &admin, &count), after(1_600, &dashboard, &count));
    // The place is free after three seconds: too late for the one, and not for the other.
    assert_eq!(statuses, (408, 429, 200));
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    for _ in 0..2 {
        admin.get(&path("broken")).await.error(400);
    }
    admin.append("hits", "{\"id\":1,\"page\":\"/\"}").await;
    assert_eq!(admin.get(&path("broken")).await.status, 200);
}

#[tokio::test]
async fn the_operator_decides_what_is_kept() {
    let home = Home::with_settings("query.cache_except = 'of_page, other'");
    let app = home.start(&project()).await;
    let admin = app.admin();
    for _ in 0..2 {
        assert_eq!(number(&admin, "of_page").await.1, "miss");
    }
    number(&admin, "count_hits").await;
    assert_eq!(number(&admin, "count_hits").await.1, "hit");
    drop(app);
    let app = Home::with_settings("query.cache = 'off'").start(&project()).await;
    for _ in 0..2 {
        let (reply, origin) = asked(&app.admin(), "count_hits").await;
        assert_eq!(origin, "");
        assert!(reply.header("etag").starts_with("W/\""), "a caller may still have it");
    }
}

#[tokio::test]
async fn what_is_kept_stays_within_its_bytes() {
    let app = Home::with_settings("query.cache_bytes = 1_000_000").start(&project()).await;
    let admin = app.admin();
    for number in 0..60 {
        let page = format!("{number}{}", "x".repeat(8_000));
        assert_eq!(admin.get(&format!("/v0/pipes/of_page.json?page={page}")).await.status, 200);
    }
    let within_bounds = async || {
        let bytes: u64 = value(&admin, "roost_query_cache_bytes").await?.parse().ok()?;
        (bytes > 100_000 && bytes <= 1_000_000).then_some(())
    };
    eventually("the kept answers are within their bytes", within_bounds).await;
}

#[tokio::test]
async fn an_answer_that_is_asked_for_again_and_again_stays_while_others_come_and_go() {
    // Room for about fifteen answers, and for many more calls.
    let app = Home::with_settings("query.cache_bytes = 1_000_000").start(&project()).await;
    let admin = app.admin();
    let origin = async |rows: usize| {
        let reply = admin.get(&format!("{}?rows={rows}", path("rows"))).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.header("x-cache").to_owned()
    };
    assert_eq!(origin(200).await, "miss");
    for others in 201..400 {
        assert_eq!(origin(others).await, "miss");
        assert_eq!(origin(200).await, "hit", "beside {} others", others - 200);
    }
    assert_eq!(origin(201).await, "miss", "what nobody asks for goes");
}

#[tokio::test]
async fn rows_that_a_merge_takes_away_are_gone_soon() {
    let latest = "SCHEMA >\n    id UInt64, n UInt64\n\nENGINE \"ReplacingMergeTree\"\nENGINE_SORTING_KEY \"id\"\nENGINE_VER \"n\"\n";
    let project = project()
        .with(
            "datasources/latest.datasource",
            &latest.replace("id UInt64, n UInt64", "id UInt64 `json:$.id`, n UInt64 `json:$.n`"),
        )
        .endpoint("versions", "SELECT count() AS n FROM latest");
    let home = Home::new();
    let app = home.start(&project).await;
    let admin = app.admin();
    for version in 1..=3 {
        admin.append("latest", format!("{{\"id\":1,\"n\":{version}}}")).await;
    }
    let before = number(&admin, "versions").await.0;
    home.engine().execute(&format!("OPTIMIZE TABLE `{}`.latest FINAL", app.database())).await.unwrap();
    let is_merged = async || (number(&admin, "versions").await.0 == 1).then_some(());
    within(Duration::from_secs(4), "the merge is seen", is_merged).await;
    assert!(before >= 1);
    let is_kept = async || (number(&admin, "versions").await.1 == "hit").then_some(());
    eventually("a table that rests is kept", is_kept).await;
}
