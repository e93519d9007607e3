//! Kept answers beside writes: sixteen readers ask, and every answer is that of a moment between the last
//! change that was acknowledged before the call and the last that had begun before the answer.
//!
//! Each data source has one writer, so that its moments follow one another and are known exactly. Now and then
//! the project changes: the server is started again with another one. Readers keep what they were answered, with
//! its tag, and ask whether it still holds, over such changes too.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::{Dice, effort, seed, tell};
use crate::harness::{ApiClient, FAR_FUTURE, Home, Project, TestApp, jwt, send};

/// Time of a short run; a long one takes fifty times as much.
const TIME: Duration = Duration::from_secs(12);
const READERS: u32 = 16;
const SOURCES: usize = 3;

/// What the endpoints about one data source answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moment {
    rows: u64,
    of_a: u64,
    refused: u64,
    /// In the target of a view, which a truncation leaves alone.
    summed: u64,
}

/// One data source as its writer knows it.
#[derive(Default)]
struct History {
    moments: Mutex<Vec<Moment>>,
    /// The place of the last moment that was acknowledged.
    acknowledged: AtomicUsize,
}

impl History {
    fn begin(&self, change: impl FnOnce(&mut Moment)) -> usize {
        let mut moments = self.moments.lock().unwrap();
        let mut next = *moments.last().unwrap();
        change(&mut next);
        moments.push(next);
        moments.len() - 1
    }

    /// Moments from one place to the last that has begun.
    fn since(&self, place: usize) -> Vec<Moment> {
        self.moments.lock().unwrap()[place..].to_vec()
    }
}

/// The project in one of its versions, which every answer names.
fn project(version: u64) -> Project {
    (0..SOURCES).fold(Project::default(), |project, n| {
        let target = "SCHEMA >\n    tenant String, n SimpleAggregateFunction(sum, UInt64)\n\nENGINE \"AggregatingMergeTree\"\nENGINE_SORTING_KEY \"tenant\"\n";
        let view = format!("NODE rows\nSQL >\n    SELECT tenant, count() AS n FROM hits_{n} GROUP BY tenant\n\nTYPE materialized\nDATASOURCE sums_{n}\n");
        project
            .data_source(&format!("hits_{n}"), &["id UInt64", "tenant String"])
            .with(&format!("datasources/sums_{n}.datasource"), target)
            .with(&format!("pipes/to_sums_{n}.pipe"), &view)
            .endpoint(&format!("rows_{n}"), &format!("SELECT count() AS n, {version} AS version FROM hits_{n}"))
            .endpoint(&format!("over_{n}"), &format!("SELECT n, version FROM rows_{n} WHERE 1 = {{{{ Int32(one, 1) }}}}"))
            .endpoint(&format!("refused_{n}"), &format!("SELECT count() AS n, {version} AS version FROM hits_{n}_quarantine"))
            .endpoint(&format!("summed_{n}"), &format!("SELECT sum(n) AS n, {version} AS version FROM sums_{n}"))
    })
}

/// A caller who sees the rows of tenant `a` alone.
fn of_tenant_a(app: &TestApp) -> ApiClient {
    let scopes: Vec<Value> = (0..SOURCES)
        .flat_map(|n| {
            [
                json!({ "type": "PIPES:READ", "resource": format!("rows_{n}") }),
                json!({ "type": "DATASOURCES:READ", "resource": format!("hits_{n}"), "filter": "tenant = 'a'" }),
            ]
        })
        .collect();
    app.anonymous().with_token(&jwt(app.admin().token(), &json!(scopes), &json!({ "exp": FAR_FUTURE })))
}

/// Changes a data source until the end, one change after the other.
async fn write(admin: ApiClient, n: usize, history: Arc<History>, stop: Arc<AtomicBool>) {
    let mut turn = n;
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        let place = match turn % 9 {
            8 => {
                let place = history.begin(|moment| (moment.rows, moment.of_a) = (0, 0));
                let reply = admin.post(&format!("/v0/datasources/hits_{n}/truncate"), "").await;
                assert_eq!(reply.status, 205, "{}", reply.text);
                place
            }
            6 => {
                let place = history.begin(|moment| moment.rows = moment.of_a);
                let path = format!("/v1/datasources/hits_{n}/delete?delete_condition=tenant%20%3D%20'b'");
                let reply = admin.post(&path, "").await;
                assert_eq!(reply.status, 200, "{}", reply.text);
                place
            }
            3 => {
                let place = history.begin(|moment| moment.refused += 1);
                admin.append(&format!("hits_{n}"), "{\"id\":\"x\"}").await;
                place
            }
            _ => {
                let (tenant, more) = if turn.is_multiple_of(2) { ("a", 1) } else { ("b", 0) };
                let place = history.begin(|moment| {
                    moment.rows += 1;
                    moment.of_a += more;
                    moment.summed += 1;
                });
                admin
                    .append(&format!("hits_{n}"), format!("{{\"id\":{turn},\"tenant\":\"{tenant}\"}}"))
                    .await;
                place
            }
        };
        history.acknowledged.store(place, Ordering::SeqCst);
        // Between two changes answers are kept.
        tokio::time::sleep(Duration::from_millis(5 + 7 * u64::try_from(turn % 5).unwrap())).await;
    }
}

