//! Statements run on the engine: blocking calls, to be made from a thread that may wait.
//!
//! In: a statement, its profile, and where its bytes come from or go.  Out: the result's bytes (in
//! memory or through a pipe that the engine itself writes) and a [`Summary`].

use std::collections::HashSet;
use std::io::PipeWriter;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::call::{Call, Refusal};
use super::ffi::{Connection, Library, LibraryError, QueryResult, Summary};
use super::pool::{Lease, Pool};
use super::statement::Statement;

/// The engine of this process.
pub(super) struct Engine {
    pool: Pool,
    known_settings: HashSet<String>,
    killer: SyncSender<Abandon>,
    /// Holds the first connection for as long as the engine is open: the library shuts down with
    /// its last one.
    killer_thread: JoinHandle<()>,
    next_mark: AtomicU64,
}

/// A query from before its start to its end: a number written into its text, by which KILL finds
/// it, and whether anybody still wants its result.
#[derive(Debug)]
pub(super) struct Mark {
    number: u64,
    abandoned: Arc<AtomicBool>,
}

/// The means to stop a query without knowing whether it waits, runs or has ended.
#[derive(Debug)]
pub(super) struct Abandon {
    number: u64,
    abandoned: Weak<AtomicBool>,
}

impl Mark {
    pub(super) fn abandon(&self) -> Abandon {
        Abandon { number: self.number, abandoned: Arc::downgrade(&self.abandoned) }
    }

    /// A comment for the begin or the end of the statement's text.
    fn comment(&self) -> String {
        mark_comment(self.number)
    }

    /// Refuses a query whose client left while it waited for its turn.
    fn check(&self) -> Result<(), Refusal> {
        if self.abandoned.load(Ordering::Acquire) {
            return Err(Refusal::bad("the client left before the query began"));
        }
        Ok(())
    }
}

fn mark_comment(number: u64) -> String {
    format!("/*roost:{number}*/")
}

/// One piece of an insert's data, or its end; a channel that closes before [`Piece::End`] means
/// that the client left and nothing may be committed.
pub(super) enum Piece {
    /// Some bytes.
    Data(Bytes),
    /// All bytes have been sent.
    End,
}

/// KILLs that may wait for the thread that sends them; more are dropped, and the query then runs
/// until its own time limit.
const KILL_QUEUE: usize = 256;
/// The pause before a query that still runs is killed again.
const KILL_PAUSE: Duration = Duration::from_millis(20);

impl Engine {
    /// Opens the data directory. `server_arguments` reach the first connection only: caches,
    /// memory and thread pools of the whole process.
    pub(super) fn open(
        library: Library,
        data_path: &str,
        server_arguments: &[String],
    ) -> Result<Self, LibraryError> {
        let path = format!("--path={data_path}");
        let mut arguments = vec![path];
        arguments.extend_from_slice(server_arguments);
        let mut first = library.connect(&arguments)?;
        let names = first.query("SELECT name FROM system.settings", "LineAsString", &[])?;
        let known_settings = String::from_utf8_lossy(names.bytes()).lines().map(str::to_owned).collect();
        drop(names);
        let (killer, killer_thread) = start_killer(first).map_err(LibraryError::Thread)?;
        let pool = Pool::new(library, data_path.to_owned());
        Ok(Self { pool, known_settings, killer, killer_thread, next_mark: AtomicU64::new(1) })
    }

    /// The names that may be used as settings.
    pub(super) fn known_settings(&self) -> &HashSet<String> {
        &self.known_settings
    }

    /// A mark for a query that is about to run.
    pub(super) fn mark(&self) -> Mark {
        let number = self.next_mark.fetch_add(1, Ordering::Relaxed);
        Mark { number, abandoned: Arc::default() }
    }

    /// Stops a query, in whatever state it is; returns at once.
    pub(super) fn kill(&self, query: Abandon) {
        if let Some(abandoned) = query.abandoned.upgrade() {
            abandoned.store(true, Ordering::Release);
            let _ = self.killer.try_send(query);
        }
    }

    /// Runs a statement and keeps its whole result.
    pub(super) fn run_buffered(&self, call: &Call, sql: &str, mark: &Mark) -> Result<QueryResult, Refusal> {
        mark.check()?;
        let mut lease = self.pool.lease(call.profile.clone()).map_err(refused)?;
        // A statement that answers rows keeps its lines and columns; behind a command there may be
        // the data of INSERT … VALUES, where a comment is not one.
        let (front, tail) = match Statement::query(sql) {
            Statement::Rows(_) => (String::new(), format!("\n{}", mark.comment())),
            _ => (mark.comment(), String::new()),
        };
        let result = lease.connection.query(&format!("{front}{sql}{tail}"), &call.format, &call.parameters);
        let result = result.map_err(|error| without(&[&front, &tail], refused(error)))?;
        give_back(lease, sql);
        Ok(result)
    }

