//! Kept answers beside writes: sixteen readers ask, and every answer is that of a moment between the last
//! change that was acknowledged before the call and the last that had begun before the answer.
//!
//! Each data source has one writer, so that its moments follow one another and are known exactly.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::{Dice, effort, seed, tell};
use crate::harness::{ApiClient, FAR_FUTURE, Home, Project, TestApp, jwt};

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

fn project() -> Project {
    (0..SOURCES).fold(Project::default(), |project, n| {
        let target = "SCHEMA >\n    tenant String, n SimpleAggregateFunction(sum, UInt64)\n\nENGINE \"AggregatingMergeTree\"\nENGINE_SORTING_KEY \"tenant\"\n";
        let view = format!("NODE rows\nSQL >\n    SELECT tenant, count() AS n FROM hits_{n} GROUP BY tenant\n\nTYPE materialized\nDATASOURCE sums_{n}\n");
        project
            .data_source(&format!("hits_{n}"), &["id UInt64", "tenant String"])
            .with(&format!("datasources/sums_{n}.datasource"), target)
            .with(&format!("pipes/to_sums_{n}.pipe"), &view)
            .endpoint(&format!("rows_{n}"), &format!("SELECT count() AS n FROM hits_{n}"))
            .endpoint(&format!("over_{n}"), &format!("SELECT n FROM rows_{n} WHERE 1 = {{{{ Int32(one, 1) }}}}"))
            .endpoint(&format!("refused_{n}"), &format!("SELECT count() AS n FROM hits_{n}_quarantine"))
            .endpoint(&format!("summed_{n}"), &format!("SELECT sum(n) AS n FROM sums_{n}"))
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
}

async fn read(
    (admin, of_a): (ApiClient, ApiClient),
    mut dice: Dice,
    histories: Arc<Vec<Arc<History>>>,
    stop: Arc<AtomicBool>,
) -> Seen {
    let mut seen = Seen::default();
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
        let reply = client.get(&format!("/v0/pipes/{path}.ndjson")).await;
        let moments = histories[n].since(before);
        assert_eq!(reply.status, 200, "{}", reply.text);
        let row: Value = serde_json::from_str(reply.text.trim()).unwrap();
        let origin = reply.header("x-cache");
        assert!(
            moments.iter().any(|moment| answer_of(moment) == row["n"].as_u64().unwrap()),
            "{path} ({kind}) answered {} as a {origin}, and the moments since are {moments:?}",
            reply.text.trim()
        );
        seen.answers += 1;
        seen.kept += usize::from(origin == "hit");
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_older_than_what_was_acknowledged() {
    let app = Home::with_settings("").start(&project()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let start = || Arc::new(History { moments: Mutex::new(vec![Moment::default()]), ..History::default() });
    let histories: Arc<Vec<Arc<History>>> = Arc::new((0..SOURCES).map(|_| start()).collect());
    let tasks = TaskTracker::new();
    let writers: Vec<_> = histories
        .iter()
        .enumerate()
        .map(|(n, history)| tasks.spawn(write(app.admin(), n, Arc::clone(history), Arc::clone(&stop))))
        .collect();
    let first = seed();
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let clients = (app.admin(), of_tenant_a(&app));
            let dice = Dice::new(first + u64::from(number));
            tasks.spawn(read(clients, dice, Arc::clone(&histories), Arc::clone(&stop)))
        })
        .collect();
    let end = Instant::now() + TIME * u32::try_from(effort()).unwrap();
    while Instant::now() < end && !readers.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let (mut answers, mut kept) = (0, 0);
    for reader in readers {
        let seen = reader.await.unwrap();
        (answers, kept) = (answers + seen.answers, kept + seen.kept);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let changes: usize = histories.iter().map(|history| history.moments.lock().unwrap().len() - 1).sum();
    tell(format_args!("{answers} answers, {kept} of them kept, beside {changes} changes"));
    assert!(kept > 100 && answers > kept, "answers were kept, and answers were asked for");
}