/// What one reader saw.
#[derive(Debug, Default)]
struct Seen {
    answers: usize,
    kept: usize,
    /// Answers that were said to hold still.
    confirmed: usize,
    /// The last answer to each question, and its tag.
    last: BTreeMap<(usize, usize), (String, Value)>,
}

impl Seen {
    /// Asks once more, or whether the last answer still holds; the row and where it came from.
    async fn ask(&mut self, question: (usize, usize), client: &ApiClient, path: &str) -> (Value, String) {
        let mut request = client.request(Method::GET, path);
        if let Some((tag, _)) = self.last.get(&question) {
            request = request.header("If-None-Match", tag);
        }
        let reply = send(request).await;
        let origin = reply.header("x-cache").to_owned();
        self.answers += 1;
        self.kept += usize::from(origin == "hit");
        if reply.status == 304 {
            self.confirmed += 1;
            return (self.last[&question].1.clone(), origin);
        }
        assert_eq!(reply.status, 200, "{}", reply.text);
        let row: Value = serde_json::from_str(reply.text.trim()).unwrap();
        self.last.insert(question, (reply.header("etag").to_owned(), row.clone()));
        (row, origin)
    }
}

async fn read(
    (admin, of_a): (ApiClient, ApiClient),
    (mut dice, mut seen): (Dice, Seen),
    (histories, version): (Arc<Vec<Arc<History>>>, u64),
    stop: Arc<AtomicBool>,
) -> Seen {
    while !stop.load(Ordering::SeqCst) {
        let (n, kind) = (dice.roll(SOURCES), dice.roll(5));
        let (client, path): (_, String) = match kind {
            0 => (&admin, format!("rows_{n}")),
            1 => (&admin, format!("over_{n}")),
            2 => (&admin, format!("refused_{n}")),
            3 => (&admin, format!("summed_{n}")),
            _ => (&of_a, format!("rows_{n}")),
        };
        let answer_of = |moment: &Moment| match kind {
            0 | 1 => moment.rows,
            2 => moment.refused,
            3 => moment.summed,
            _ => moment.of_a,
        };
        let before = histories[n].acknowledged.load(Ordering::SeqCst);
        let (row, origin) = seen.ask((n, kind), client, &format!("/v0/pipes/{path}.ndjson")).await;
        let moments = histories[n].since(before);
        assert!(
            moments.iter().any(|moment| answer_of(moment) == row["n"].as_u64().unwrap()),
            "{path} ({kind}) answered {row} as a {origin}, and the moments since are {moments:?}"
        );
        assert_eq!(row["version"], version, "{path} ({kind}) answered {row} as a {origin}");
    }
    seen
}

/// Lets writers and readers work with one version of the project.
async fn work(
    app: &TestApp,
    (histories, version): (&Arc<Vec<Arc<History>>>, u64),
    readers: Vec<(Dice, Seen)>,
    time: Duration,
) -> Vec<Seen> {
    let (stop, tasks) = (Arc::new(AtomicBool::new(false)), TaskTracker::new());
    let write = |(n, history): (usize, &Arc<History>)| {
        tasks.spawn(write(app.admin(), n, Arc::clone(history), Arc::clone(&stop)))
    };
    let writers: Vec<_> = histories.iter().enumerate().map(write).collect();
    let read = |reader| {
        let clients = (app.admin(), of_tenant_a(app));
        tasks.spawn(read(clients, reader, (Arc::clone(histories), version), Arc::clone(&stop)))
    };
    let readers: Vec<_> = readers.into_iter().map(read).collect();
    let end = Instant::now() + time;
    while Instant::now() < end && !readers.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut seen = Vec::new();
    for reader in readers {
        seen.push(reader.await.unwrap());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_older_than_what_was_acknowledged() {
    let home = Home::with_settings("");
    let start = || Arc::new(History { moments: Mutex::new(vec![Moment::default()]), ..History::default() });
    let histories: Arc<Vec<Arc<History>>> = Arc::new((0..SOURCES).map(|_| start()).collect());
    let (first, versions) = (seed(), 2 + effort() / 10);
    let time = TIME * u32::try_from(effort()).unwrap() / u32::try_from(versions).unwrap();
    let mut seen: Vec<Seen> = (0..READERS).map(|_| Seen::default()).collect();
    for version in 0..versions {
        let app = home.start(&project(version)).await;
        let dice = |number: usize| Dice::new(first + version * 100 + number as u64);
        let readers = seen.into_iter().enumerate().map(|(number, seen)| (dice(number), seen)).collect();
        seen = work(&app, (&histories, version), readers, time).await;
    }
    let sum = |count: fn(&Seen) -> usize| seen.iter().map(count).sum::<usize>();
    let (answers, kept, confirmed) = (sum(|it| it.answers), sum(|it| it.kept), sum(|it| it.confirmed));
    let changes: usize = histories.iter().map(|history| history.moments.lock().unwrap().len() - 1).sum();
    tell(format_args!(
        "{answers} answers, {kept} of them kept and {confirmed} confirmed, beside {changes} changes and {versions} versions of the project"
    ));
    assert!(kept > 100 && confirmed > 100 && answers > kept, "answers were kept, and answers were asked for");
}