    /// Runs a statement that answers rows; the engine writes them into `output`.
    ///
    /// Streaming calls of the library close the format after every chunk; only the engine's own
    /// `INTO OUTFILE` writes one document with bounded memory.
    pub(super) fn run_piped(
        &self,
        call: &Call,
        sql: &str,
        mark: &Mark,
        output: PipeWriter,
    ) -> Result<Summary, Refusal> {
        mark.check()?;
        let mut lease = self.pool.lease(call.profile.clone()).map_err(refused)?;
        let descriptor = output.as_raw_fd();
        let (format, mark) = (&call.format, mark.comment());
        let tail = format!("\nINTO OUTFILE '/proc/self/fd/{descriptor}' APPEND FORMAT {format} {mark}");
        let result = lease.connection.query(&format!("{sql}{tail}"), &call.format, &call.parameters);
        drop(output);
        let summary = result.map_err(|error| without(&[&tail], refused(error)))?.summary();
        give_back(lease, sql);
        Ok(summary)
    }

    /// Runs an insert whose data arrive through `next`, which blocks until a piece is there.
    ///
    /// Nothing is inserted where the client has `left` before the insert was in the engine's list: it
    /// may have looked there since, and taken it for one that will not come.
    pub(super) fn run_insert(
        &self,
        call: &Call,
        (text, format): (&str, &str),
        mut next: impl FnMut() -> Option<Piece>,
        left: &CancellationToken,
    ) -> Result<Summary, Refusal> {
        let mut lease = self.pool.lease(call.profile.clone()).map_err(refused)?;
        let mut stream = lease.connection.insert(text, format).map_err(refused)?;
        let summary = loop {
            match next() {
                Some(Piece::Data(bytes)) => stream.append(&bytes).map_err(refused)?,
                Some(Piece::End) if !left.is_cancelled() => break stream.finish().map_err(refused)?,
                _ => return Err(Refusal::bad("the client left: nothing was inserted")),
            }
        };
        lease.keep();
        Ok(summary)
    }

    /// Closes every connection; the last one stops the engine.
    pub(super) fn close(self) {
        self.pool.clear();
        drop(self.killer);
        let _ = self.killer_thread.join();
    }
}

/// Gives a connection back unless the statement may have changed it for the next caller.
fn give_back(lease: Lease<'_>, sql: &str) {
    if !Statement::may_change_session(sql) {
        lease.keep();
    }
}

/// Takes what was added to a statement out of the engine's message about it.
fn without(additions: &[&str], mut refusal: Refusal) -> Refusal {
    for addition in additions.iter().filter(|addition| !addition.is_empty()) {
        refusal.message = refusal.message.replace(addition, "");
    }
    refusal
}

fn refused(error: LibraryError) -> Refusal {
    match error {
        LibraryError::Exception(text) => Refusal::from_exception(text),
        other => Refusal::bad(other),
    }
}

/// A thread with a connection of its own, which does nothing but KILL.
///
/// A query that has not reached the engine's list yet is not found there, so each is killed again
/// until its call has returned.
fn start_killer(mut connection: Connection) -> std::io::Result<(SyncSender<Abandon>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel::<Abandon>(KILL_QUEUE);
    let kill = move || {
        let mut queries: Vec<Abandon> = Vec::new();
        loop {
            let next = if queries.is_empty() {
                receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                receiver.recv_timeout(KILL_PAUSE)
            };
            match next {
                Ok(query) => queries.push(query),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            queries.extend(receiver.try_iter());
            queries.retain(|query| query.abandoned.strong_count() > 0);
            if let Err(error) = kill_all(&mut connection, &queries) {
                tracing::warn!(%error, "cannot stop a query whose client left");
            }
        }
    };
    let thread = std::thread::Builder::new().name("engine-kill".to_owned()).spawn(kill)?;
    Ok((sender, thread))
}

fn kill_all(connection: &mut Connection, queries: &[Abandon]) -> Result<(), LibraryError> {
    if queries.is_empty() {
        return Ok(());
    }
    let marked = |query: &Abandon| {
        let mark = mark_comment(query.number);
        format!("startsWith(query, '{mark}') OR endsWith(query, '{mark}')")
    };
    let condition = queries.iter().map(marked).collect::<Vec<_>>().join(" OR ");
    connection.query(&format!("KILL QUERY WHERE {condition} ASYNC"), "Null", &[]).map(drop)
}
